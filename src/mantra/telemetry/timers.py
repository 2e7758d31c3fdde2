"""The timers of an actor: named histograms in shared memory, any observer may read them.

Two kinds a run, one segment an actor, `timers-<actor>`:

    business    ticks a step took, by timer ("l2", "trade", "sweep", …)
    latency     ticks from origin to publishing, by queue sent to

     0          64                       64 + 48 × TIMERS_MAX
     +----------+------------------------+-----------------------------
     | segment  | names: kind, name      | histograms
     +----------+------------------------+-----------------------------
"""

from dataclasses import dataclass

import numpy as np

from mantra.icc import shm
from mantra.icc.memory import record_type
from mantra.telemetry.histogram import HISTOGRAM, percentiles

TIMERS_MAX = 16
TIMER_NAME = record_type("S40 name", "S8 kind")
HISTOGRAMS_AT = shm.CACHE_LINE + TIMERS_MAX * TIMER_NAME.itemsize
LAYOUT = shm.layout_hash("timers", TIMER_NAME, HISTOGRAM, TIMERS_MAX)
PREFIX = "timers-"

PERCENTS = (50, 90, 99, 99.9)
TIMES = ("mean_ns", *(f"p{percent:g}_ns" for percent in PERCENTS), "max_ns")


@dataclass(frozen=True)
class Timers:
    """An actor's histograms. `business` names come first: their index is the timer's number."""

    segment: shm.Segment

    @property
    def names(self) -> np.ndarray:
        return self.segment.records(shm.CACHE_LINE, TIMERS_MAX, TIMER_NAME)

    @property
    def histograms(self) -> np.ndarray:
        return self.segment.records(HISTOGRAMS_AT, TIMERS_MAX, HISTOGRAM)

    def histogram_address(self, kind: str, name: str) -> int:
        """Address of a histogram. KeyError names those there are."""
        for index, line in enumerate(self.names):
            if (line["kind"].decode(), line["name"].decode()) == (kind, name):
                return self.segment.address + HISTOGRAMS_AT + index * HISTOGRAM.itemsize
        known = [f"{k['kind'].decode()} {k['name'].decode()}" for k in self.names if k["name"]]
        raise KeyError(f"no timer {kind} {name!r}; there are: {', '.join(known)}")

    def summary(self, ns_per_tick: float) -> list[dict]:
        """One dict a used timer: kind, name, count, mean, p50 … p99.9, max; times in ns."""
        lines = []
        for line, histogram in zip(self.names, self.histograms, strict=True):
            count = int(histogram["count"])
            if not line["name"] or not count:
                continue
            ticks = (histogram["sum"] / count, *percentiles(histogram, PERCENTS), histogram["max"])
            said = {"kind": line["kind"].decode(), "name": line["name"].decode(), "count": count}
            times = zip(TIMES, ticks, strict=True)
            lines.append(said | {name: float(value) * ns_per_tick for name, value in times})
        return lines


def create(run: str, actor: str, business: list[str], latency: list[str]) -> Timers:
    """Make an actor's timers. ValueError if there are more than TIMERS_MAX."""
    named = [("business", name) for name in business] + [("latency", name) for name in latency]
    if len(named) > TIMERS_MAX:
        raise ValueError(f"actor {actor!r} has {len(named)} timers; {TIMERS_MAX} is the limit")
    size = HISTOGRAMS_AT - shm.CACHE_LINE + TIMERS_MAX * HISTOGRAM.itemsize
    made = Timers(shm.create(run, PREFIX + actor, size, LAYOUT))
    for line, (kind, name) in zip(made.names, named, strict=False):
        line["kind"], line["name"] = kind.encode(), name.encode()
    made.segment.publish()
    return made


def attach(run: str, actor: str, writable: bool = False) -> Timers:
    """Map an actor's timers. Raises SegmentError."""
    return Timers(shm.attach(run, PREFIX + actor, LAYOUT, writable))
