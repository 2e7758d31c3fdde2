"""Timers in shared memory: who makes them, who reads them."""

import pytest

from mantra.icc import shm
from mantra.icc.memory import address_of
from mantra.telemetry import timers
from mantra.telemetry.histogram import HISTOGRAM, record_value


@pytest.fixture
def made(run):
    return timers.create(run, "maker", ["l2", "sweep"], ["requests"])


def test_an_observer_reads_what_the_actor_counts(run, made):
    record_value(made.histogram_address("business", "sweep"), 240)
    record_value(made.histogram_address("latency", "requests"), 1000)
    seen = timers.attach(run, "maker").summary(ns_per_tick=0.5)
    assert [(line["kind"], line["name"], line["count"]) for line in seen] == [
        ("business", "sweep", 1),
        ("latency", "requests", 1),
    ]
    assert seen[0]["max_ns"] == 120
    assert seen[1]["p50_ns"] == 500


def test_a_timers_number_is_its_place_among_the_names(made):
    first = made.histogram_address("business", "l2")
    assert made.histogram_address("business", "sweep") == first + HISTOGRAM.itemsize
    assert address_of(made.histograms) == first


def test_an_unknown_timer_is_refused_with_those_there_are(made):
    with pytest.raises(KeyError, match="business sweep"):
        made.histogram_address("business", "nothing")


def test_too_many_timers_are_refused(run):
    with pytest.raises(ValueError, match="17 timers; 16"):
        timers.create(run, "greedy", [f"t{i}" for i in range(17)], [])


def test_an_observer_maps_them_read_only(run, made):
    assert not timers.attach(run, "maker").segment.array.flags.writeable


def test_timers_of_an_unknown_actor_are_missing(run):
    with pytest.raises(shm.SegmentError, match="is not there"):
        timers.attach(run, "nobody")
