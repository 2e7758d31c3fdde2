"""The recorder persists every queue of a run, and says exactly what it could not."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from mantra.actors.stepper import Stepper
from mantra.archive import ArchiveError, ArchiveReader, ArchiveWriter, verify
from mantra.archive import recorder as module
from mantra.archive.layout import RUN_FILE
from mantra.archive.recorder import Recorder, rows_of, send_overrun
from mantra.messages.enums import EVENT_OVERRUN
from mantra.messages.tables import Tables
from tests.archive.rows import assert_same_rows
from tests.archive.talker import SENDS, Talker


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
