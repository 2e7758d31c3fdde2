"""Raw frames: what is kept comes back, in order, from files that are whole at every moment."""

import contextlib
import errno
import gzip
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantra.backtest.captures import Damage, pieces
from mantra.icc.memory import address_of, aligned_zeros
from mantra.market_data import raw as module
from mantra.market_data.raw import ELAPSED_MAX, FRAME, RAW, RawFiles, keep, put_line
from mantra.telemetry.clock import read_ticks

LINE = re.compile(rb"(\d{19}) (?:#(\d+)|@(\S+)) (.*)")


def say(raw: RawFiles, serial: int, text: bytes, ticks: int | None = None) -> bool:
    """Keep a frame, as the handler does."""
    data = np.frombuffer(text, np.uint8) if text else np.zeros(1, np.uint8)
    ticks = read_ticks() if ticks is None else ticks
    return bool(keep(raw.address, FRAME, serial, address_of(data), len(text), ticks))


def lines(folder: Path, venue: str = "kraken") -> list[tuple[int, str, bytes]]:
    """(time, number or symbol, text) of all files of a venue; each is whole gzip."""
    found = []
    files = sorted(folder.glob(f"raw/{venue}.*.gz"), key=lambda path: int(path.name.split(".")[1]))
    for path in files:
        for line in gzip.decompress(path.read_bytes()).splitlines(keepends=True):
            match = LINE.fullmatch(line.removesuffix(b"\n"))
            assert match, line
            assert line.endswith(b"\n")
            found.append((int(match[1]), (match[2] or match[3]).decode(), match[4]))
    return found


def lines_between_tries(folder: Path) -> list[tuple[int, str, bytes]]:
    """What is on a full disk is whole gzip, and a beginning, whenever nobody tries to write."""
    for _ in range(200):
        with contextlib.suppress(EOFError):
            return lines(folder)
    return lines(folder)


