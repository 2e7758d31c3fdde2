"""Writing an archive: buffer rows, encode them a column at a time, append whole blocks.

    with ArchiveWriter(directory, {"run": "demo"}) as writer:
        writer.append("l2", records)

A block is written by one call after its bytes are complete, so a crash costs the block being
written and what was still buffered. A write that fails (full disk) is cut off again, its block is
kept and written by the next call: nothing is lost as long as the writer lives.

With `incremental=True` nothing is encoded by `append`: call `step()` until it returns False, and
do other things (drain queues) between two steps. A step is one column of one block, or one write.
"""

import contextlib
import fcntl
import json
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mantra.archive import layout
from mantra.archive.columns import ColumnEncoder, describe, dtype_of, take_column
from mantra.archive.layout import ArchiveError
from mantra.archive.segment import index_stream
from mantra.archive.verify import repair

# A block's rows by field: one array each. Rows are turned into columns as they come, while they are
# in the cache: later, each field would drag all of the block through it again.
Columns = dict[str, np.ndarray]
CACHED_ROWS = 4096

BLOCK_ROWS = 65536  # Larger blocks compress 1% better; smaller ones lose less in a crash.
SEGMENT_BYTES = 1 << 30


@dataclass
class _Stream:
    """One stream's open segment, the rows buffered, and the block being encoded."""

    name: str
    dtype: np.dtype
    description: dict
    segment: int
    path: Path
    fd: int  # -1: no file yet
    end: int  # bytes: where the next block goes
    next_row: int
    buffer: Columns = field(default_factory=dict)
    filled: int = 0  # rows of the buffer
    pending: deque[tuple[int, Columns]] = field(default_factory=deque)  # (rows, buffer)
    spare: list[Columns] = field(default_factory=list)  # written: fresh memory costs page faults
    encoded: list[tuple[int, bytes]] = field(default_factory=list)  # columns of pending[0]
    encoders: list[ColumnEncoder] = field(default_factory=list)


