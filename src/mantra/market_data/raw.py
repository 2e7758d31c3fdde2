"""Raw frames of one venue, as they came, to disk: for `mantra capture --raw`, and `mantra import`.

In:        frames where they were read, the ticks of that read; snapshots, ends of connections.
Out:       `raw/<venue>.<n>.gz`; how much was written and dropped.
Must not know: what frames mean.

A line is one of these, its time 19 digits of ns since the epoch, UTC:

    <time> #<serial> <frame>       from connection number `serial`
    <time> #<serial>               and a space: that connection ended
    <time> @<SYMBOL> <answer>      to a request for a snapshot by REST

Lines are in order of being taken, and so are their times: a clock that goes back stands still.
Newlines within a text become spaces, which mean the same in JSON.

Border: `keep` is compiled and appends to a half of an arena; Python swaps the halves, and a thread
packs the other one and writes it, without the interpreter's lock. Nothing here waits for the disk.

A file is whole gzip after every write: behind the newest bytes stand the end of the stream and its
checksum, and the next write goes over these. So `kill -9` costs what was not handed over (about a
second), and a write that fails (full disk) is undone: the end that stood there is put back. It is
said once and tried again every RETRY_S; meanwhile both halves fill, and what does not fit any more
is dropped and counted. `gzip`, level 1: 7 to 8% of a core at 10 MB/s of JSON, 4 to 6 times smaller.
"""

import contextlib
import logging
import math
import os
import threading
import time
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.crc32 import put_digits
from mantra.icc.memory import address_of, aligned_zeros, record, records_at
from mantra.messages.decimals import BYTE
from mantra.telemetry.clock import Calibration, take_sample
from mantra.transport import foreign

LOG = logging.getLogger("mantra.market_data")
HALF_BYTES = 32 << 20  # of the arena: five of the largest snapshots; untouched pages cost nothing
PIECE_BYTES = 4 << 20  # handed over before the second is over
PIECE_S = 1.0
RETRY_S = 1.0  # after a write failed
FILE_S = 3600.0
GZIP_LEVEL, GZIP_FORMAT = 1, 31
NS_OF_19_DIGITS = 10**18  # in 2001

# `elapsed` is below 2 ** 36 ticks (22 s at 3 GHz) either way, the multiplier below 2 ** 27 and,
# for its 15 ppb, at least 2 ** 26: no product reaches 2 ** 63. Python sets both every second.
ELAPSED_MAX, MULTIPLIER_BITS = 1 << 36, 27

SPACE, NEWLINE = ord(" "), np.int64(ord("\n"))
FRAME, ASKED = np.int64(ord("#")), np.int64(ord("@"))
NO_SERIAL = np.int64(-1)
HEAD_BYTES = 19 + 1 + 1 + 19 + 1 + 1  # time, space, mark, serial, space; the newline at the end

# text capacity          the half that fills: address, bytes
# filled lines bytes     how much is in it; bytes of texts only
# dropped dropped_bytes  texts that did not fit, ever
# last_ns                time of the last line
# ticks_at utc_ns_at     a moment, in ticks and in ns since the epoch
# multiplier shift       ns of a tick, times 2 ** shift
RAW = record(
    "text capacity filled lines bytes dropped dropped_bytes last_ns "
    "ticks_at utc_ns_at multiplier shift"
)


@compiled
def keep(raw_address, mark, serial, text, length, ticks):
    """Append a line with a text that was read at `ticks`; False: no room, it is dropped."""
    raw = records_at(raw_address, 1, RAW)[0]
    elapsed = min(max(ticks - raw["ticks_at"], -ELAPSED_MAX), ELAPSED_MAX)
    ns = raw["utc_ns_at"] + (elapsed * raw["multiplier"] >> raw["shift"])
    return put_line(raw_address, mark, serial, text, length, ns)


@compiled
def put_line(raw_address, mark, serial, text, length, ns):
    """Append a line; without a number behind the mark if `serial` is NO_SERIAL."""
    raw = records_at(raw_address, 1, RAW)[0]
    if HEAD_BYTES + length > raw["capacity"] - raw["filled"]:
        raw["dropped"] += 1
        raw["dropped_bytes"] += length
        return False
    raw["last_ns"] = max(raw["last_ns"], ns)
    at = put_digits(raw["last_ns"], raw["text"] + raw["filled"])
    marks = records_at(at, 2, BYTE)
    marks[0], marks[1] = SPACE, mark
    at += 2
    if serial != NO_SERIAL:
        at = put_digits(serial, at) + 1
        records_at(at - 1, 1, BYTE)[0] = SPACE
    end = at + length
    foreign.memmove(at, text, length)
    at = foreign.memchr(at, NEWLINE, length)
    while at != 0:
        records_at(at, 1, BYTE)[0] = SPACE
        at = foreign.memchr(at, NEWLINE, end - at)
    records_at(end, 1, BYTE)[0] = NEWLINE
    raw["filled"] = end + 1 - raw["text"]
    raw["lines"] += 1
    raw["bytes"] += length
    return True


