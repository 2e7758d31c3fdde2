"""Ticks <-> UTC: calibration, re-estimated while running, with its error bound.

A sample reads ticks, the OS clock, ticks again: the OS clock was read somewhere between, so half
the gap bounds the error; of many tries the narrowest is kept. A fix is the rate between two such
samples. Its error in ns at a time t is

    (error of the anchor) + (sum of both samples' errors) / (span between them) × (t - anchor)

so it shrinks as the span grows: `Calibration.refine` is called every few seconds by the supervisor
and the fix published in shared memory. The OS clock is slewed by NTP by up to 500 ppm; `drift_ppb`
says how much the rate differs from the first estimate.
"""

import time
from typing import NamedTuple

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import record_type
from mantra.telemetry.tsc import TICK_SOURCE, read_tsc

SAMPLE_TRIES = 32
FIRST_SPAN_S = 0.05  # between the first two samples: rate known to about 10 ppm

# ticks_at   the anchor, in ticks …
# utc_ns_at  … and in ns since the epoch
# error_ns   bound at the anchor
# error_ppb  and how fast it grows: ns per second
# drift_ppb  rate now against the first estimate
CLOCK_FIX = record_type(
    "i8 ticks_at utc_ns_at", "f8 ticks_per_second error_ns error_ppb drift_ppb", "i8 unused"
)


class ClockSample(NamedTuple):
    """One reading of both clocks at once: off by at most `error_ns`."""

    ticks: int
    utc_ns: int
    gap_ticks: int


@compiled
def read_ticks():
    """`read_tsc` for Python callers."""
    return read_tsc()


def take_sample() -> ClockSample:
    """The narrowest of some readings of both clocks."""
    samples = []
    for _ in range(SAMPLE_TRIES):
        before = read_ticks()
        utc_ns = time.time_ns()
        after = read_ticks()
        samples.append(ClockSample((before + after) // 2, utc_ns, after - before))
    return min(samples, key=lambda sample: sample.gap_ticks)


class Calibration:
    """Rate and anchor of the tick counter against UTC; `refine` improves both."""

    def __init__(self) -> None:
        self.first = take_sample()
        time.sleep(FIRST_SPAN_S)
        self.first_rate = 0.0
        self.fix = self.refine()

    def refine(self) -> np.ndarray:
        """Take another sample; the new CLOCK_FIX, anchored now."""
        sample = take_sample()
        span_ticks, span_ns = sample.ticks - self.first.ticks, sample.utc_ns - self.first.utc_ns
        rate = span_ticks / span_ns * 1e9
        fix = np.zeros((), CLOCK_FIX)
        fix["ticks_at"], fix["utc_ns_at"] = sample.ticks, sample.utc_ns
        fix["ticks_per_second"], fix["error_ns"] = rate, sample.gap_ticks / 2 / rate * 1e9
        both_ns = (sample.gap_ticks + self.first.gap_ticks) / 2 / rate * 1e9
        fix["error_ppb"] = both_ns / (span_ns / 1e9)
        self.first_rate = self.first_rate or rate
        fix["drift_ppb"] = (rate / self.first_rate - 1) * 1e9
        self.fix = fix
        return fix


def ns_per_tick(fix: np.ndarray) -> float:
    """Nanoseconds of one tick."""
    return 1e9 / float(fix["ticks_per_second"])


def ticks_to_utc_ns(ticks: int, fix: np.ndarray) -> int:
    """Ticks as ns since the epoch, UTC."""
    return int(fix["utc_ns_at"]) + round((ticks - int(fix["ticks_at"])) * ns_per_tick(fix))


def describe(fix: np.ndarray) -> str:
    """One line for people: source, rate, error bound."""
    return (
        f"{TICK_SOURCE} at {float(fix['ticks_per_second']) / 1e9:.6f} ticks/ns, "
        f"UTC ± {float(fix['error_ns']):.0f} ns growing {float(fix['error_ppb']):.0f} ns/s, "
        f"drift {float(fix['drift_ppb']):+.0f} ppb"
    )