def until(raw: RawFiles, true) -> None:
    """Turns of the handler, until something is so."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, raw.status()
        raw.turn(time.monotonic())
        time.sleep(0.002)


def test_frames_snapshots_and_ends_come_back_in_order_with_their_times(tmp_path):
    raw = RawFiles(tmp_path, "kraken")
    begin = time.time_ns()
    assert say(raw, 0, b'{"a":1}')
    raw.snapshot(time.time_ns(), "BTC/USD", b'{"bids":\n[]}\n')
    assert say(raw, 12, b"\n\n[\n1]")
    raw.ended(time.time_ns(), 12)
    assert say(raw, 13, b"")
    end = time.time_ns()
    raw.close()
    found = lines(tmp_path)
    assert [rest for _, *rest in found] == [
        ["0", b'{"a":1}'],
        ["BTC/USD", b'{"bids": []} '],
        ["12", b"  [ 1]"],
        ["12", b""],
        ["13", b""],
    ]
    times = [ns for ns, *_ in found]
    assert times == sorted(times)
    assert begin - 1_000_000 < times[0] <= times[-1] < end + 1_000_000
    status = raw.status()
    assert status["bytes"] == (tmp_path / "raw/kraken.00000.gz").stat().st_size
    assert (status["files"], status["dropped"], status["full"]) == (1, 0, False)


def test_the_time_of_a_line_is_that_of_its_ticks(tmp_path):
    raw = RawFiles(tmp_path, "kraken")
    now, utc = read_ticks(), time.time_ns()
    per_second = 1e9 * 2.0 ** int(raw.record["shift"][0]) / int(raw.record["multiplier"][0])
    offsets = [-1.0, 0.0, 0.001, 1.0, 2.5, 2.0]  # the last went back: it stands still
    for offset in offsets:
        say(raw, 1, b"x", now + int(offset * per_second))
    raw.close()
    times = [ns for ns, *_ in lines(tmp_path)]
    for ns, offset in zip(times, [*offsets[:-1], 2.5], strict=True):
        assert abs(ns - utc - int(offset * 1e9)) < 5_000_000


DIGITS_BEYOND = 7  # bytes behind a number that writing it may touch: crc32.put_digits


@given(
    st.integers(-(1 << 62), 1 << 62),
    st.floats(1e-3, 1e3),
    st.integers(10**18, 2 * 10**18),
    st.integers(0, 1 << 62),
)
def test_no_ticks_overflow(ticks, ns_per_tick, utc_ns, ticks_at):
    record, room = aligned_zeros(1, RAW), np.zeros(100, np.uint8)
    shift = module.MULTIPLIER_BITS - int(ns_per_tick).bit_length()
    multiplier = int(ns_per_tick * 2.0**shift)
    assert multiplier < 1 << module.MULTIPLIER_BITS
    assert ELAPSED_MAX * multiplier < 1 << 63
    record["text"], record["capacity"], record["last_ns"] = address_of(room), 100, 10**18
    record["ticks_at"], record["utc_ns_at"] = ticks_at, utc_ns
    record["multiplier"], record["shift"] = multiplier, shift
    keep(address_of(record), FRAME, 7, address_of(room), 0, ticks)
    elapsed = min(max(ticks - ticks_at, -ELAPSED_MAX), ELAPSED_MAX)
    expected = max(10**18, utc_ns + (elapsed * multiplier >> shift))
    assert room.tobytes()[:24] == b"%d #7 \n" % expected
    assert not room[24 + DIGITS_BEYOND :].any()


def test_what_does_not_fit_is_dropped_counted_and_no_byte_of_it_is_written():
    record, room = aligned_zeros(1, RAW), np.full(250, 0xAB, np.uint8)
    text = np.full(300, ord("x"), np.uint8)
    record["text"], record["capacity"], record["last_ns"] = address_of(room), 200, 10**18
    sizes = (60, 300, 76, 75, 0, 51)  # 24 bytes around each are used, 42 asked for
    fits = [put_line(address_of(record), FRAME, 1, address_of(text), n, 0) for n in sizes]
    assert fits == [True, False, False, False, True, False]
    assert record[["filled", "lines", "bytes"]].tolist() == [(2 * 24 + 60, 2, 60)]
    assert record[["dropped", "dropped_bytes"]].tolist() == [(4, 300 + 76 + 75 + 51)]
    assert room[2 * 24 + 60 - 1] == ord("\n")
    assert (room[2 * 24 + 60 + DIGITS_BEYOND :] == 0xAB).all()


@pytest.mark.parametrize("size", [100, 40_000])
def test_ten_thousand_frames_of_two_venues_over_many_files(tmp_path, monkeypatch, size):
    monkeypatch.setattr(module, "PIECE_BYTES", 20_000)
    venues = [RawFiles(tmp_path, name, segment_bytes=10_000) for name in ("kraken", "bitstamp")]
    count = 5_000 if size == 100 else 50
    texts = [json.dumps({"n": i, "x": "%x" % (i**7) * (size // 40)}).encode() for i in range(count)]
    for i, text in enumerate(texts):
        for raw in venues:
            assert say(raw, i % 7, text)
            raw.turn(time.monotonic())
    for raw in venues:
        raw.close()
        assert [text for *_, text in lines(tmp_path, raw.venue)] == texts
        files = len(list(tmp_path.glob(f"raw/{raw.venue}.*.gz")))
        assert raw.status()["files"] == files
        assert files > 2 or size > 100


def test_a_new_run_begins_a_new_file(tmp_path):
    for i in range(11):
        raw = RawFiles(tmp_path, "kraken")
        say(raw, i, b"x")
        raw.close()
    assert [number for _, number, _ in lines(tmp_path)] == [str(i) for i in range(11)]


def test_nothing_to_keep_makes_no_file(tmp_path):
    raw = RawFiles(tmp_path, "kraken")
    raw.turn(time.monotonic() + 5)
    raw.close()
    assert list(tmp_path.glob("raw/*")) == []


class Disk:
    """A disk with room for so many bytes: os.pwrite of this test's own."""

    def __init__(self, monkeypatch, code: int):
        self.room, self.code, self.write = 1 << 40, code, os.pwrite
        monkeypatch.setattr(module.os, "pwrite", self.pwrite)

    def pwrite(self, fd: int, data: bytes, at: int) -> int:
        more = at + len(data) - os.fstat(fd).st_size
        if more > self.room:  # as the kernel: what fits first, and then no more
            data = data[: len(data) - more + self.room]
            if not len(data):
                raise OSError(self.code, os.strerror(self.code))
        before = os.fstat(fd).st_size
        done = self.write(fd, data, at)
        self.room -= os.fstat(fd).st_size - before
        return done


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("room", [0, 5, 3_000])
def test_a_full_disk_is_said_once_and_writing_goes_on_where_it_stopped(
    tmp_path, monkeypatch, caplog, code, room
):
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    monkeypatch.setattr(module, "PIECE_S", 0.0)
    monkeypatch.setattr(module, "HALF_BYTES", 100_000)
    disk = Disk(monkeypatch, code)
    raw = RawFiles(tmp_path, "kraken")
    kept, dropped, disk.room = [], [], room

    def fill(first: int, last: int) -> None:
        for i in range(first, last):
            text = b"%d " % i + os.urandom(60).hex().encode()
            (kept if say(raw, i, text) else dropped).append(text)
            raw.turn(time.monotonic())

    fill(0, 100)
    until(raw, lambda: raw.status()["full"])
    fill(100, 3_000)
    assert dropped, "both halves were to be full"
    time.sleep(0.1)
    assert len(caplog.records) == 1
    assert os.strerror(code) in caplog.text
    whole = lines_between_tries(tmp_path)
    assert [text for *_, text in whole] == kept[: len(whole)]
    assert raw.status()["dropped"] == len(dropped)
    assert raw.status()["dropped_bytes"] == sum(map(len, dropped))
    disk.room = 1 << 40
    until(raw, lambda: not raw.status()["full"])
    until(raw, lambda: int(raw.record["filled"][0]) == 0)
    fill(3_000, 3_100)
    raw.close()
    assert [text for *_, text in lines(tmp_path)] == kept
    assert raw.status()["dropped"] == len(dropped)
    assert "is written again" in caplog.text


