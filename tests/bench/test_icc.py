"""The icc bench in its smallest size: every promised key is there, whatever the numbers are."""

import os

import pytest

from mantra.bench import icc
from mantra.icc import shm

pytestmark = [
    pytest.mark.needs_jit,
    pytest.mark.processes,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="the bench wants two cores"),
]

PROMISED = [
    "floor_p50_ns",
    "floor_p99_ns",
    "one_way_p50_ns",
    "one_way_p90_ns",
    "one_way_p99_ns",
    "one_way_p999_ns",
    "write_p50_ns",
    "read_p50_ns",
    "msgs_per_s_alone",
    "msgs_per_s_with_consumer",
    "mp_queue_one_way_p50_ns",
]


@pytest.fixture(scope="module")
def bench():
    size, icc.QUICK = icc.QUICK, icc.Size(rounds=1, samples=300, many=20_000, peers=20)
    yield icc.run(quick=True)
    icc.QUICK = size


def test_every_promised_number_is_there(bench):
    assert [key for key in PROMISED if key not in bench.results] == []
    # The clock's own cost is taken off a write's: among other processes a quick run may show less.
    positive = set(PROMISED) - {"write_p50_ns", "read_p50_ns"}
    assert [key for key in positive if bench.results[key] <= 0] == []


def test_each_bar_of_the_contract_is_held_against_a_result(bench):
    bars = {bar.name: (bar.op, bar.bar) for bar in bench.bars}
    assert bars == {
        "one_way_p50_over_floor": ("<=", 1.4),
        "one_way_p99_over_floor": ("<=", 2),
        "write_p50_ns": ("<=", 30),
        "msgs_per_s_with_consumer": (">=", 30e6),
        "msgs_per_s_alone": (">=", 80e6),
    }


def test_payloads_and_both_modes_are_measured(bench):
    for suffix in ("_120", "_248", "_mpmc"):
        assert f"one_way_p50_ns{suffix}" in bench.results


def test_no_segment_stays_behind(bench):
    assert [s for s in shm.list_segments() if s.run == f"bench-{os.getpid()}"] == []


def test_one_core_is_refused(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    with pytest.raises(RuntimeError, match="two cores"):
        icc.run(quick=True)
