"""Actors stepped by the caller."""

import pytest

from mantra.actors import spine
from mantra.actors.stepper import Stepper
from mantra.icc import shm
from tests.actors.toys import Caller, Counter, FailsToStart, Summer


def segments_of(run):
    return [segment.name for segment in shm.list_segments() if segment.run == run]


def test_each_actor_steps_once_in_order():
    counter, summer = Counter("counter", 5), Summer("summer")
    with Stepper([counter, summer]) as stepper:
        assert stepper.step() == 2
        assert summer.context["sum"][0] == 0
        assert stepper.step() == 2
        assert summer.context["sum"][0] == 1


def test_running_until_idle_handles_all_and_ends_sources():
    counter, summer = Counter("counter", 100), Summer("summer")
    with Stepper([counter, summer]) as stepper:
        assert not stepper.sources_done()
        assert stepper.run_until_idle() == 200
        assert summer.context["sum"][0] == sum(range(100))
        assert stepper.sources_done()


def test_an_actor_that_asks_gets_pythons_turn():
    caller = Caller("caller")
    with Stepper([caller]) as stepper:
        stepper.run_until_idle()
        assert caller.calls == 3


def test_never_idle_is_an_error():
    with (
        Stepper([Counter("counter", 1000)]) as stepper,
        pytest.raises(RuntimeError, match="still busy after 10 steps"),
    ):
        stepper.run_until_idle(steps_max=10)


def test_nothing_is_left_in_shared_memory():
    with Stepper([Counter("counter", 1)]) as stepper:
        assert "l2" in segments_of(stepper.run)
    assert segments_of(stepper.run) == []


def test_an_actor_that_cannot_start_leaves_nothing_behind():
    stepper = Stepper([Counter("counter", 1), FailsToStart("failing")])
    with pytest.raises(RuntimeError, match="no such exchange"), stepper:
        pass
    assert segments_of(stepper.run) == []


def test_two_runs_do_not_meet():
    first, second = Summer("summer"), Summer("summer")
    with (
        Stepper([Counter("counter", 10), first]) as one,
        Stepper([Counter("counter", 3), second]) as other,
    ):
        one.run_until_idle()
        other.run_until_idle()
    assert first.context["sum"][0] == 45
    assert second.context["sum"][0] == 3
    assert spine.queue_names(one.actors) == spine.queue_names(other.actors)
