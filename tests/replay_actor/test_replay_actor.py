"""A run in real processes, recorded; then each of its actors alone, fed what it had read."""

import pytest

from mantra.messages.enums import NEW
from mantra.replay_actor import replay_actor
from mantra.replay_actor.recording import Recording
from tests.recorded_runs import example_run

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]

MODELS = ("quoter-btc-a", "quoter-eth-a", "quoter-btc-b", "imbalance-b")
VENUES = ("mock-sim-a", "mock-sim-b")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return example_run(tmp_path_factory)


def tamper(monkeypatch, stream, edit):
    """Let every recording read `stream` as `edit` changes it."""
    honest = Recording.rows

    def rows(recording, name):
        found = honest(recording, name)
        if name == stream:
            edit(found)
        return found

    monkeypatch.setattr(Recording, "rows", rows)


@pytest.mark.parametrize("actor", [*MODELS, "overseer", *VENUES])
def test_an_actor_fed_what_it_had_read_sends_the_same(run, actor):
    result = replay_actor(run.directory, actor)
    assert result["same"], result["said"]
    assert result["notes"] == []
    for outcome in result["outputs"].values():
        assert outcome["recorded"] == outcome["replayed"] > 0
    assert sum(result["fed"].values()) > 100
    assert "are the same" in result["said"]


def test_all_that_was_sent_was_compared(run):
    compared = {}
    for actor in (*MODELS, "overseer", *VENUES):
        for stream, outcome in replay_actor(run.directory, actor)["outputs"].items():
            compared[stream] = compared.get(stream, 0) + outcome["replayed"]
    assert compared == {stream: len(run.rows(stream)) for stream in compared}
    assert set(compared) == {"ideals", "requests", "orders", "fills", "balances"}


@pytest.mark.parametrize(
    ("actor", "stream", "field", "at"),
    [
        ("quoter-btc-a", "ideals", "price", "first of model 0"),
        ("overseer", "requests", "volume", 7),
        ("mock-sim-a", "fills", "fee", "first of instrument 0"),
    ],
)
def test_an_output_that_was_another_is_found_and_named(run, monkeypatch, actor, stream, field, at):
    if isinstance(at, str):
        _, _, owner, number = at.split()
        at = int((run.rows(stream)[owner] == int(number)).argmax())

    def edit(rows):
        rows[field][at] += 1

    tamper(monkeypatch, stream, edit)
    if actor == "overseer":  # [requests] are what it sends, not what it is fed.
        assert not replay_actor(run.directory, actor)["same"]
    result = replay_actor(run.directory, actor)
    difference = result["outputs"][stream]["difference"]
    assert (result["same"], difference["archive_row"]) == (False, at)
    assert difference["recorded"][field] == difference["replayed"][field] + 1
    assert f"row {at} of that stream in the archive" in result["said"]
    assert f"{field}: recorded" in result["said"]


@pytest.mark.parametrize(
    ("actor", "stream", "edit"),
    [
        # A level of the first book moves by a hundred ticks.
        (
            "quoter-btc-a",
            "l2",
            lambda rows: rows["price"].__iadd__(100 * (rows["instrument"] == 0)),
        ),
        # A fill was on the other side: another position.
        ("quoter-btc-a", "fills", lambda rows: rows["side"].__ixor__(1)),
        # What was wanted was wanted elsewhere.
        ("overseer", "ideals", lambda rows: rows["price"].__iadd__(1)),
        # The venue refused each order instead.
        ("overseer", "orders", lambda rows: rows["event"].__ior__(1)),
        ("mock-sim-a", "requests", lambda rows: rows["volume"].__iadd__(rows["kind"] == NEW)),
        ("mock-sim-a", "trades", lambda rows: rows["volume"].__ifloordiv__(2)),
    ],
)
def test_other_inputs_make_other_outputs(run, monkeypatch, actor, stream, edit):
    tamper(monkeypatch, stream, edit)
    assert not replay_actor(run.directory, actor)["same"]
