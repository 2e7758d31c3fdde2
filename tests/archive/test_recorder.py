"""The recorder persists every queue of a run, and says exactly what it could not."""

import contextlib
import logging
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from mantra.actors.actor import Actor
from mantra.actors.spine import Spine, unlink
from mantra.actors.stepper import Stepper
from mantra.archive import ArchiveError, ArchiveReader, ArchiveWriter, repair, verify
from mantra.archive import recorder as module
from mantra.archive.layout import RUN_FILE
from mantra.archive.recorder import Recorder, rows_of, send_overrun
from mantra.compiled import compiled, duty_cycle
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.messages.enums import EVENT_OVERRUN
from mantra.messages.records import QUEUE_RECORDS
from mantra.messages.tables import Tables
from mantra.telemetry.tracked import originate, send, start_timer, stop_timer
from tests.archive.rows import assert_same_rows

SENDS = ("balances", "fills", "l2", "orders", "requests", "trades")
TALKER = np.dtype([("track", "i8"), ("unused", "i8")], align=True)


@compiled
def say(track_address, outlet_address, message_address, timed):
    """One message of a new origin; and one timing, if `timed`."""
    originate(track_address)
    start = start_timer(track_address)
    send(track_address, outlet_address, message_address)
    if timed:
        stop_timer(track_address, 0, start, 1)


@duty_cycle
def do_nothing(context_address):
    return np.int64(records_at(context_address, 1, TALKER)[0]["unused"])


class Talker(Actor):
    """Says what a test tells it to, on any queue."""

    writes: ClassVar[tuple[str, ...]] = SENDS
    timers: ClassVar[tuple[str, ...]] = ("talk",)
    step = do_nothing

    def on_start(self, spine: Spine) -> None:
        self.context = aligned_zeros(1, TALKER)
        self.spine = spine
        self.outlets = {queue: spine.outlet(queue) for queue in SENDS}
        self.sent: dict[str, list[np.void]] = {queue: [] for queue in SENDS}

    def talk(self, queue: str, count: int, timed: bool = True) -> None:
        message = aligned_zeros(1, QUEUE_RECORDS[queue])
        for _ in range(count):
            message[QUEUE_RECORDS[queue].names[2]] = len(self.sent[queue])
            outlet, track = address_of(self.outlets[queue]), self.spine.track_address
            say(track, outlet, address_of(message), int(timed))
            self.sent[queue].append(message[0].copy())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def assert_recorded(directory: Path, talker: Talker) -> None:
    reader = ArchiveReader(directory)
    for queue, sent in talker.sent.items():
        if sent:
            assert_same_rows(reader.read(queue), np.stack(sent))


def test_every_queue_of_the_run_is_recorded_timings_too(directory: Path) -> None:
    talker, recorder = Talker("talker"), Recorder("recorder", directory, {"run": "x"})
    with Stepper([talker, recorder]) as stepper:
        assert recorder.queues == sorted([*SENDS, "events", "ideals", "timings-talker"])
        for queue in SENDS:
            talker.talk(queue, 20)
        stepper.run_until_idle()
        for queue in SENDS:
            talker.talk(queue, 5)
    assert_recorded(directory, talker)
    reader = ArchiveReader(directory)
    assert reader.streams == sorted([*SENDS, "timings-talker"])
    timings = reader.read("timings-talker")
    assert len(timings) == 25 * len(SENDS)
    assert (timings["ts_stop"] >= timings["ts_start"]).all()
    assert reader.metadata["run"] == "x"
    assert reader.metadata["recorded"]["l2"] == {"rows": 25, "lost": 0, "skipped": 0}
    assert reader.metadata["clock"]["unit"] == "tsc"
    assert verify(directory).ok


