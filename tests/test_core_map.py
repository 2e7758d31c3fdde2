"""Every actor stands on exactly one line of the core map, on a core there is."""

import os

import pytest

from mantra.actors.core_loop import IDLE_STRATEGIES
from mantra.config import ConfigError, check_config, load_config
from mantra.core_map import core_lines
from mantra.system import build_system

ACTORS = ["feed-sim-a", "mock-sim-a", "one", "overseer", "recorder"]


def config(cores=(), **others):
    raw = {
        "source": {"kind": "simulated"},
        "venues": [{"name": "sim-a", "balances": {"BTC": "1"}}],
        "models": [{"name": "one", "model": "quoter", "instruments": ["BTC-USDT@sim-a"]}],
        "cores": list(cores),
    }
    return check_config(raw | others, "mine.toml")


def lines_of(cores=(), there=None, monkeypatch=None, **others):
    if there is not None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(there))
    lines = build_system(config(cores, **others), "map").lines
    return [([a.name for a in x.actors], x.core, IDLE_STRATEGIES[x.idle]) for x in lines]


def test_a_map_is_taken_as_it_stands():
    core = min(os.sched_getaffinity(0))
    cores = [
        {"actors": ACTORS[2:], "core": core, "idle": "spin"},
        {"actors": ACTORS[1::-1], "on_death": "restart"},
    ]
    assert lines_of(cores) == [(ACTORS[2:], core, "spin"), (ACTORS[1::-1], None, "yield")]
    lines = build_system(config(cores), "map").lines
    assert [line.on_death for line in lines] == ["halt", "restart"]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([3], [(3, "yield"), (3, "yield"), (None, "sleep")]),
        ([2, 5], [(2, "yield"), (5, "yield"), (None, "sleep")]),
        ([0, 1, 2, 3], [(0, "pause"), (1, "pause"), (2, "sleep")]),
    ],
)
def test_without_a_map_one_is_made_for_the_cores_there_are(monkeypatch, there, expected):
    lines = lines_of(there=there, monkeypatch=monkeypatch)
    assert [actors for actors, *_ in lines] == [ACTORS[:2], ACTORS[2:4], ACTORS[4:]]
    assert [(core, idle) for _, core, idle in lines] == expected


def test_without_a_recorder_there_is_no_line_for_it(monkeypatch):
    lines = lines_of(there=[0, 1], monkeypatch=monkeypatch, recorder={"enabled": False})
    assert [actors for actors, *_ in lines] == [ACTORS[:2], ACTORS[2:4]]


@pytest.mark.parametrize(
    ("cores", "said"),
    [
        ([{"actors": ["two"]}], r"cores\[0\].actors: no actor 'two'; there are: feed-sim-a, mock"),
        (
            [{"actors": ACTORS}, {"actors": ["one"]}],
            r"cores\[1\].actors: 'one' is on another line already",
        ),
        ([{"actors": ["one", "one"]}], r"cores\[0\].actors: 'one' is on another line already"),
        ([{"actors": ACTORS, "core": 999}], r"cores\[0\].core = 999: this process may use \[0"),
        ([{"actors": ACTORS[:3]}], "cores: on no line: overseer, recorder"),
    ],
)
def test_a_map_that_cannot_be(cores, said):
    with pytest.raises(ConfigError, match=said):
        lines_of(cores)


def test_two_actors_of_one_name():
    models = [{"name": "overseer", "model": "quoter", "instruments": ["BTC-USDT@sim-a"]}]
    with pytest.raises(ConfigError, match="two actors are called 'overseer'"):
        lines_of(models=models)


def test_the_examples_actors_all_have_a_place():
    system = build_system(load_config(None), "map")
    placed = [actor for line in core_lines(system.config, system.actors) for actor in line.actors]
    assert sorted(a.name for a in placed) == sorted(a.name for a in system.actors)
