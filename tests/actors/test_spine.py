"""What an actor is given, and what a run is made of."""

import pytest

from mantra.actors import spine
from mantra.actors.actor import Actor
from mantra.icc import queue, queue_segment, shm
from mantra.icc.memory import address_of
from mantra.messages.records import FILL, L2_UPDATE, QUEUE_RECORDS, TIMING
from tests.actors.toys import Counter, Summer


def test_a_run_has_every_queue_and_one_of_timings_per_timed_actor(run):
    actors = [Counter("counter", 1), Summer("summer")]
    spine.build(run, actors)
    assert set(spine.queue_names(actors)) == {*QUEUE_RECORDS, "timings-counter"} - {"timings"}
    for name in spine.queue_names(actors):
        made = queue_segment.attach(run, name, spine.record_of(name))
        assert made.capacity == spine.default_capacity(name)


def test_a_queue_with_several_writers_is_mpmc(run):
    spine.build(run, [Counter("a", 1), Counter("b", 1)])
    assert queue_segment.attach(run, "l2").geometry["mode"] == queue.MPMC
    assert queue_segment.attach(run, "fills").geometry["mode"] == queue.SPMC
    assert queue_segment.attach(run, "events").geometry["mode"] == queue.MPMC


def test_capacities_are_those_asked_for(run):
    spine.build(run, [Counter("a", 1)], {"l2": 128})
    assert queue_segment.attach(run, "l2").capacity == 128


def test_records_follow_from_names():
    assert spine.record_of("l2") is L2_UPDATE
    assert spine.record_of("fills") is FILL
    assert spine.record_of("timings-overseer") is TIMING


def test_a_name_taken_leaves_the_other_run_alone(run):
    spine.build(run, [Counter("a", 1)])
    with pytest.raises(shm.SegmentError, match="is there already"):
        spine.build(run, [Counter("a", 1)])


def test_a_bad_capacity_leaves_nothing_behind(run):
    with pytest.raises(ValueError, match="power of two"):
        spine.build(run, [Counter("a", 1)], {"trades": 100})
    assert not [s for s in shm.list_segments() if s.run == run]


def test_the_publisher_id_is_the_row(run):
    actors = [Counter("a", 1), Summer("b")]
    spine.build(run, actors)
    given = spine.Spine(run, actors[1])
    assert given.publisher == 1
    assert given.track["publisher"][0] == 1
    assert given.row_address == given.control.row_address(1)
    assert given.control.names() == ["a", "b"]


def test_inlets_begin_at_the_oldest_and_are_shown(run):
    actors: list[Actor] = [Counter("a", 1), Summer("b")]
    spine.build(run, actors)
    inlet = spine.Spine(run, actors[1]).inlet("l2", paces=True)
    assert inlet["next"][0] == 0
    shown = queue_segment.attach(run, "l2").consumers
    assert (shown["name"][0], shown["paces"][0]) == (b"b", 1)


def test_an_outlet_counts_its_latencies(run):
    actors: list[Actor] = [Counter("a", 1)]
    spine.build(run, actors)
    given = spine.Spine(run, actors[0])
    outlet = given.outlet("l2")
    assert outlet["latencies"][0] == given._timers.histogram_address("latency", "l2")
    assert address_of(outlet) % 64 == 0