def test_rows_are_written_while_the_run_goes_on(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    talker = Talker("talker")
    recorder = Recorder("recorder", directory, flush_s=0)
    with Stepper([talker, recorder]) as stepper:
        talker.talk("l2", 200, timed=False)
        for _ in range(400):
            stepper.step()
            if rows_of(directory, "l2") == 200:
                break
        assert ArchiveReader(directory).rows("l2") == 200, "a flush needs no stop"
    assert_recorded(directory, talker)


def test_what_the_recorder_could_not_take_is_counted_and_said(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talker, recorder = Talker("talker"), Recorder("recorder", directory)
    with Stepper([talker, recorder], {"l2": 16}) as stepper:
        talker.talk("l2", 10, timed=False)
        stepper.step()
        talker.talk("l2", 100, timed=False)
        with caplog.at_level(logging.ERROR):
            stepper.step()
            recorder.on_call()
    lost = 110 - ArchiveReader(directory).rows("l2")
    assert lost > 0
    (event,) = ArchiveReader(directory).read("events")
    assert (event["kind"], event["value"]) == (EVENT_OVERRUN, lost)
    assert recorder.queues[event["detail"]] == "l2"
    assert f"{lost} messages of 'l2' lost" in caplog.text
    metadata = ArchiveReader(directory).metadata
    assert metadata["recorded"]["l2"] == {
        "rows": 110 - lost,
        "lost": lost,
        "skipped": lost,
    }
    kept = np.delete(np.stack(talker.sent["l2"]), slice(10, 10 + lost))
    assert_same_rows(ArchiveReader(directory).read("l2"), kept)


def test_memory_is_bounded_when_the_disk_does_not_keep_up(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LANE_ROWS", 64)
    monkeypatch.setattr(module, "PENDING_ROWS_MAX", 50)
    talker = Talker("talker")
    recorder = Recorder("recorder", directory, flush_s=0)
    with Stepper([talker, recorder], {"l2": 64}) as stepper:
        with monkeypatch.context() as hanging:
            hanging.setattr(recorder.writer, "step", lambda: False)  # a disk that hangs
            for _ in range(10):
                talker.talk("l2", 60, timed=False)
                stepper.step()
        assert recorder.writer.pending_rows <= 50 + 60
    lost = ArchiveReader(directory).metadata["recorded"]["l2"]["lost"]
    assert lost > 300
    assert ArchiveReader(directory).rows("l2") + lost == 600


def test_a_failed_write_is_said_once_and_tried_again(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "RETRY_S", 0)
    talker, recorder = Talker("talker"), Recorder("recorder", directory, flush_s=0)
    with Stepper([talker, recorder]) as stepper, caplog.at_level(logging.WARNING):
        with monkeypatch.context() as patched:
            patched.setattr("os.pwrite", full)
            talker.talk("l2", 50, timed=False)
            for _ in range(40):
                stepper.step()
            assert "No space left" in recorder.failure
            assert caplog.text.count("No space left") == 1
        for _ in range(40):
            stepper.step()
        assert recorder.failure == ""
        assert caplog.text.count("it can write again") == 1
        assert ArchiveReader(directory).rows("l2") == 50
    assert_recorded(directory, talker)


# ------------------------------------------------------------ a full disk, a kill


def step_until(stepper: Stepper, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        stepper.step()


def outlive_a_full_disk(
    directory: Path, fill: Callable[[], object], make_room: Callable[[], object]
) -> None:
    """Record, fill the disk, talk until messages are lost, make room, go on: all is accounted."""
    module.BLOCK_ROWS, module.LANE_ROWS, module.PENDING_ROWS_MAX = 64, 64, 1000
    module.RETRY_S = 0.01
    talker, recorder = Talker("talker"), Recorder("recorder", directory, {"run": "x"}, flush_s=0)
    with Stepper([talker, recorder], {"l2": 256}) as stepper:
        talker.talk("l2", 100, timed=False)
        step_until(stepper, lambda: rows_of(directory, "l2") == 100)
        fill()
        for _ in range(30):
            talker.talk("l2", 100, timed=False)
            for _ in range(4):
                stepper.step()
            assert recorder.writer.pending_rows <= 1000 + 2 * 64
        assert "cannot be written" in recorder.failure
        assert verify(directory).ok, "whole blocks, and nothing behind them"
        waited = recorder.writer.pending_rows
        assert waited > 900
        make_room()
        step_until(stepper, lambda: not recorder.writer.pending_rows and not recorder.failure)
        talker.talk("l2", 100, timed=False)
    reader = ArchiveReader(directory)
    numbers, sent = reader.read("l2")["ts_exchange"], np.stack(talker.sent["l2"])
    lost = len(sent) - len(numbers)
    assert lost > 1_000
    assert len(numbers) > waited + 200, "what waited was written, and what came behind it"
    assert (np.diff(numbers) > 0).all()
    assert_same_rows(reader.read("l2"), sent[numbers])
    assert reader.metadata["recorded"]["l2"] == {
        "rows": len(numbers),
        "lost": lost,
        "skipped": lost,
    }
    events = reader.read("events")
    assert events["value"][events["kind"] == EVENT_OVERRUN].sum() == lost
    assert verify(directory).ok


def limit_files(size: int) -> None:
    """No file of this process may grow beyond `size`; -1: any may."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stories above and below set is set back."""
    for name in ("BLOCK_ROWS", "LANE_ROWS", "PENDING_ROWS_MAX", "RETRY_S"):
        monkeypatch.setattr(module, name, getattr(module, name))


@pytest.mark.usefixtures("settings")
def test_a_limit_on_the_size_of_files_is_outlived(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = directory / "l2.0.mantra"
    outlive_a_full_disk(
        directory, lambda: limit_files(path.stat().st_size + 500), lambda: limit_files(-1)
    )
    assert caplog.text.count("cannot be written") == 1
    assert caplog.text.count("it can write again") == 1


def tmpfs_story(directory: Path) -> None:
    """In a process of its own: somebody else fills the disk, to its last byte."""
    ballast = directory.parent / "ballast"

    def fill() -> None:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    outlive_a_full_disk(directory, fill, ballast.unlink)


def in_a_process(story: str, *prefix: str) -> list[str]:
    """The command of a Python process that runs a function of this file."""
    return [
        *prefix,
        sys.executable,
        "-c",
        f"from tests.archive import test_recorder as t; t.{story}",
    ]


@pytest.mark.processes
def test_a_disk_full_to_its_last_byte_is_outlived(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=1m none {tmp_path}"
    own = ["unshare", "-rm", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*own, mount], check=False).returncode:
        pytest.skip("mounting a small file system in a name space of one's own is not allowed here")
    story = in_a_process(f"tmpfs_story(t.Path({str(tmp_path / 'archive')!r}))")
    command = [*own, f"{mount} && exec {shlex.join(story)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be written: No space left on device") == 1


@pytest.mark.usefixtures("settings")
def test_what_a_full_disk_keeps_from_being_written_at_the_stop_is_counted(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talker, recorder = Talker("talker"), Recorder("recorder", directory, flush_s=0)
    stepper = Stepper([talker, recorder])
    with pytest.raises(ArchiveError, match="make room"), stepper:  # noqa: PT012
        talker.talk("l2", 100, timed=False)
        step_until(stepper, lambda: rows_of(directory, "l2") == 100)
        talker.talk("l2", 300, timed=False)
        limit_files((directory / "l2.0.mantra").stat().st_size + 100)
    limit_files(-1)
    assert "300 rows of 'l2' are not on disk" in caplog.text
    assert ArchiveReader(directory).rows("l2") == 100
    recorded = ArchiveReader(directory).metadata["recorded"]["l2"]
    assert recorded == {"rows": 100, "lost": 300, "skipped": 300}


def talk_for_ever(directory: str) -> None:
    """Record, and say how much was sent, until killed."""
    module.BLOCK_ROWS = 200
    talker, recorder = Talker("talker"), Recorder("recorder", directory, flush_s=0.05)
    with Stepper([talker, recorder]) as stepper:
        while True:
            talker.talk("l2", 50, timed=False)
            stepper.step()
            print(len(talker.sent["l2"]), flush=True)


@pytest.mark.processes
def test_kill_9_costs_at_most_what_was_not_flushed(directory: Path) -> None:
    story = in_a_process(f"talk_for_ever({str(directory)!r})")
    with subprocess.Popen(story, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        sent = 0
        while not directory.is_dir() or rows_of(directory, "l2") < 1_000:
            sent = int(child.stdout.readline())
        child.kill()
        sent = int(([str(sent), *child.stdout.read().split()])[-1])
    unlink(f"step-{child.pid}-0")
    notes = [] if verify(directory).ok else repair(directory)
    assert len(notes) <= 1, "the block that was being written"
    numbers = ArchiveReader(directory).read("l2")["ts_exchange"]
    assert np.array_equal(numbers, np.arange(len(numbers)))
    assert 1_000 <= len(numbers) <= sent
    assert verify(directory).ok


def test_instruments_listed_while_the_run_goes_on_come_into_the_archive(directory: Path) -> None:
    def add(symbol: str) -> None:
        tables.add_instrument(0, symbol, 0, 0, price_exponent=2, volume_exponent=2)

    def symbols() -> list[str]:
        kept = Tables.from_dict(ArchiveReader(directory).metadata["tables"])
        return [kept.instrument_name(i) for i in range(len(kept.instruments))]

    tables = Tables()
    tables.add_venue("binance")
    tables.add_asset("BTC", 8)
    add("ONE")
    before = tables.as_dict()
    add("TWO")
    recorder = Recorder("recorder", directory, {"tables": before}, flush_s=0)
    stepper = Stepper([Talker("talker"), recorder])
    vectors = tables.publish(stepper.run)
    with stepper:
        assert symbols() == ["ONE@binance", "TWO@binance"], "a successor's `tables` may be old"
        file = (directory / RUN_FILE).stat().st_ino
        stepper.step()
        assert (directory / RUN_FILE).stat().st_ino == file, "nothing new, nothing written"
        for vector in vectors.values():
            vector.segment.path.unlink()
        add("THREE")
        vectors = tables.publish(stepper.run)
        stepper.step()
        assert symbols() == ["ONE@binance", "TWO@binance", "THREE@binance"]


def crash(recorder: Recorder) -> None:
    """Leave the archive as `kill -9` would: nothing flushed, the lock gone with the process."""
    os.close(recorder.writer._lock)


def test_a_restarted_recorder_goes_on_exactly_where_its_archive_ends(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 40)
    talker = Talker("talker")
    first = Recorder("recorder", directory, flush_s=0)
    with Stepper([talker, first], {"l2": 256, "timings-talker": 256}) as stepper:
        talker.talk("l2", 100)
        while rows_of(directory, "l2") < 100:
            stepper.step()
        talker.talk("l2", 30)
        stepper.step()  # In the lanes, or the writer's memory; not on disk.
        written = ArchiveReader(directory).rows("l2")
        assert written < 130
        crash(first)
        second = Recorder("recorder", directory)
        second.on_start(stepper.spines[1])
        stepper.actors[1] = second
        talker.talk("l2", 20)
    assert_recorded(directory, talker)
    assert len(ArchiveReader(directory).read("timings-talker")) == 150
    metadata = ArchiveReader(directory).metadata["recorded"]
    assert metadata["l2"] == {"rows": 150, "lost": 0, "skipped": 0}
    assert verify(directory).ok


def test_a_restart_after_the_queue_went_on_counts_what_is_gone(directory: Path) -> None:
    talker = Talker("talker")
    first = Recorder("recorder", directory, flush_s=0)
    with Stepper([talker, first], {"l2": 16}) as stepper:
        talker.talk("l2", 40, timed=False)  # 24 or more lost before anything
        while not rows_of(directory, "l2"):
            stepper.step()
        crash(first)
        talker.talk("l2", 100, timed=False)
        second = Recorder("recorder", directory)
        second.on_start(stepper.spines[1])
        stepper.actors[1] = second
    reader = ArchiveReader(directory)
    recorded = reader.metadata["recorded"]["l2"]
    assert recorded["rows"] + recorded["lost"] == 140
    assert reader.rows("l2") == recorded["rows"]
    assert reader.read("events")["value"].sum() == recorded["lost"]
    numbers = reader.read("l2")["ts_exchange"]
    assert (np.diff(numbers) > 0).all(), "nothing twice"


def test_another_runs_archive_is_refused(directory: Path) -> None:
    for _ in range(2):
        talker, recorder = Talker("talker"), Recorder("recorder", directory)
        if directory.exists():
            with pytest.raises(ArchiveError, match="a directory of its own"):
                Stepper([talker, recorder]).__enter__()
        else:
            with Stepper([talker, recorder]):
                talker.talk("l2", 3)


@pytest.mark.needs_jit
def test_compiled_functions_have_one_signature(directory: Path) -> None:
    with Stepper([Talker("talker"), Recorder("recorder", directory)], {"l2": 16}) as stepper:
        stepper.actors[0].talk("l2", 40)  # type: ignore[attr-defined]
        stepper.run_until_idle()
    assert len(send_overrun.signatures) <= 1


def test_a_recorder_does_not_take_an_archive_that_is_being_written(directory: Path) -> None:
    with ArchiveWriter(directory), pytest.raises(Exception, match="another writer"):  # noqa: SIM117
        with Stepper([Talker("talker"), Recorder("recorder", directory)]):
            pass
