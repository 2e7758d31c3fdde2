"""Shared-memory segments: create, attach, list, clean.

A segment is a file in /dev/shm named `mantra.<run>.<name>`, mode 0600, mapped whole. Its first
cache line is the header below; an attacher that expects another layout or size is refused with a
sentence that says what differs. `ready` is written last, so a half-made segment is never used.

     0        8       16       24       32       40            64
     +--------+--------+--------+--------+--------+-------------+----------
     | magic  | layout |  size  |creator | ready  |   unused    | content …
     +--------+--------+--------+--------+--------+-------------+----------
"""

import mmap
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mantra.compiled import compiled
from mantra.icc.atomics import load_acquire, store_release
from mantra.icc.memory import CACHE_LINE, address_of, record_type

MAGIC = int.from_bytes(b"MANTRA01", "little")
PREFIX = "mantra."
NAME_LIMIT = 120  # characters of a run or a name: a file name takes 255 bytes.
PID_BITS = 22  # Linux gives out no higher process ids.
PID_MASK = (1 << PID_BITS) - 1
OTHER_VERSION = "the run was started by another version, use that one"
UNFINISHED_S = 60  # A segment without a header is being made, or is older than this: stale.

# layout   hash of all that both sides must agree on
# size     bytes, header included
# creator  `this_process()` of the maker
# ready    1 once the content may be used
SEGMENT_HEADER = record_type("i8 magic layout size creator ready", "(3,)i8 unused")


READY_AT = SEGMENT_HEADER.fields["ready"][1]  # type: ignore[index]


@compiled
def set_ready(address):
    """Compiled for its order: what was written before is seen before."""
    store_release(address, 1)


@compiled
def is_ready(address):
    """Compiled for its order: what is read after is not older."""
    return load_acquire(address) == 1


class SegmentError(Exception):
    """A segment is missing, is there already, or is not what the caller expects."""


def directory() -> Path:
    """Where segments live: `$MANTRA_SHM`, or /dev/shm."""
    return Path(os.environ.get("MANTRA_SHM", "/dev/shm"))


def layout_hash(*parts: object) -> int:
    """Hash of a layout: dtypes (by their full description) and sizes."""
    described = [p.descr if isinstance(p, np.dtype) else p for p in parts]
    return zlib.crc32(repr(described).encode())


def segment_path(run: str, name: str) -> Path:
    """Path of a run's segment. Run and name may not hold a dot or a slash, nor be empty."""
    for what, text in (("run", run), ("segment name", name)):
        if not text or "/" in text or "." in text or len(text) > NAME_LIMIT:
            expected = f"expected 1 to {NAME_LIMIT} characters without '.' and '/'"
            raise SegmentError(f"{what} {text!r}: {expected}")
    return directory() / f"{PREFIX}{run}.{name}"


@dataclass
class Segment:
    """A mapped segment. `address` is its first byte."""

    path: Path
    array: np.ndarray  # bytes of the whole segment; keeps the mapping alive

    @property
    def address(self) -> int:
        return address_of(self.array)

    @property
    def size(self) -> int:
        return self.array.nbytes

    @property
    def writable(self) -> bool:
        return bool(self.array.flags.writeable)

    @property
    def header(self) -> np.ndarray:
        return self.records(0, 1, SEGMENT_HEADER)[0]

    def records(self, offset: int, count: int, dtype: np.dtype) -> np.ndarray:
        """Records from `offset` on: a view that keeps the mapping alive, read-only if that is."""
        return self.array[offset : offset + count * dtype.itemsize].view(dtype)

    def publish(self) -> None:
        """Say that the content may be used."""
        set_ready(self.address + READY_AT)


def create(run: str, name: str, content_bytes: int, layout: int) -> Segment:
    """Make a zeroed segment; the caller fills it and then calls `publish`.

    Raises SegmentError if the name is taken or the memory is not to be had.
    """
    path = segment_path(run, name)
    size = CACHE_LINE + content_bytes
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        what = f"shared memory {path} is there already: another run uses the name"
        advice = "choose another, or remove stale ones with 'mantra shm clean'"
        raise SegmentError(f"{what}; {advice}") from None
    try:
        # Reserved, not only promised: a full /dev/shm is an error here, not a SIGBUS later.
        os.posix_fallocate(descriptor, 0, size)
        segment = _map(path, descriptor, size, writable=True)
    except OSError as error:
        path.unlink()
        what = f"shared memory {path}: {size:,} bytes not to be had ({error.strerror})"
        advice = f"make queues smaller, or free some of {path.parent} with 'mantra shm clean'"
        raise SegmentError(f"{what}; {advice}") from None
    finally:
        os.close(descriptor)
    header = segment.header
    header["creator"], header["layout"], header["size"] = this_process(), layout, size
    header["magic"] = MAGIC
    return segment


