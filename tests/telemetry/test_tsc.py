"""The tick counter: it rises, it keeps its rate, and it says what it is."""

import time

import pytest

from mantra.telemetry import tsc
from mantra.telemetry.clock import read_ticks


def test_ticks_never_go_back():
    stamps = [read_ticks() for _ in range(1000)]
    assert stamps == sorted(stamps)


def test_ticks_advance_with_time():
    before, began = read_ticks(), time.monotonic_ns()
    while time.monotonic_ns() - began < 2_000_000:
        pass
    assert read_ticks() > before


def test_uncompiled_ticks_are_nanoseconds():
    before = time.monotonic_ns()
    assert before <= tsc.read_tsc() <= time.monotonic_ns()


@pytest.mark.needs_jit
def test_the_source_of_ticks_is_named():
    assert ("tsc" if tsc.INVARIANT_COUNTER else "clock_monotonic") == tsc.TICK_SOURCE


def test_a_machine_without_an_invariant_counter_is_told_apart(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "proc/cpuinfo"
    cpuinfo.parent.mkdir()
    cpuinfo.write_text("processor : 0\nflags : fpu tsc rdtscp constant_tsc\n")
    monkeypatch.setattr(tsc.platform, "machine", lambda: "x86_64")
    assert not tsc._has_invariant_counter(tmp_path)
    cpuinfo.write_text("processor : 0\nflags : fpu tsc rdtscp constant_tsc nonstop_tsc\n")
    assert tsc._has_invariant_counter(tmp_path)
    cpuinfo.unlink()
    assert not tsc._has_invariant_counter(tmp_path)
