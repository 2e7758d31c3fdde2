"""Calibration of ticks against UTC: within its own error bound."""

import time

import numpy as np

from mantra.telemetry.clock import (
    CLOCK_FIX,
    Calibration,
    describe,
    ns_per_tick,
    read_ticks,
    take_sample,
    ticks_to_utc_ns,
)


def made_up_fix(rate=2e9, at=1_000, utc=5_000_000_000):
    fix = np.zeros((), CLOCK_FIX)
    fix["ticks_per_second"], fix["ticks_at"], fix["utc_ns_at"] = rate, at, utc
    return fix


def test_ticks_become_utc_by_rate_and_anchor():
    fix = made_up_fix(rate=2e9, at=1_000, utc=5_000_000_000)
    assert ns_per_tick(fix) == 0.5
    assert ticks_to_utc_ns(1_000, fix) == 5_000_000_000
    assert ticks_to_utc_ns(3_000, fix) == 5_000_001_000
    assert ticks_to_utc_ns(0, fix) == 4_999_999_500


def test_a_sample_brackets_the_os_clock():
    before = time.time_ns()
    sample = take_sample()
    assert before <= sample.utc_ns <= time.time_ns()
    assert sample.gap_ticks >= 0


def test_utc_now_lies_within_the_stated_error():
    calibration = Calibration()
    fix = calibration.refine()
    gaps = []
    for _ in range(50):  # The narrowest of many: this process may be put aside between two reads.
        before = time.time_ns()
        utc_ns = ticks_to_utc_ns(read_ticks(), fix)
        after = time.time_ns()
        gaps.append(max(before - utc_ns, utc_ns - after, 0))
    bound = float(fix["error_ns"]) + float(fix["error_ppb"])  # a second's growth: we took less
    assert min(gaps) <= bound + 1000


def test_the_error_bound_shrinks_as_the_span_grows():
    calibration = Calibration()
    first = calibration.fix
    time.sleep(0.15)
    # Four times the span; equal gaps would give a quarter, a noisy machine at most the same.
    assert calibration.refine()["error_ppb"] < first["error_ppb"] * 2
    assert calibration.refine()["ticks_at"] > first["ticks_at"]


def test_a_fix_is_described_in_one_line():
    line = describe(made_up_fix())
    assert "2.000000 ticks/ns" in line
    assert "±" in line
    assert "\n" not in line
