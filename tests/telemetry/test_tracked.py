"""Stamps: written by the producer itself, origins inherited, timings told."""

import numpy as np
import pytest

from mantra.compiled import JIT
from mantra.icc import queue_segment, seqlock_vector
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import DATA, EMPTY, SPED_PAST
from mantra.messages.records import IDEAL_ORDER, L2_UPDATE, ORDER_REQUEST, TIMING
from mantra.telemetry import tracked
from mantra.telemetry.histogram import HISTOGRAM


class Bench:
    """A track with a simulated clock, and what it needs to send and receive."""

    def __init__(self, run):
        self.run = run
        self.clock = aligned_zeros(8, np.dtype("i8"))
        self.track = aligned_zeros(1, tracked.TRACK)
        self.track["clock"] = address_of(self.clock)
        self.track["publisher"], self.track["enabled"] = 7, 1
        self.histograms = aligned_zeros(2, HISTOGRAM)
        self.track["histograms"] = address_of(self.histograms)
        self.at = address_of(self.track)
        self.latencies = aligned_zeros(1, HISTOGRAM)
        self.kept = []

    def outlet(self, name, record, capacity=8):
        made = queue_segment.create(self.run, name, record, capacity)
        outlet = aligned_zeros(1, tracked.OUTLET)
        outlet["producer"] = queue_segment.producer(made)
        outlet["latencies"] = address_of(self.latencies)
        inlet = queue_segment.consumer(made, "test")
        self.kept += [made, outlet, inlet]
        return address_of(outlet), inlet


@pytest.fixture
def bench(run):
    return Bench(run)


def test_a_message_carries_origin_latency_and_publisher(bench):
    outlet, inlet = bench.outlet("l2", L2_UPDATE)
    message, got = aligned_zeros(1, L2_UPDATE), aligned_zeros(1, L2_UPDATE)
    message["price"] = 42
    bench.clock[0] = 1000
    assert tracked.originate(bench.at) == 1000
    bench.clock[0] = 1300
    assert tracked.send(bench.at, outlet, address_of(message)) == 0
    assert tracked.receive(bench.at, address_of(inlet), address_of(got)) == DATA
    assert got["price"][0] == 42
    assert got["ts_origin"][0] == 1000
    assert got["published"][0] == 300 << 16 | 7
    assert bench.latencies["max"][0] == 300


def test_what_is_sent_inherits_the_origin_of_what_was_received(bench):
    l2, l2_in = bench.outlet("l2", L2_UPDATE)
    requests, requests_in = bench.outlet("requests", ORDER_REQUEST)
    update, request = aligned_zeros(1, L2_UPDATE), aligned_zeros(1, ORDER_REQUEST)
    for origin in (100, 200):
        bench.clock[0] = origin
        tracked.originate(bench.at)
        tracked.send(bench.at, l2, address_of(update))
    bench.clock[0] = 1000
    for origin in (100, 200):
        assert tracked.receive(bench.at, address_of(l2_in), address_of(update)) == DATA
        tracked.send(bench.at, requests, address_of(request))
        tracked.receive(bench.at, address_of(requests_in), address_of(request))
        assert request["ts_origin"][0] == origin
        assert request["published"][0] >> 16 == 1000 - origin


def test_a_consumer_that_was_sped_past_goes_on_with_what_is_left(bench):
    outlet, inlet = bench.outlet("l2", L2_UPDATE, capacity=4)
    message = aligned_zeros(1, L2_UPDATE)
    for _ in range(6):
        tracked.send(bench.at, outlet, address_of(message))
    statuses = [tracked.receive(bench.at, address_of(inlet), address_of(message)) for _ in range(6)]
    assert statuses == [SPED_PAST, DATA, DATA, DATA, DATA, EMPTY]
    assert inlet["lost"][0] == 2


def test_many_are_sent_in_order_each_stamped_and_counted(bench):
    outlet, inlet = bench.outlet("l2", L2_UPDATE, capacity=32)
    messages, got = aligned_zeros(20, L2_UPDATE), aligned_zeros(1, L2_UPDATE)
    messages["price"] = np.arange(20)
    bench.clock[0] = 100
    tracked.originate(bench.at)
    bench.clock[0] = 130
    tracked.send_many(bench.at, outlet, address_of(messages), 0, L2_UPDATE.itemsize)
    tracked.send_many(bench.at, outlet, address_of(messages), 20, L2_UPDATE.itemsize)
    for price in range(20):
        assert tracked.receive(bench.at, address_of(inlet), address_of(got)) == DATA
        assert (got["price"][0], got["ts_origin"][0]) == (price, 100)
        assert got["published"][0] == 30 << 16 | 7
    assert tracked.receive(bench.at, address_of(inlet), address_of(got)) == EMPTY
    assert (bench.latencies["count"][0], bench.latencies["max"][0]) == (20, 30)


