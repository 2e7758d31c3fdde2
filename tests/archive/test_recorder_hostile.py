"""A full disk, and `kill -9`: the recorder goes on, or its archive can be; all is accounted for."""

import contextlib
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mantra.actors.spine import unlink
from mantra.actors.stepper import Stepper
from mantra.archive import ArchiveError, ArchiveReader, repair, verify
from mantra.archive import recorder as module
from mantra.archive.recorder import Recorder, rows_of
from mantra.messages.enums import EVENT_OVERRUN
from tests.archive.rows import assert_same_rows
from tests.archive.talker import Talker


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "archive"


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
        f"from tests.archive import test_recorder_hostile as t; t.{story}",
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
