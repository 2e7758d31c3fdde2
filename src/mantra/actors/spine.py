"""The spine: a run's shared memory, as one actor is given it.

`build` makes every segment of a run before any actor starts, so the order of starting does not
matter and no message is missed: consumers attach at the oldest. A queue with one writer is SPMC,
with several MPMC: the actors' `writes` say which.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mantra.actors import control as run_control
from mantra.actors.actor import Actor
from mantra.icc import queue, queue_segment, seqlock_vector, shm
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import QUEUE_RECORDS, TIMING
from mantra.telemetry import clock, timers, tracked

CAPACITY = 1 << 13  # half a megabyte: what is rare stays in the cache
TIMINGS_PREFIX = "timings-"
TIMINGS_CAPACITY = 1 << 16  # at a million a second a recorder may sleep for 65 ms
CLOCK_VECTOR = "clock"
EVENTS = "events"  # the supervisor writes there too, so it is always MPMC


def record_of(queue_name: str) -> np.dtype:
    """The record that travels on a queue."""
    return TIMING if queue_name.startswith(TIMINGS_PREFIX) else QUEUE_RECORDS[queue_name]


def default_capacity(queue_name: str) -> int:
    """Slots of a queue unless the config says otherwise."""
    return TIMINGS_CAPACITY if queue_name.startswith(TIMINGS_PREFIX) else CAPACITY


def queue_names(actors: Iterable[Actor]) -> list[str]:
    """All queues of a run: those of messages, and one of timings for each actor that has timers."""
    timed = [TIMINGS_PREFIX + actor.name for actor in actors if actor.timers]
    return [name for name in QUEUE_RECORDS if name != "timings"] + timed


def writers(actors: Iterable[Actor], queue_name: str) -> list[str]:
    """Names of the actors that publish to a queue."""
    return [a.name for a in actors if queue_name in (*a.writes, TIMINGS_PREFIX + a.name)]


def build(run: str, actors: list[Actor], capacities: dict[str, int] | None = None) -> None:
    """Make all segments of a run. Raises SegmentError or ValueError; then nothing is left over."""
    try:
        run_control.create(run, [actor.name for actor in actors])
        for name in queue_names(actors):
            alone = len(writers(actors, name)) <= 1 and name != EVENTS
            mode = queue.SPMC if alone else queue.MPMC
            capacity = (capacities or {}).get(name, default_capacity(name))
            queue_segment.create(run, name, record_of(name), capacity, mode)
        seqlock_vector.create(run, CLOCK_VECTOR, clock.CLOCK_FIX, 1)
        for actor in actors:
            timers.create(run, actor.name, list(actor.timers), list(actor.writes))
            for vector, (record, rows) in actor.vectors().items():
                seqlock_vector.create(run, vector, record, rows)
    except BaseException:
        unlink(run)
        raise


def unlink(run: str) -> None:
    """Remove all segments of a run. Those who have them mapped go on undisturbed."""
    for segment in shm.list_segments():
        if segment.run == run:
            segment.path.unlink(missing_ok=True)


@dataclass
class Spine:
    """What one actor is given in `on_start`. Keeps everything it hands out alive."""

    run: str
    actor: Actor
    timings: bool = True  # False: stamps only, no timers
    control: run_control.Control = field(init=False)
    track: np.ndarray = field(init=False)
    _kept: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.control = run_control.attach(self.run)
        self._timers = timers.attach(self.run, self.actor.name, writable=True)
        self.publisher = self.control.names().index(self.actor.name)
        self.track = aligned_zeros(1, tracked.TRACK)
        self.track["publisher"], self.track["enabled"] = self.publisher, self.timings
        if self.actor.timers:
            first = self._timers.histogram_address("business", self.actor.timers[0])
            self.track["histograms"] = first
            self.track["timings"] = address_of(self.outlet(TIMINGS_PREFIX + self.actor.name))

    @property
    def track_address(self) -> int:
        return address_of(self.track)

    @property
    def row_address(self) -> int:
        """Of this actor's ACTOR_ROW."""
        return self.control.row_address(self.publisher)

    def inlet(self, queue_name: str, paces: bool = False) -> np.ndarray:
        """A CONSUMER of a queue, at its oldest message. `paces`: a replay waits for it."""
        found = self.queue(queue_name)
        handle = queue_segment.consumer(found, self.actor.name, from_oldest=True, paces=paces)
        self.keep(handle)
        return handle

    def outlet(self, queue_name: str) -> np.ndarray:
        """An OUTLET to a queue."""
        handle = aligned_zeros(1, tracked.OUTLET)
        handle["producer"] = queue_segment.producer(self.queue(queue_name))
        if queue_name in self.actor.writes:
            handle["latencies"] = self._timers.histogram_address("latency", queue_name)
        self.keep(handle)
        return handle

    def vector(self, name: str, record: np.dtype) -> np.ndarray:
        """A VECTOR handle."""
        found = seqlock_vector.attach(self.run, name, record)
        self.keep(found)
        return found.handle

    def queue(self, queue_name: str) -> queue_segment.Queue:
        """A queue itself, for those who watch its consumers."""
        found = queue_segment.attach(self.run, queue_name, record_of(queue_name))
        self.keep(found)
        return found

    def keep(self, *things: object) -> None:
        """Keep memory alive that the actor's context points into."""
        self._kept += things
