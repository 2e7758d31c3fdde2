"""The queue between processes, beside the floor of the machine and beside other queues.

Two processes pinned to two cores, one forked from the other. In turns, sample by sample: the floor
(a flag goes over and back on two cache lines: half the time of it) and a message, paced alike: the
next goes out when the pace has passed and the one before was received. So a core that is taken away
or moved spoils both alike, and the ratios are medians over rounds of ratios in one round.
`one_way_open` does not wait for the receipt: there, a pause delays all that came meanwhile.

A message carries the ticks read just before `publish`; the consumer reads ticks just after the
successful `try_consume`. One way holds a whole clock read, the floor half of one; nothing is
subtracted there.

write    the producer's time in `publish`, paced, its consumer spinning on the slot: between two
         clock reads (`write_gross`), and less one (`write`)
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
OVER_AT, BACK_AT, RECEIPT_AT, STOP_AT = (2 * CACHE_LINE * line for line in range(4))
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
def wait_until(due):
    while read_tsc() < due:
        cpu_pause()


@compiled
def lead(producer, message, flags, floor_address, write_address, count, pace):
    """In turns a flag over and back, and a stamped message: ticks of the round trip, of `publish`.

    One every `pace` ticks, and not before the one before was received.
    """
    floor = records_at(floor_address, count, WORD)
    write = records_at(write_address, count, WORD)
    stamp = records_at(message, 1, WORD)
    for index in range(count):
        wait_until(read_tsc() + pace)
        start = read_tsc()
        store_release(flags + OVER_AT, index + 1)
        while load_acquire(flags + BACK_AT) != index + 1:
            pass
        floor[index] = read_tsc() - start
        wait_until(start + pace)
        start = read_tsc()
        stamp[0] = start
        queue.publish(producer, message)
        write[index] = read_tsc() - start
        while load_acquire(flags + RECEIPT_AT) != index + 1:
            cpu_pause()


@compiled
def follow(consumer, message, flags, samples_address, count, answers):
    """The other side: ticks from stamp to receipt. Only one of several consumers `answers`."""
    samples = records_at(samples_address, count, WORD)
    stamp = records_at(message, 1, WORD)
    for index in range(count):
        if answers:
            while load_acquire(flags + OVER_AT) != index + 1:
                pass
            store_release(flags + BACK_AT, index + 1)
        while queue.try_consume(consumer, message) != queue.DATA:
            pass
        samples[index] = read_tsc() - stamp[0]
        if answers:
            store_release(flags + RECEIPT_AT, index + 1)


@compiled
def publish_open(producer, message, count, pace):
    """Publish a stamped message every `pace` ticks, whoever reads."""
    stamp = records_at(message, 1, WORD)
    due = read_tsc()
    for _ in range(count):
        due += pace
        wait_until(due)
        stamp[0] = read_tsc()
        queue.publish(producer, message)


@compiled
def consume_open(consumer_address, message, samples_address, count):
    """Ticks from stamp to receipt of the next `count` messages."""
    samples = records_at(samples_address, count, WORD)
    consumer = records_at(consumer_address, 1, queue.CONSUMER)[0]
    stamp = records_at(message, 1, WORD)
    first = consumer["next"]
    while consumer["next"] < first + count:
        if queue.try_consume(consumer_address, message) == queue.DATA:
            samples[consumer["next"] - first - 1] = read_tsc() - stamp[0]


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

    def consume(self, ring: int, count: int, answers: int) -> np.ndarray:
        of, samples = self.rings[ring], np.zeros(count, np.int64)
        follow(of.consumer, of.message, self.flags, address_of(samples), count, answers)
        return samples

    def consume_open(self, ring: int, count: int) -> np.ndarray:
        of, samples = self.rings[ring], np.full(count, UNSEEN)
        consume_open(of.consumer, of.message, address_of(samples), count)
        return samples[samples != UNSEEN]

    def read(self, ring: int, bursts: int) -> np.ndarray:
        of, samples = self.rings[ring], np.zeros(bursts, np.int64)
        consume_bursts(of.consumer, of.message, address_of(samples), bursts)
        return samples / BURST

    def drain(self, ring: int) -> int:
        of = self.rings[ring]
        return int(consume_many(of.consumer, of.message, self.flags + STOP_AT))


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

    def one_way(self, ring: int, consumers: int = 1) -> tuple[np.ndarray, ...]:
        """Floor, one way to the first of the consumers, what each publish took; in turns."""
        of, flags = self.rings[ring], address_of(self.flags)
        floor, writes = np.zeros((2, self.count), np.int64)
        self.flags[:] = 0
        for index, follower in enumerate(self.followers[:consumers]):
            self._ask(follower, "consume", ring, self.count, int(index == 0))
        samples_at = (address_of(floor), address_of(writes))
        lead(of.producer, of.message, flags, *samples_at, self.count, self.pace)
        received = [follower.answer() for follower in self.followers[:consumers]]
        return self._settled(floor) / 2, self._settled(received[0]), self._settled(writes)

    def clock_read(self) -> float:
        return median(clock_reads(100) * self.ns / 100 for _ in range(500))

    def one_way_open(self, ring: int) -> np.ndarray:
        of = self.rings[ring]
        self._ask(self.followers[0], "consume_open", ring, self.count)
        publish_open(of.producer, of.message, self.count, self.pace)
        return self._settled(self.followers[0].answer())

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
        store_release(address_of(self.flags) + STOP_AT, 1)
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
        measure_peers(bench, rounds.ns, cores[1], rounds.flags, size.peers)
    bench.note(f"cores {cores[0]} -> {cores[1]}; clock {TICK_SOURCE}; {CAPACITY:,} slots")
    bench.note("one way holds a clock read (clock_read_ns), the floor half; write is without one")
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
            ring.segment.segment.path.unlink()


def _measure_queues(bench: Bench, rounds: Rounds, repeats: int) -> None:
    turns: dict[str, list[Any]] = {}

    def turn(key: str, function: Callable, *arguments: Any) -> Any:
        value = function(*arguments)
        turns.setdefault(key, []).append(value)
        return value

    for repeat in range(repeats + 1):
        if repeat == 1:
            turns.clear()  # The first round compiled, and touched the memory.
        clock = turn("clock_read_ns", rounds.clock_read)
        opened = percentiles(rounds.one_way_open(0))
        for point in ("p50", "p99"):
            turns.setdefault(f"one_way_open_{point}_ns", []).append(opened[point])
        for index, (suffix, _, _) in enumerate(QUEUES):
            bare, samples, writes = rounds.one_way(index)
            floor, found = percentiles(bare), percentiles(samples)
            if index == 0:
                turns.setdefault("floor", []).append(bare)
            for point in ("p50", "p90", "p99", "p999"):
                turns.setdefault(f"one_way_{point}_ns{suffix}", []).append(found[point])
            for point in ("p50", "p99"):
                ratio = found[point] / floor[point]
                turns.setdefault(f"one_way_{point}_over_floor{suffix}", []).append(ratio)
            gross = percentiles(writes)["p50"]
            turns.setdefault(f"write_gross_p50_ns{suffix}", []).append(gross)
            turns.setdefault(f"write_p50_ns{suffix}", []).append(gross - clock)
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
        values = [percentiles(rounds.one_way(0, consumers)[1]) for _ in range(5)]
        for point in ("p50", "p99"):
            key = f"one_way_{point}_ns_{consumers}_consumers"
            bench.result(key, [value[point] for value in values])


def shared_words(count: int) -> np.ndarray:
    """Zeroed words, on a page of their own, that forked processes share."""
    return np.frombuffer(mmap.mmap(-1, 8 * count), np.int64)
