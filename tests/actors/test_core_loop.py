"""The loop of one core, driven by hand."""

import numpy as np
import pytest

from mantra.actors import core_loop
from mantra.actors.actor import CALL_PYTHON
from mantra.actors.control import ACTOR_ROW
from mantra.compiled import duty_cycle
from mantra.icc.memory import address_of, aligned_zeros, records_at

TOY = np.dtype([("left", "i8"), ("calls_at", "i8"), ("stop", "i8")], align=True)


@duty_cycle
def step_toy(context_address):
    """Work down `left`; ask for Python at `calls_at`; at 0 pull the core's stop."""
    toy = records_at(context_address, 1, TOY)[0]
    if toy["left"] == 0:
        if toy["stop"] != 0:
            records_at(toy["stop"], 1, STOP)[0] = 1
        return 0
    toy["left"] -= 1
    return CALL_PYTHON if toy["left"] == toy["calls_at"] else 2


STOP = np.dtype("i8")


class Core:
    def __init__(self, lefts, calls_at=-1):
        self.toys = aligned_zeros(len(lefts), TOY)
        self.toys["left"], self.toys["calls_at"] = lefts, calls_at
        self.rows = aligned_zeros(len(lefts), ACTOR_ROW)
        self.toys["stop"][-1] = address_of(self.rows) + core_loop.STOP_AT
        self.core = aligned_zeros(1, core_loop.CORE)
        record = self.core[0]
        record["count"], record["check_ticks"] = len(lefts), 1 << 60
        for index in range(len(lefts)):
            record["steps"][index] = step_toy.address
            record["contexts"][index] = address_of(self.toys) + index * TOY.itemsize
            record["rows"][index] = address_of(self.rows) + index * ACTOR_ROW.itemsize

    def run(self):
        return core_loop.run_core(address_of(self.core))


def test_actors_take_turns_until_stopped():
    core = Core([3, 5])
    assert core.run() == core_loop.STOP
    assert core.toys["left"].tolist() == [0, 0]
    assert core.rows["loops"].tolist() == [6, 6]
    assert core.rows["busy_loops"].tolist() == [3, 5]
    assert core.rows["work"].tolist() == [6, 10]


def test_after_pythons_turn_the_loop_goes_on_behind_the_one_that_asked():
    core = Core([3, 5, 5], calls_at=2)
    assert core.run() == 0
    assert core.toys["left"].tolist() == [2, 5, 5]
    assert core.run() == 1
    assert core.toys["left"].tolist() == [0, 2, 3]
    assert core.run() == 2
    assert core.run() == core_loop.STOP


def test_the_loop_returns_to_look_at_signals():
    core = Core([10_000])
    core.core["check_ticks"] = 0
    assert core.run() == core_loop.CHECK
    assert core.toys["left"][0] == 10_000 - core_loop.CHECK_EVERY


@pytest.mark.parametrize("strategy", range(len(core_loop.IDLE_STRATEGIES)))
@pytest.mark.needs_jit
def test_every_idle_strategy_idles(strategy):
    core = Core([1])
    core.core["idle"] = strategy
    assert core.run() == core_loop.STOP