class ArchiveWriter:
    """Appends records to the streams of an archive. One writer an archive at a time.

    `block_rows` rows make a block, `segment_bytes` bytes a file. `metadata` (a JSON-able dict)
    goes to run.json. An unfinished last block of an earlier writer is cut off; `notes` says so.
    Raises ArchiveError for everything that cannot be written, and why.
    """

    def __init__(
        self,
        directory: Path | str,
        metadata: dict | None = None,
        block_rows: int = BLOCK_ROWS,
        segment_bytes: int = SEGMENT_BYTES,
        incremental: bool = False,
    ):
        if not 1 <= block_rows <= layout.BLOCK_ROWS_MAX:
            raise ArchiveError(f"block_rows {block_rows}: expected 1 to {layout.BLOCK_ROWS_MAX}")
        self.directory = Path(directory)
        self.block_rows, self.segment_bytes = block_rows, segment_bytes
        self.incremental = incremental
        self._streams: dict[str, _Stream] = {}
        self._metadata: dict[str, str] = {}  # of run.json, each value as JSON
        self._turns: deque[_Stream] = deque()  # one entry a pending block, oldest first
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.directory)
        try:
            self.notes = repair(self.directory)
            if metadata is not None:
                self.update_metadata(metadata)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def pending_rows(self) -> int:
        """Rows taken by `append` and not written yet: what a crash would cost now."""
        return sum(s.filled + sum(rows for rows, _ in s.pending) for s in self._streams.values())

    def append(self, stream: str, records: np.ndarray) -> None:
        """Take records of a stream, any number; their dtype is the stream's from now on.

        All of them are taken even where writing raises ArchiveError (the disk is full).
        """
        into = self._streams.get(stream) or self._open(stream, records.dtype)
        if records.dtype.newbyteorder("<") != into.dtype:
            what = f"stream {stream!r} of {self.directory} holds {into.dtype}, not {records.dtype}"
            raise ArchiveError(f"{what}; give the new records a stream of their own")
        taken = 0
        while taken < len(records):
            count = min(len(records) - taken, self.block_rows - into.filled, CACHED_ROWS)
            for name, column in into.buffer.items():
                column[into.filled : into.filled + count] = records[name][taken : taken + count]
            into.filled += count
            taken += count
            if into.filled == self.block_rows:
                self._seal(into)
                if not self.incremental:
                    with contextlib.suppress(ArchiveError):  # said below, if it fails again
                        self._drain()
        if not self.incremental:
            self._drain()

    def seal(self) -> None:
        """Make blocks of what is buffered, however few rows; `step` or `flush` writes them."""
        for stream in self._streams.values():
            if stream.filled:
                self._seal(stream)

    def step(self) -> bool:
        """Encode one column, or write one block; whether work remains."""
        if not self._turns:
            return False
        stream = self._turns[0]
        columns = stream.description["columns"]
        done = len(stream.encoded)
        if done < len(columns):
            rows, buffer = stream.pending[0]
            values = take_column(buffer, columns[done], rows)
            stream.encoded.append(stream.encoders[done].encode(values))
            return True
        self._write_block(stream)
        stream.encoded = []
        stream.spare.append(stream.pending.popleft()[1])
        self._turns.popleft()
        return bool(self._turns)

    def flush(self) -> None:
        """Write everything taken so far, partial blocks too."""
        self.seal()
        self._drain()

    def close(self) -> None:
        """Flush, make it durable, and let go of the files, also where that raises."""
        if self._lock < 0:
            return
        try:
            self.flush()
        finally:
            for stream in self._streams.values():
                self._finish_segment(stream)
            os.close(self._lock)
            self._lock = -1

    def update_metadata(self, metadata: dict, durable: bool = True) -> None:
        """Set keys of run.json; the file is replaced whole, so a reader sees the old or the new.

        `durable=False` spares the disk's ms; it outlives this process, not a power cut.
        """
        path = self.directory / layout.RUN_FILE
        try:
            if not self._metadata and path.exists():
                metadata = json.loads(path.read_text()) | metadata
            # As text, key by key: the tables of thousands of instruments take 0.15 s, and this is
            # called when a recorder is late already.
            self._metadata |= {key: json.dumps(metadata[key], indent=1) for key in metadata}
            items = [f"{json.dumps(key)}: {text}" for key, text in self._metadata.items()]
            text = "{\n" + ",\n".join(items) + "\n}\n"
        except (TypeError, ValueError) as error:
            raise ArchiveError(f"{path}: the metadata is no JSON: {error}") from error
        unfinished = path.with_suffix(".unfinished")
        try:
            with unfinished.open("w") as file:
                file.write(text)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink()  # it may hold the disk's last bytes
            raise ArchiveError(f"{path}: cannot be written: {error.strerror}") from error

    # ------------------------------------------------------------ inside

    def _open(self, name: str, dtype: np.dtype) -> _Stream:
        segments = layout.segment_files(self.directory).get(name, [])
        number, path = 0, layout.segment_path(self.directory, name, 0)
        description, end, next_row, fd = describe(name, dtype), 0, 0, -1
        if segments:
            index = index_stream(name, segments)
            if index.description is None:
                raise ArchiveError(f"{index.items[0]}. Move the file away to go on without it")
            number, path = segments[-1]
            description, end, next_row = index.description, path.stat().st_size, index.next_row
            fd = os.open(path, os.O_WRONLY)
        kept = dtype_of(description)
        stream = _Stream(name, kept, description, number, path, fd, end, next_row)
        stream.buffer = self._columns(kept)
        stream.encoders = [ColumnEncoder() for _ in description["columns"]]
        self._streams[name] = stream
        return stream

    def _seal(self, stream: _Stream) -> None:
        stream.pending.append((stream.filled, stream.buffer))
        self._turns.append(stream)
        stream.buffer = stream.spare.pop() if stream.spare else self._columns(stream.dtype)
        stream.filled = 0

    def _columns(self, dtype: np.dtype) -> Columns:
        return {name: np.empty(self.block_rows, dtype[name]) for name in dtype.names or ()}

    def _drain(self) -> None:
        while self.step():
            pass

    def _write_block(self, stream: _Stream) -> None:
        """Append the encoded block; on failure cut off what was written of it, and raise."""
        rows, buffer = stream.pending[0]
        ts_min = ts_max = 0
        if stream.description["time_column"]:
            stamps = buffer[stream.description["time_column"]][:rows]
            ts_min, ts_max = int(stamps.min()), int(stamps.max())
        block = layout.pack_block(stream.encoded, rows, stream.next_row, ts_min, ts_max)
        if stream.end and stream.end + len(block) > self.segment_bytes:
            self._finish_segment(stream)
            stream.segment, stream.end = stream.segment + 1, 0
            stream.path = layout.segment_path(self.directory, stream.name, stream.segment)
        if stream.end == 0:
            # With its first block in one write: a file without a block holds nothing of worth.
            facts = stream.description, stream.segment, stream.next_row
            block = layout.pack_file_header(*facts) + block
        self._write(stream, block)
        stream.end += len(block)
        stream.next_row += rows

    def _write(self, stream: _Stream, content: bytes) -> None:
        left = memoryview(content)
        try:
            if stream.fd < 0:
                stream.fd = os.open(stream.path, os.O_WRONLY | os.O_CREAT, 0o666)
            while left:
                at = stream.end + len(content) - len(left)
                left = left[os.pwrite(stream.fd, left, at) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(stream.fd, stream.end)
                if stream.end == 0:
                    stream.path.unlink()
                    os.close(stream.fd)
                    stream.fd = -1
            place = f"{stream.path}: byte {stream.end}"
            what = f"a block of {len(content)} bytes cannot be written: {error.strerror}"
            advice = "Nothing is lost yet: make room, then flush again"
            raise ArchiveError(f"{place}: {what}. {advice}") from error

    def _finish_segment(self, stream: _Stream) -> None:
        if stream.fd >= 0:
            fd, stream.fd = stream.fd, -1
            try:
                os.fsync(fd)
            except OSError as error:
                raise ArchiveError(f"{stream.path}: not durable: {error.strerror}") from error
            finally:
                os.close(fd)


def _lock(directory: Path) -> int:
    """Hold the directory, so that no second writer appends to the same files."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        what = f"{directory}: another writer has this archive open"
        raise ArchiveError(f"{what}; wait for it to end") from error
    return fd
