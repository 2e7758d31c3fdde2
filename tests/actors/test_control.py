"""The control segment: a row per actor."""

import pytest

from mantra.actors import control


def test_rows_are_named_in_order_and_begin_absent(run):
    made = control.create(run, ["feed", "model"])
    seen = control.attach(run)
    assert seen.names() == ["feed", "model"]
    assert seen.rows["state"].tolist() == [control.ABSENT] * 2
    assert seen.rows["core"].tolist() == [-1, -1]
    made.rows["pending"][1] = 5
    assert seen.rows["pending"].tolist() == [0, 5]


def test_a_rows_address_is_its_record(run):
    made = control.create(run, ["feed", "model"])
    assert made.row_address(1) - made.row_address(0) == control.ACTOR_ROW.itemsize
    assert made.row_address(0) == made.rows.__array_interface__["data"][0]


def test_the_kill_switch_is_seen_by_all(run):
    control.create(run, ["feed"])
    control.attach(run).record["halted"] = 1
    assert control.attach(run).record["halted"] == 1


def test_too_many_actors_are_refused(run):
    with pytest.raises(ValueError, match="65 actors; 64"):
        control.create(run, [f"a{i}" for i in range(65)])


def test_states_have_names():
    assert control.RUN_STATES[control.CANCELING] == "canceling"
    assert control.ACTOR_STATES[control.DONE] == "done"