def attach(run: str, name: str, layout: int | None = None, writable: bool = True) -> Segment:
    """Map a segment that is there and ready.

    Raises SegmentError when it is missing, half-made, or not of the `layout` the caller was built
    for (None: take any, as observers that only list do).
    """
    path = segment_path(run, name)
    try:
        descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    except FileNotFoundError:
        question = f"is run {run!r} up? 'mantra shm ls' lists all"
        raise SegmentError(f"shared memory {path} is not there: {question}") from None
    try:
        size = os.fstat(descriptor).st_size
        if size < SEGMENT_HEADER.itemsize:
            what = f"shared memory {path} is not ready: {size} bytes, too small for a header"
            why = "its creator has not finished it, or died ('mantra shm clean' removes it)"
            raise SegmentError(f"{what}; {why}")
        segment = _map(path, descriptor, size, writable)
    finally:
        os.close(descriptor)
    _refuse_mismatch(segment, layout)
    return segment


def _map(path: Path, descriptor: int, size: int, writable: bool) -> Segment:
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    buffer = mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=access)
    return Segment(path, np.frombuffer(buffer, np.uint8))


def _refuse_mismatch(segment: Segment, layout: int | None) -> None:
    header, path = segment.header, segment.path
    if header["magic"] != MAGIC:
        what = f"shared memory {path}: magic is {int(header['magic']):#x}, expected {MAGIC:#x}"
        why = "this is not a segment of this program, or it was never finished"
        raise SegmentError(f"{what}; {why}")
    if header["size"] != segment.size:
        said = f"header says {int(header['size']):,} bytes, the file has {segment.size:,}"
        raise SegmentError(f"shared memory {path}: {said}")
    if layout is not None and header["layout"] != layout:
        differs = f"layout is {int(header['layout']):#010x}, this program has {layout:#010x}"
        raise SegmentError(f"shared memory {path}: {differs}; {OTHER_VERSION}")
    if not is_ready(segment.address + READY_AT):
        raise SegmentError(f"shared memory {path} is not ready: its creator has not finished it")


def refuse_other_records(what: str, segment: Segment, geometry: np.void, record: np.dtype) -> None:
    """Raise SegmentError if a segment's records, by its geometry, are not `record`s."""
    if geometry["record_layout"] != layout_hash(record):
        sizes = f"{int(geometry['payload_bytes'])} bytes there, {record.itemsize} here"
        differs = f"its records differ from this program's ({sizes}; if equal: the fields)"
        raise SegmentError(f"{what} {segment.path}: {differs}; {OTHER_VERSION}")


@dataclass(frozen=True)
class SegmentInfo:
    """One segment as found in the directory."""

    path: Path
    run: str
    name: str
    size: int
    creator: int  # process id; 0 if the header is not there
    alive: bool  # the creator still runs, or may be about to write the header


def list_segments() -> Iterator[SegmentInfo]:
    """All segments of all runs of this user, those of dead runs included."""
    for path in sorted(directory().glob(f"{PREFIX}*.*")):
        _, run, name = path.name.split(".", 2)
        try:
            with path.open("rb") as file:
                raw = file.read(SEGMENT_HEADER.itemsize)
            status = path.stat()
        except (FileNotFoundError, PermissionError):
            continue  # Gone since the listing, or another user's.
        header = np.frombuffer(raw.ljust(SEGMENT_HEADER.itemsize, b"\0"), SEGMENT_HEADER)[0]
        creator = int(header["creator"]) if header["magic"] == MAGIC else 0
        young = time.time() - status.st_mtime < UNFINISHED_S
        alive = process_alive(creator) if creator else young
        yield SegmentInfo(path, run, name, status.st_size, creator & PID_MASK, alive)


def clean(run: str | None = None) -> list[SegmentInfo]:
    """Remove the segments of dead creators (of one run, or of all); returns what was removed."""
    stale = [s for s in list_segments() if not s.alive and run in (None, s.run)]
    for segment in stale:
        segment.path.unlink(missing_ok=True)
    return stale


def this_process() -> int:
    """This process for good: start time << 22 | id. Ids alone come back, in containers at once."""
    pid = os.getpid()
    return _state_and_start(pid)[1] << PID_BITS | pid


def process_alive(process: int) -> bool:
    """Whether a process runs, given as by `this_process`, or by its bare id; a zombie does not."""
    try:
        state, start = _state_and_start(process & PID_MASK)
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False
    return process > 0 and state not in ("Z", "X") and process >> PID_BITS in (0, start)


def _state_and_start(pid: int) -> tuple[str, int]:
    """State letter and start (clock ticks since boot) from /proc; the name may hold spaces."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[19])
