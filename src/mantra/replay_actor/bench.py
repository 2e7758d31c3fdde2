"""One actor in a Stepper: its inputs in our hand, a clock we set, its outputs kept.

with Bench(recording, {"l2": levels, "trades": trades}, ("ideals",), caches={}) as bench:
    bench.feed("l2", 100)       # the first hundred, with their recorded stamps
    bench.step(ticks)           # the actor's clock says `ticks` as long as the step lasts
bench.sent["ideals"]            # all it sent
"""

import numpy as np

from mantra.actors import actor, stepper
from mantra.actors.spine import CLOCK_VECTOR, Spine, record_of
from mantra.compiled import compiled
from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many, publish
from mantra.icc.seqlock_vector import write_row
from mantra.messages.records import IDEAL_ORDER
from mantra.models.model_actor import CACHE_PREFIX
from mantra.replay_actor.recording import Recording
from mantra.telemetry import clock, timers

FEED_MAX = 4096  # messages of one queue between two steps
CAPACITY = 1 << 14
WORD = np.dtype("i8")

Rows = dict[str, np.ndarray]  # by queue


@compiled
def publish_rows(outlet_address, first, count, row_bytes):
    """Publish rows as they are, stamps and all."""
    for number in range(count):
        publish(outlet_address, first + number * row_bytes)


class Feeder(actor.Actor):
    """Stands for all other actors of the run: owns what the actor reads. Never stepped."""

    def __init__(self, inputs: tuple[str, ...], caches: dict[str, int], ticks_per_second: float):
        super().__init__("feeder")
        self.writes = inputs  # type: ignore[misc]
        self.caches, self.ticks_per_second = caches, ticks_per_second  # caches: rows by model

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return {CACHE_PREFIX + name: (IDEAL_ORDER, rows) for name, rows in self.caches.items()}

    def on_start(self, spine: Spine) -> None:
        self.outlets = {name: spine.outlet(name) for name in self.writes}
        caches = [spine.vector(CACHE_PREFIX + name, IDEAL_ORDER) for name in self.caches]
        self.cache_addresses = [address_of(cache) for cache in caches]
        fix = aligned_zeros(1, clock.CLOCK_FIX)
        fix["ticks_per_second"] = self.ticks_per_second
        write_row(address_of(spine.vector(CLOCK_VECTOR, clock.CLOCK_FIX)), 0, address_of(fix))


class Bench:
    """A context manager; `caches`: rows of the OrderCaches the actor reads, by model."""

    def __init__(self, recording: Recording, rows: Rows, outputs: tuple[str, ...], caches: dict):
        self.rows, self.actor = rows, recording.actor
        self.feeder = Feeder(tuple(rows), caches, recording.ticks_per_second)
        capacities = dict.fromkeys((*rows, *outputs), CAPACITY)
        self._stepper = stepper.Stepper([self.feeder, self.actor], capacities)
        self._clock = aligned_zeros(1, WORD)
        self._steps = 0
        self.fed = dict.fromkeys(rows, 0)
        self._kept = {name: [np.zeros(0, record_of(name))] for name in outputs}

    def __enter__(self) -> "Bench":
        self._stepper.__enter__()
        self.control = self._stepper.control.record
        self._stepper.spines[1].track["clock"] = address_of(self._clock)
        self._ends = []  # of each output: its name, queue, consumer, and where to take over into
        for name in self._kept:
            found = queue_segment.attach(self._stepper.run, name, record_of(name))
            consumer = queue_segment.consumer(found, "bench", from_oldest=True, shown=False)
            self._ends.append((name, found, consumer, aligned_zeros(CAPACITY, record_of(name))))
        self._timers = timers.attach(self._stepper.run, self.actor.name)
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.keep()
            self.sent = {name: np.concatenate(kept) for name, kept in self._kept.items()}
        finally:
            self._ends.clear()
            self._timers = None  # type: ignore[assignment]
            self._stepper.__exit__(*exception)

    def feed(self, queue: str, end: int) -> None:
        """Publish a queue's rows up to the `end`-th, at most FEED_MAX more, as they are."""
        rows = self.rows[queue][self.fed[queue] : end]
        assert len(rows) <= FEED_MAX
        assert rows.flags.c_contiguous
        if len(rows):
            outlet = address_of(self.feeder.outlets[queue])
            publish_rows(outlet, address_of(rows), len(rows), rows.dtype.itemsize)
            self.fed[queue] += len(rows)

    def write_ideals(self, rows: np.ndarray) -> None:
        """Write rows of ideal orders into the OrderCaches."""
        for number, (model, row) in enumerate(zip(rows["model"], rows["row"], strict=True)):
            address = address_of(rows) + number * rows.itemsize
            write_row(self.feeder.cache_addresses[model], int(row), address)

    def step(self, ticks: int) -> int:
        """One step of the actor while its clock says `ticks`; the work done."""
        self._clock[0] = ticks
        work = self.actor.step(self.actor.context_address)
        self._steps += 1
        if self._steps % 16 == 0:  # A step sends some hundred messages at most.
            self.keep()
        return work

    def step_until_idle(self, ticks: int) -> None:
        """Let the actor take all it was fed."""
        while self.step(ticks) > 0:
            pass

    def done(self, timer: int) -> int:
        """How often the actor has said to be done with this timer's kind of work."""
        return int(self._timers.histograms["count"][timer])

    def keep(self) -> None:
        """Take over what the actor has sent."""
        for name, _, consumer, buffer in self._ends:
            taken = consume_many(address_of(consumer), address_of(buffer), len(buffer))
            if taken:
                self._kept[name].append(buffer[:taken].copy())