def test_what_a_full_disk_keeps_from_being_written_at_the_end_is_counted(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    monkeypatch.setattr(module, "PIECE_S", 0.0)
    disk = Disk(monkeypatch, errno.ENOSPC)
    raw = RawFiles(tmp_path, "kraken")
    disk.room = 0
    for i in range(10):
        say(raw, i, b"abc")
    until(raw, lambda: raw.status()["full"])
    for i in range(5):
        say(raw, i, b"abc")
    with caplog.at_level(logging.ERROR):
        raw.close()
    assert raw.status()["dropped"] == 15
    assert raw.status()["dropped_bytes"] == 15 * 3
    assert [path.stat().st_size for path in tmp_path.glob("raw/*")] == [0]


CHILD = """
import os, resource, sys, time
import numpy as np
from mantra.icc.memory import address_of
from mantra.market_data import raw as module
from mantra.telemetry.clock import read_ticks
module.PIECE_S = module.RETRY_S = 0.02
files, number = module.RawFiles(sys.argv[1], "kraken"), 0
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
print("begins", flush=True)
for line in sys.stdin:
    if line == "room\\n":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    for number in range(number, number + 100):
        text = np.frombuffer(b"%d " % number + os.urandom(40).hex().encode(), np.uint8)
        module.keep(files.address, module.FRAME, 1, address_of(text), len(text), read_ticks())
    number += 1
    files.turn(time.monotonic())
    print(number, files.status()["full"], flush=True)
files.close()
"""


class Child:
    """A process that keeps a hundred frames whenever it is told to."""

    def __init__(self, folder: Path, limit: int):
        command = [sys.executable, "-c", CHILD, str(folder), str(limit)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout.readline() == "begins\n"

    def go(self, word: str = "go") -> tuple[int, bool]:
        """How many frames it kept, and whether its disk is full."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        number, full = self.process.stdout.readline().split()
        return int(number), full == "True"

    def wait(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.mark.processes
def test_a_real_limit_on_the_files_size_is_survived(tmp_path):
    child, full = Child(tmp_path, 20_000), False
    while not full:
        number, full = child.go()
    whole = lines(tmp_path)
    assert (tmp_path / "raw/kraken.00000.gz").stat().st_size <= 20_000
    assert len(whole) < number
    while full:
        number, full = child.go("room")
        time.sleep(0.01)
    child.wait()
    found = [int(text.split()[0]) for *_, text in lines(tmp_path)]
    assert found == list(range(number))
    assert child.process.returncode == 0


@pytest.mark.processes
def test_after_kill_9_all_but_the_last_piece_is_there(tmp_path):
    child, path = Child(tmp_path, -1), tmp_path / "raw/kraken.00000.gz"
    size = number = 0
    while size < 100_000:
        number, _ = child.go()
        time.sleep(0.002)
        size = path.stat().st_size if path.exists() else 0
    os.kill(child.process.pid, signal.SIGKILL)
    child.wait()
    damages: list[Damage] = []
    text = b"".join(piece.text.tobytes() for piece, _ in pieces(path, damages))
    assert len(damages) <= 1, "at most the write that was under way"
    found = [int(line.split()[2]) for line in text.splitlines()]
    assert found == list(range(len(found)))
    assert number - len(found) < 3_000
    successor = RawFiles(tmp_path, "kraken")
    say(successor, 1, b"again")
    successor.close()
    assert successor.path.name == "kraken.00001.gz"