@pytest.mark.skipif(JIT, reason="compiled code looks at its own clock")
def test_of_many_only_some_look_at_the_clock(bench, monkeypatch):
    ticks = iter(range(100, 200))
    monkeypatch.setattr(tracked, "ticks_now", lambda track: next(ticks))
    outlet, inlet = bench.outlet("l2", L2_UPDATE, capacity=32)
    messages, got = aligned_zeros(20, L2_UPDATE), aligned_zeros(1, L2_UPDATE)
    tracked.send_many(bench.at, outlet, address_of(messages), 20, L2_UPDATE.itemsize)
    for number in range(20):
        tracked.receive(bench.at, address_of(inlet), address_of(got))
        assert got["published"][0] >> 16 == 100 + number // tracked.STAMPED


def test_a_row_is_stamped_too(bench):
    vector = seqlock_vector.create(bench.run, "cache-m", IDEAL_ORDER, 2)
    row = aligned_zeros(1, IDEAL_ORDER)
    bench.clock[0] = 50
    tracked.originate(bench.at)
    bench.clock[0] = 60
    now = tracked.ticks_now(bench.at)
    tracked.send_row(bench.at, address_of(vector.handle), 1, address_of(row), now)
    got = aligned_zeros(1, IDEAL_ORDER)
    assert seqlock_vector.try_read_row(address_of(vector.handle), 1, address_of(got)) == 2
    assert (got["ts_origin"][0], got["published"][0] >> 16) == (50, 10)


def test_a_step_is_timed_and_told(bench):
    timings, timings_in = bench.outlet("timings-m", TIMING)
    bench.track["timings"] = timings
    bench.track["origin"] = 900
    bench.clock[0] = 1000
    start = tracked.start_timer(bench.at)
    bench.clock[0] = 1250
    tracked.stop_timer(bench.at, 1, start, 3)
    assert bench.histograms["count"].tolist() == [0, 1]
    assert bench.histograms["max"][1] == 250
    timing = aligned_zeros(1, TIMING)
    assert tracked.receive(bench.at, address_of(timings_in), address_of(timing)) == DATA
    assert timing[["ts_origin", "ts_start", "ts_stop", "timer", "work"]][0].tolist() == (
        900,
        1000,
        1250,
        1,
        3,
    )


def test_a_held_timer_is_told_when_asked_for_and_once(bench):
    timings, timings_in = bench.outlet("timings-m", TIMING)
    bench.track["timings"] = timings
    tracked.hold_timer(bench.at, 1, 1000, 1250, 3)
    timing = aligned_zeros(1, TIMING)
    assert tracked.receive(bench.at, address_of(timings_in), address_of(timing)) == EMPTY
    tracked.tell_held(bench.at)
    tracked.tell_held(bench.at)
    assert tracked.receive(bench.at, address_of(timings_in), address_of(timing)) == DATA
    assert (timing["ts_stop"][0], bench.histograms["count"][1]) == (1250, 1)
    assert tracked.receive(bench.at, address_of(timings_in), address_of(timing)) == EMPTY


def test_several_held_timers_are_told_in_order_and_none_is_lost_when_they_are_many(bench):
    timings, timings_in = bench.outlet("timings-m", TIMING, capacity=16)
    bench.track["timings"] = timings
    number = tracked.HELD_MAX + 2
    for work in range(number):
        tracked.note_detail(bench.at, 10 * work)
        tracked.hold_timer(bench.at, 1, 1000, 1250, work)
    tracked.tell_held(bench.at)
    timing = aligned_zeros(1, TIMING)
    told = []
    while tracked.receive(bench.at, address_of(timings_in), address_of(timing)) == DATA:
        told.append((int(timing["work"][0]), int(timing["detail"][0])))
    assert told == [(work, 10 * work) for work in range(number)]
    assert bench.histograms["count"][1] == number


def test_timings_off_leave_stamps_on(bench):
    outlet, _ = bench.outlet("l2", L2_UPDATE)
    bench.track["enabled"] = 0
    bench.clock[0] = 10
    message = aligned_zeros(1, L2_UPDATE)
    start = tracked.start_timer(bench.at)
    tracked.originate(bench.at)
    tracked.send(bench.at, outlet, address_of(message))
    tracked.stop_timer(bench.at, 0, start, 1)
    assert message["ts_origin"][0] == 10
    assert bench.latencies["count"][0] == 0
    assert not bench.histograms["count"].any()


@pytest.mark.needs_jit
def test_each_function_is_compiled_once(bench):
    outlet, inlet = bench.outlet("l2", L2_UPDATE)
    message = address_of(aligned_zeros(1, L2_UPDATE))
    tracked.send(bench.at, outlet, message)
    tracked.receive(bench.at, address_of(inlet), message)
    for function in (tracked.send, tracked.receive, tracked.stamp):
        assert len(function.signatures) <= 1
