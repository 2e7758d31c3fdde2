"""What of a recorded run can be replayed, and what is said of the rest."""

import json
import shutil

import pytest

from mantra.archive import ArchiveError
from mantra.messages.records import FILL
from mantra.replay_actor import replay_actor
from mantra.replay_actor.recording import Recording
from tests.recorded_runs import example_run

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return example_run(tmp_path_factory)


@pytest.fixture
def copy_of_run(run, tmp_path):
    """A copy whose run.json may be changed: (directory, change)."""
    shutil.copytree(run.directory, tmp_path / "run")
    path = tmp_path / "run" / "archive" / "run.json"

    def change(edit):
        facts = json.loads(path.read_text())
        edit(facts)
        path.write_text(json.dumps(facts))

    return tmp_path / "run", change


def test_the_actor_is_made_anew_from_the_recorded_config(run):
    recording = Recording(run.directory, "imbalance-b")
    model = run.config.models[3]
    names = [run.tables.instrument_name(i) for i in recording.actor.instruments]
    assert names == model.instruments
    assert recording.actor.parameters["threshold"][0] == model.parameters["threshold"]
    assert recording.lost() == {}
    assert recording.ticks_per_second > 1e6


def test_a_stream_on_which_nothing_was_sent_has_no_rows(run, tmp_path):
    shutil.copytree(run.directory, tmp_path / "run")
    for path in (tmp_path / "run" / "archive").glob("fills.*"):
        path.unlink()
    rows = Recording(tmp_path / "run", "overseer").rows("fills")
    assert (len(rows), rows.dtype) == (0, FILL)


def test_messages_that_the_recording_lacks_are_said(copy_of_run):
    directory, change = copy_of_run
    change(lambda facts: facts["recorded"]["l2"].update(lost=1234))
    result = replay_actor(directory, "quoter-btc-a")
    assert result["lost"] == {"l2": 1234}
    assert "the recording lacks 1,234 messages of l2" in result["said"]


def test_the_data_the_run_was_made_from_is_not_needed(copy_of_run):
    directory, change = copy_of_run
    source = {"kind": "replay", "data": "/nowhere", "speed": "max", "lead": 256}
    change(lambda facts: facts["config"].update(source=source))
    assert replay_actor(directory, "overseer")["same"]


@pytest.mark.parametrize(
    ("actor", "sentence"),
    [
        ("feed-sim-a", "is a source: it has no inputs"),
        ("recorder", "sends nothing"),
        ("nobody", "no actor 'nobody' in this run; there are: mock-sim-a"),
    ],
)
def test_what_cannot_be_replayed_is_said(run, actor, sentence):
    with pytest.raises(ArchiveError, match=sentence):
        replay_actor(run.directory, actor)


def test_a_run_without_timings_cannot_be_replayed(copy_of_run):
    directory, change = copy_of_run
    change(lambda facts: facts["config"]["run"].update(timings=False))
    with pytest.raises(ArchiveError, match="Record a run with timings"):
        replay_actor(directory, "overseer")


def test_an_archive_that_no_run_made_is_refused(copy_of_run):
    directory, change = copy_of_run
    change(lambda facts: facts.pop("config"))
    with pytest.raises(ArchiveError, match="no run of mantra made it"):
        replay_actor(directory, "overseer")
