"""The queue between processes, beside the floor of the machine and beside other queues.

Two processes pinned to two cores, one forked from the other. In turns, every round: the floor (a
flag goes over and back on two cache lines: half the time of it), then each queue, both paced alike:
the next goes out when the pace has passed and the one before was received. So a core that is taken
away spoils one sample of either, a round's numbers saw the same noise, and the ratios are medians
over rounds of ratios in one round. `one_way_open` does not wait for the receipt: there, one such
pause delays all that was published meanwhile.

A message carries the ticks read just before `publish`; the consumer reads ticks just after
the successful `try_consume`. Nothing is subtracted: one way and write hold a whole clock read, the
floor half of one (`clock_read_ns` says what it costs).

write    the producer's time in `publish`, paced, its consumer spinning on the slot
read     `try_consume` of messages that wait in the other core's cache, in bursts
"""

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter, sleep
from typing import Any

import numpy as np

from mantra.bench.harness import Bench, percentiles
from mantra.bench.icc_peers import Worker, measure_peers, pinned
from mantra.compiled import compiled
from mantra.icc import queue, queue_segment
from mantra.icc.atomics import cpu_pause, load_acquire, store_release
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, records_at
from mantra.telemetry.clock import Calibration, ns_per_tick
from mantra.telemetry.tsc import TICK_SOURCE, read_tsc

WORD = np.dtype("i8")
PACE_NS = 2_000
CAPACITY = 1 << 16  # slots
BURST = 64  # messages
WARM_UP = 0.05  # share of a round's samples that is left out, at its start
FLAGS_AT = (0, 2 * CACHE_LINE, 4 * CACHE_LINE)  # over, back, stop
UNSEEN = -1  # a sample nobody took: the message was lost

# Suffix of the keys, payload bytes, mode. The first is what the bars are about.
QUEUES = (
    ("", 56, queue.SPMC),
    ("_120", 120, queue.SPMC),
    ("_248", 248, queue.SPMC),
    ("_mpmc", 56, queue.MPMC),
)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    samples: int  # a round and queue
    many: int  # messages a turn of sustained throughput
    peers: int  # samples of each peer


FULL = Size(rounds=9, samples=10_000, many=2_000_000, peers=2_000)
QUICK = Size(rounds=3, samples=4_000, many=1_000_000, peers=300)


# ---------------------------------------------------------------- compiled: leader and follower


@compiled
def ping(over, back, samples_address, count, pace):
    """Ticks of a round trip, `count` times, one every `pace` ticks."""
    samples = records_at(samples_address, count, WORD)
    due = read_tsc() + pace
    for index in range(count):
        while read_tsc() < due:
            cpu_pause()
        start = read_tsc()
        store_release(over, index + 1)
        while load_acquire(back) != index + 1:
            pass
        end = read_tsc()
        samples[index] = end - start
        due = max(due + pace, end)


@compiled
def pong(over, back, count):
    for index in range(count):
        while load_acquire(over) != index + 1:
            pass
        store_release(back, index + 1)


@compiled
def publish_paced(producer, message, samples_address, count, pace, receipt):
    """Publish `count` stamped messages, one every `pace` ticks; the ticks each took.

    `receipt` is the address where the consumer says how many it has, or 0: do not wait for it.
    """
    samples = records_at(samples_address, count, WORD)
    stamp = records_at(message, 1, WORD)
    due = read_tsc() + pace
    for index in range(count):
        while read_tsc() < due:
            cpu_pause()
        start = read_tsc()
        stamp[0] = start
        queue.publish(producer, message)
        end = read_tsc()
        samples[index] = end - start
        due = max(due + pace, end)
        while receipt != 0 and load_acquire(receipt) <= index:
            cpu_pause()


@compiled
def consume_paced(consumer_address, message, samples_address, count, receipt):
    """Ticks from stamp to receipt of the next `count` messages."""
    samples = records_at(samples_address, count, WORD)
    consumer = records_at(consumer_address, 1, queue.CONSUMER)[0]
    stamp = records_at(message, 1, WORD)
    first = consumer["next"]
    while consumer["next"] < first + count:
        if queue.try_consume(consumer_address, message) == queue.DATA:
            samples[consumer["next"] - first - 1] = read_tsc() - stamp[0]
            if receipt != 0:
                store_release(receipt, consumer["next"] - first)


@compiled
def publish_many(producer, message, count):
    for _ in range(count):
        queue.publish(producer, message)


@compiled
def consume_many(consumer_address, message, stop):
    """Consume until the word at `stop` is set; how many."""
    received = np.int64(0)
    while load_acquire(stop) == 0:
        for _ in range(BURST):
            received += queue.try_consume(consumer_address, message) == queue.DATA
    return received


