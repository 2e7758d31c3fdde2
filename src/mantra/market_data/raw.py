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

import logging
import os
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.crc32 import put_digits
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.messages.decimals import BYTE
from mantra.telemetry import clock
from mantra.transport import foreign

LOG = logging.getLogger("mantra.market_data")
HALF_BYTES = 32 << 20  # of the arena: five of the largest snapshots; untouched pages cost nothing
PIECE_BYTES = 4 << 20  # handed over before the second is over
PIECE_S, FILE_S = 1.0, 3600.0
RETRY_S = 1.0  # after a write failed
GZIP_LEVEL, GZIP_FORMAT = 1, 31
NS_OF_19_DIGITS = 10**18  # in 2001

# `elapsed` is below 2 ** 36 ticks (22 s at 3 GHz) either way, the multiplier below 2 ** 26: no
# product reaches 2 ** 63. At 3 GHz it is 2 ** 24.4, exact to 45 ppb. Python sets the moment from
# which ticks elapse anew every PIECE_S: by then a rate 10 ppm wrong has cost 10 µs.
ELAPSED_MAX, MULTIPLIER_BITS = 1 << 36, 26

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
RAW = record_type(
    "i8 text capacity filled lines bytes dropped dropped_bytes last_ns "
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
        there = self.folder.glob(f"{venue}.*.gz")
        self.first = 1 + max((int(path.name.split(".")[-2]) for path in there), default=-1)
        self.halves = [np.empty(HALF_BYTES, np.uint8) for _ in range(2)]
        self.record = aligned_zeros(1, RAW)
        self.address, raw = address_of(self.record), self.record[0]
        ns_per_tick = clock.ns_per_tick(clock.Calibration().fix)
        raw["shift"] = MULTIPLIER_BITS - int(ns_per_tick).bit_length()
        raw["multiplier"] = int(ns_per_tick * 2.0 ** int(raw["shift"]))
        raw["capacity"], raw["last_ns"] = HALF_BYTES, NS_OF_19_DIGITS
        self.files = self.bytes = self.end = 0
        self.full, self.closing = False, threading.Event()
        self.worker = ThreadPoolExecutor(1, f"raw-{venue}")
        self.job, self.due = self.worker.submit(self._store, *self._swap()), 0.0
        self.turn(time.monotonic())

    def snapshot(self, ns: int, symbol: str, body: bytes) -> None:
        """Keep an answer to REST that came at `ns`."""
        text = np.frombuffer(f"{symbol} ".encode() + body, np.uint8)
        put_line(self.address, ASKED, NO_SERIAL, address_of(text), len(text), ns)

    def ended(self, ns: int, serial: int) -> None:
        """Connection `serial` is no more."""
        put_line(self.address, FRAME, serial, self.address, 0, ns)

    def turn(self, now: float) -> None:
        """Set the clock and give the thread what there is, if it is time and its hands are free."""
        if now >= self.due:
            sample, self.due = clock.take_sample(), now + PIECE_S
            self.record["ticks_at"], self.record["utc_ns_at"] = sample.ticks, sample.utc_ns
        elif self.record["filled"][0] < PIECE_BYTES:
            return
        if self.record["filled"][0] and self.job.done():
            self.job.result()  # raises what nobody foresaw
            self.job = self.worker.submit(self._store, *self._swap())

    def close(self) -> None:
        """Write what there is; what cannot be written now is dropped, and counted."""
        self.closing.set()
        self.worker.submit(self._store, *self._swap()).result()
        self.worker.shutdown()
        if self.record["dropped"][0]:
            LOG.error("raw frames of %s: %s", self.venue, self.status())

    def status(self) -> dict[str, int | bool]:
        """Bytes on disk, files begun, texts and their bytes dropped; whether no write succeeds."""
        dropped = {name: int(self.record[name][0]) for name in ("dropped", "dropped_bytes")}
        return {"bytes": self.bytes, "files": self.files, "full": self.full, **dropped}

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
        if not count:
            return
        if self.end == 0:
            self.path = self.folder / f"{self.venue}.{self.first + self.files:05}.gz"
            self.tail, self.until = b"", time.monotonic() + FILE_S
            self.packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_FORMAT)
        packer = self.packer.copy()
        more = packer.compress(lines.data) + packer.flush(zlib.Z_SYNC_FLUSH)
        tail = packer.copy().flush()
        while why := self._write(more + tail):
            if not self.full:
                LOG.error("%s cannot be written: %s. Frames wait in memory: make room", *why)
            self.full = True
            if self.closing.is_set():  # nobody calls `keep` any more
                self.record["dropped"] += count
                self.record["dropped_bytes"] += text_bytes
                return
            self.closing.wait(RETRY_S)
        if self.full:
            LOG.warning("%s is written again: %s", self.path, self.status())
        begins = self.end == 0
        self.files, self.bytes = self.files + begins, self.bytes + len(more) + begins * len(tail)
        self.packer, self.tail, self.full = packer, tail, False
        over = self.end + len(more) >= self.segment_bytes or time.monotonic() >= self.until
        self.end = 0 if over else self.end + len(more)

    def _write(self, left: bytes) -> tuple[Path, str] | None:
        """Write over the tail that is there. Or say why not, and leave the file as it was."""
        try:
            fd = os.open(self.path, os.O_WRONLY | (0 if self.end else os.O_CREAT), 0o666)
            try:
                at = self.end
                while left:
                    taken = os.pwrite(fd, left, at)
                    left, at = left[taken:], at + taken
            except OSError:
                os.pwrite(fd, self.tail, self.end)  # fits: these blocks are the file's
                os.ftruncate(fd, self.end + len(self.tail))
                raise
            finally:
                os.close(fd)
        except OSError as error:
            return self.path, str(error.strerror)
        return None