class RawFiles:
    """The files of one venue in `directory`/raw; a new one each hour and each `segment_bytes`.

    All but the thread's own work is for one thread: that which calls `keep` with `address`.
    """

    def __init__(self, directory: Path | str, venue: str, segment_bytes: int = 1 << 30):
        self.folder, self.venue, self.segment_bytes = Path(directory) / "raw", venue, segment_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name.split(".")[-2]) for path in self.folder.glob(f"{venue}.*.gz")]
        self.number = max(numbers, default=-1)
        self.halves = [np.empty(HALF_BYTES, np.uint8) for _ in range(2)]
        self.record = aligned_zeros(1, RAW)
        self.record["capacity"], self.record["last_ns"] = HALF_BYTES, NS_OF_19_DIGITS
        self.address, self.sample = address_of(self.record), Calibration().first
        self.files = self.bytes = self.lost = self.lost_bytes = 0
        self.full, self.fd, self.closing = False, -1, threading.Event()
        self.worker = ThreadPoolExecutor(1, f"raw-{venue}")
        self.job: Future[None] | None = None
        self.due = self.clock_due = -math.inf
        self._swap()
        self.turn(time.monotonic())

    def snapshot(self, ns: int, symbol: str, body: bytes) -> None:
        """Keep an answer to REST that came at `ns`."""
        text = np.frombuffer(f"{symbol} ".encode() + body, np.uint8)
        put_line(self.address, ASKED, NO_SERIAL, address_of(text), len(text), ns)

    def ended(self, ns: int, serial: int) -> None:
        """Connection `serial` is no more."""
        put_line(self.address, FRAME, serial, self.address, 0, ns)

    def turn(self, now: float) -> None:
        """Set the clock, and give the thread what there is, if it is time and has none in hand."""
        if now >= self.clock_due:
            self._set_clock()
            self.clock_due = now + 1.0
        if self.job is not None and self.job.done():
            self.job.result()  # raises what nobody foresaw
            self.job = None
        filled = int(self.record["filled"][0])
        if filled and self.job is None and (filled >= PIECE_BYTES or now >= self.due):
            self.job, self.due = self.worker.submit(self._store, *self._swap()), now + PIECE_S

    def close(self) -> None:
        """Write what there is; what cannot be written now is dropped, and counted."""
        self.closing.set()
        for _ in range(2):
            if self.job is not None:
                self.job.result()
            self.turn(math.inf)
        self.worker.shutdown()
        self._end_file()
        if self.status()["dropped"]:
            LOG.error("raw frames of %s: %s", self.venue, self.status())

    def status(self) -> dict[str, int | bool]:
        """Bytes on disk, files begun, texts and their bytes dropped; whether no write succeeds."""
        return {
            "bytes": self.bytes,
            "files": self.files,
            "dropped": int(self.record["dropped"][0]) + self.lost,
            "dropped_bytes": int(self.record["dropped_bytes"][0]) + self.lost_bytes,
            "full": self.full,
        }

    # ------------------------------------------------------------ inside

    def _set_clock(self) -> None:
        """From the last two looks at both clocks: a machine that slept is right a second later."""
        before, self.sample = self.sample, take_sample()
        ns_per_tick = (self.sample.utc_ns - before.utc_ns) / (self.sample.ticks - before.ticks)
        shift = MULTIPLIER_BITS - math.frexp(ns_per_tick)[1]
        self.record["multiplier"], self.record["shift"] = int(ns_per_tick * 2**shift), shift
        self.record["ticks_at"], self.record["utc_ns_at"] = self.sample.ticks, self.sample.utc_ns

    def _swap(self) -> tuple[np.ndarray, int, int]:
        """Fill the other half from now on; the lines in this one, how many, and bytes of texts."""
        raw = self.record[0]
        filled = self.halves[0][: raw["filled"]], int(raw["lines"]), int(raw["bytes"])
        self.halves.reverse()
        raw["text"], raw["filled"] = address_of(self.halves[0]), 0
        raw["lines"] = raw["bytes"] = 0
        return filled

    # ------------------------------------------------------------ the thread's

    def _store(self, lines: np.ndarray, count: int, text_bytes: int) -> None:
        if self.fd < 0:
            self.packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_FORMAT)
        packer = self.packer.copy()
        more = packer.compress(lines.data) + packer.flush(zlib.Z_SYNC_FLUSH)
        tail = packer.copy().flush()
        while not self._write(more, tail):
            if self.closing.is_set():
                self.lost, self.lost_bytes = self.lost + count, self.lost_bytes + text_bytes
                return
            self.closing.wait(RETRY_S)
        self.packer = packer
        if self.end >= self.segment_bytes or time.monotonic() >= self.until:
            self._end_file()

    def _write(self, more: bytes, tail: bytes) -> bool:
        """Write over the tail that is there; or, where that fails, leave it as it is."""
        begins = self.fd < 0
        try:
            if begins:
                self.path = self.folder / f"{self.venue}.{self.number + 1}.gz"
                self.end, self.tail, self.until = 0, b"", time.monotonic() + FILE_S
                self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            left, at = memoryview(more + tail), self.end
            while left:
                taken = os.pwrite(self.fd, left, at)
                left, at = left[taken:], at + taken
        except OSError as error:
            with contextlib.suppress(OSError):
                os.pwrite(self.fd, self.tail, self.end)  # fits: these blocks are the file's
                os.ftruncate(self.fd, self.end + len(self.tail))
                if begins:
                    self.path.unlink()
                    self._end_file()
            if not self.full:
                LOG.error(
                    "%s cannot be written: %s. Make room: it is tried again, frames wait in "
                    "memory, and are dropped when it is full",
                    self.path,
                    error.strerror,
                )
            self.full = True
            return False
        if self.full:
            LOG.warning("%s is written again: %s", self.path, self.status())
        self.files, self.number = self.files + begins, self.number + begins
        self.bytes += len(more) + begins * len(tail)
        self.end, self.tail, self.full = self.end + len(more), tail, False
        return True

    def _end_file(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