@compiled
def consume_bursts(consumer_address, message, samples_address, bursts):
    """Ticks of BURST reads, all messages of which were there before the first read."""
    samples = records_at(samples_address, bursts, WORD)
    consumer = records_at(consumer_address, 1, queue.CONSUMER)[0]
    first = consumer["next"]
    for index in range(bursts):
        while load_acquire(consumer["count"]) < first + (index + 1) * BURST:
            cpu_pause()
        start = read_tsc()
        for _ in range(BURST):
            queue.try_consume(consumer_address, message)
        samples[index] = read_tsc() - start


@compiled
def clock_reads(count):
    """Ticks that `count` clock reads take."""
    start = read_tsc()
    for _ in range(count):
        read_tsc()
    return read_tsc() - start


# ---------------------------------------------------------------- the two processes


class Ring:
    """A queue of the bench with the handles of this process; forked, so that both know it."""

    def __init__(self, run: str, suffix: str, payload: int, mode: int):
        self.suffix = suffix
        record = np.dtype([("words", "i8", (payload // 8,))])
        self.segment = queue_segment.create(run, f"q{suffix}", record, CAPACITY, mode)
        self._message = aligned_zeros(1, record)
        self.message = address_of(self._message)

    def lead(self) -> None:
        self._producer = queue_segment.producer(self.segment)
        self.producer = address_of(self._producer)

    def follow(self) -> None:
        self._consumer = queue_segment.consumer(self.segment, "bench", shown=False)
        self.consumer = address_of(self._consumer)


class Follower:
    """What the forked process does when asked; each answer is an array of ticks, or a count."""

    def __init__(self, rings: list[Ring], flags: int):
        self.rings, self.flags = rings, flags

    def follow(self, ring: int) -> None:
        self.rings[ring].follow()

    def pong(self, count: int) -> None:
        pong(self.flags + FLAGS_AT[0], self.flags + FLAGS_AT[1], count)

    def consume(self, ring: int, count: int, receipt: int) -> np.ndarray:
        of, samples = self.rings[ring], np.full(count, UNSEEN)
        consume_paced(of.consumer, of.message, address_of(samples), count, receipt)
        return samples[samples != UNSEEN]

    def read(self, ring: int, bursts: int) -> np.ndarray:
        of, samples = self.rings[ring], np.zeros(bursts, np.int64)
        consume_bursts(of.consumer, of.message, address_of(samples), bursts)
        return samples / BURST

    def drain(self, ring: int) -> int:
        of = self.rings[ring]
        return int(consume_many(of.consumer, of.message, self.flags + FLAGS_AT[2]))


class Rounds:
    """The measurements, each a method that runs one turn of it; times in ns."""

    def __init__(self, rings: list[Ring], flags: np.ndarray, followers: list[Worker], size: Size):
        self.rings, self.flags, self.followers = rings, flags, followers
        calibration = Calibration()
        sleep(0.2)
        self.ns = ns_per_tick(calibration.refine())
        self.pace = int(PACE_NS / self.ns)
        self.count, self.many = size.samples, size.many

    def _settled(self, ticks: np.ndarray) -> np.ndarray:
        return ticks[int(len(ticks) * WARM_UP) :] * self.ns

    def _ask(self, follower: Worker, method: str, ring: int, *arguments: int) -> None:
        """Have a follower at the head of a ring, about to do something with it."""
        follower.ask("follow", ring)
        follower.answer()
        follower.ask(method, ring, *arguments)

    def floor(self) -> np.ndarray:
        self.flags[:] = 0
        samples = np.zeros(self.count, np.int64)
        base = address_of(self.flags)
        self.followers[0].ask("pong", self.count)
        ping(base + FLAGS_AT[0], base + FLAGS_AT[1], address_of(samples), self.count, self.pace)
        self.followers[0].answer()
        return self._settled(samples) / 2

    def one_way(
        self, ring: int, consumers: int = 1, waits: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """One way to the first of the consumers; what each publish took."""
        of, samples = self.rings[ring], np.zeros(self.count, np.int64)
        self.flags[:] = 0
        receipt = address_of(self.flags) + FLAGS_AT[1] if waits else 0
        for index, follower in enumerate(self.followers[:consumers]):
            self._ask(follower, "consume", ring, self.count, 0 if index else receipt)
        samples_at = address_of(samples)
        publish_paced(of.producer, of.message, samples_at, self.count, self.pace, receipt)
        received = [follower.answer() for follower in self.followers[:consumers]]
        return self._settled(received[0]), self._settled(samples)

    def read(self, ring: int) -> float:
        bursts = max(self.count // 100, 2)
        self._ask(self.followers[0], "read", ring, bursts)
        for _ in range(bursts):
            publish_many(self.rings[ring].producer, self.rings[ring].message, BURST)
            sleep(20e-6)
        return float(median(self._settled(self.followers[0].answer())))

    def alone(self, ring: int) -> float:
        of = self.rings[ring]
        start = perf_counter()
        publish_many(of.producer, of.message, self.many)
        return self.many / (perf_counter() - start)

    def with_consumer(self, ring: int) -> tuple[float, float]:
        """Messages a second published while a consumer reads all it can; the share it got."""
        self.flags[:] = 0
        self._ask(self.followers[0], "drain", ring)
        rate = self.alone(ring)
        store_release(address_of(self.flags) + FLAGS_AT[2], 1)
        return rate, self.followers[0].answer() / self.many


# ---------------------------------------------------------------- the bench


def run(quick: bool = False) -> Bench:
    """Measure: under a minute, `quick` some seconds. Raises RuntimeError on a single core."""
    bench = Bench("icc")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError(f"bench icc wants two cores to itself; this process may use {cores}")
    size = QUICK if quick else FULL
    with _processes(cores, size) as rounds:
        _measure_queues(bench, rounds, size.rounds)
        _measure_more_consumers(bench, rounds, len(cores))
        bench.result("clock_read_ns", clock_reads(100_000) * rounds.ns / 100_000)
        measure_peers(bench, rounds.ns, cores[1], rounds.flags, size.peers)
    bench.note(f"cores {cores[0]} -> {cores[1]}; clock {TICK_SOURCE}; {CAPACITY:,} slots")
    bench.note("one way and write hold one clock read (clock_read_ns), the floor half of one")
    bench.bar("one_way_p50_over_floor", "<=", 1.4, "median over rounds of the ratio in one round")
    bench.bar("one_way_p99_over_floor", "<=", 2, "median over rounds of the ratio in one round")
    bench.bar("write_p50_ns", "<=", 30)
    bench.bar("msgs_per_s_with_consumer", ">=", 30e6)
    bench.bar("msgs_per_s_alone", ">=", 80e6)
    return bench


@contextmanager
def _processes(cores: list[int], size: Size) -> Iterator[Rounds]:
    name = f"bench-{os.getpid()}"
    rings: list[Ring] = []
    workers: list[Worker] = []
    flags = shared_words(CACHE_LINE)
    try:
        for suffix, payload, mode in QUEUES:
            rings.append(Ring(name, suffix, payload, mode))
        for core in cores[1:4]:
            workers.append(Worker(core, Follower(rings, address_of(flags))))
        for ring in rings:
            ring.lead()
        with pinned(cores[0]):
            yield Rounds(rings, flags, workers, size)
    finally:
        for worker in workers:
            worker.end()
        for ring in rings:
            ring.segment.segment.unlink()


def _measure_queues(bench: Bench, rounds: Rounds, repeats: int) -> None:
    turns: dict[str, list[Any]] = {}

    def turn(key: str, function: Callable, *arguments: Any) -> Any:
        value = function(*arguments)
        turns.setdefault(key, []).append(value)
        return value

    for repeat in range(repeats + 1):
        if repeat == 1:
            turns.clear()  # The first round compiled, and touched the memory.
        opened = percentiles(rounds.one_way(0, waits=False)[0])
        for point in ("p50", "p99"):
            turns.setdefault(f"one_way_open_{point}_ns", []).append(opened[point])
        floor = percentiles(turn("floor", rounds.floor))
        for index, (suffix, _, _) in enumerate(QUEUES):
            samples, writes = rounds.one_way(index)
            found = percentiles(samples)
            for point in ("p50", "p90", "p99", "p999"):
                turns.setdefault(f"one_way_{point}_ns{suffix}", []).append(found[point])
            for point in ("p50", "p99"):
                ratio = found[point] / floor[point]
                turns.setdefault(f"one_way_{point}_over_floor{suffix}", []).append(ratio)
            turns.setdefault(f"write_p50_ns{suffix}", []).append(percentiles(writes)["p50"])
            turn(f"read_p50_ns{suffix}", rounds.read, index)
            turn(f"msgs_per_s_alone{suffix}", rounds.alone, index)
            rate, share = rounds.with_consumer(index)
            turns.setdefault(f"msgs_per_s_with_consumer{suffix}", []).append(rate)
            turns.setdefault(f"consumed_share{suffix}", []).append(share)
    floors = [percentiles(samples) for samples in turns.pop("floor")]
    for point in ("p50", "p90", "p99", "p999"):
        bench.result(f"floor_{point}_ns", [floor[point] for floor in floors])
    for key, values in turns.items():
        bench.result(key, values)


def _measure_more_consumers(bench: Bench, rounds: Rounds, cores: int) -> None:
    for consumers in (2, 3):
        if cores <= consumers:
            bench.note(f"{consumers} consumers: left out, it takes {consumers + 1} cores")
            continue
        values = [percentiles(rounds.one_way(0, consumers)[0]) for _ in range(5)]
        for point in ("p50", "p99"):
            key = f"one_way_{point}_ns_{consumers}_consumers"
            bench.result(key, [value[point] for value in values])


def shared_words(count: int) -> np.ndarray:
    """Zeroed words, on a page of their own, that forked processes share."""
    return np.frombuffer(mmap.mmap(-1, 8 * count), np.int64)
