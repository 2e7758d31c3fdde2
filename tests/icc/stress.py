"""Real processes that publish and consume as fast as they can, and convict what is torn.

Every word of a message is a function of its first, and the first is (tag << 40 | sequence): the tag
is new for each start of a producer, the sequence counts. So a consumer alone can tell a torn
message, a message seen twice and a broken order, whatever the producers do.
"""

import mmap
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np

from mantra.compiled import compiled
from mantra.icc import queue, queue_segment, seqlock_vector, shm
from mantra.icc.atomics import cpu_pause, load_acquire, store_release
from mantra.icc.memory import address_of, aligned_zeros, records_at

FORK = multiprocessing.get_context("fork")
SECONDS = float(os.environ.get("MANTRA_STRESS_SECONDS", "1"))
WORD = np.dtype("i8")
TAGS = 1 << 16
SEQUENCE_BITS = 40
BATCH = 256

TALLY = np.dtype(
    [
        ("received", "i8"),
        ("torn", "i8"),
        ("disordered", "i8"),  # a sequence not above the last of its tag
        ("latest", "i8"),  # first word of the last message
    ],
    align=True,
)


def record_of(payload_bytes: int) -> np.dtype:
    return np.dtype([("words", "i8", (payload_bytes // 8,))])


@compiled
def fill(message, words, first):
    content = records_at(message, words, WORD)
    for word in range(words):
        content[word] = first * (2 * word + 1)


@compiled
def is_whole(message, words):
    content = records_at(message, words, WORD)
    difference = np.int64(0)
    for word in range(words):
        difference |= content[word] ^ (content[0] * (2 * word + 1))
    return difference == 0


@compiled
def publish_until(producer, message, words, tag, stop):
    """Publish numbered messages until the word at `stop` is set: how many. -1: numbers fell."""
    sequence = np.int64(0)
    before = np.int64(-1)
    while load_acquire(stop) == 0:
        for _ in range(BATCH):
            fill(message, words, tag << SEQUENCE_BITS | sequence)
            number = queue.publish(producer, message)
            if number <= before:
                return np.int64(-1)
            before = number
            sequence += 1
    return sequence


@compiled
def judge(message, words, tally_address, last_address):
    """Look at one message received."""
    tally = records_at(tally_address, 1, TALLY)[0]
    tally["received"] += 1
    if not is_whole(message, words):
        tally["torn"] += 1
        return
    first = records_at(message, 1, WORD)[0]
    last = records_at(last_address + 8 * (first >> SEQUENCE_BITS), 1, WORD)
    if first <= last[0]:
        tally["disordered"] += 1
    last[0] = first
    tally["latest"] = first


@compiled
def consume_until(consumer, message, words, tally, last, pauses, stop):
    """Consume until the word at `stop` is set and the queue is empty."""
    while True:
        ending = load_acquire(stop) != 0
        voided = records_at(consumer, 1, queue.CONSUMER)[0]["voided"]
        status = queue.try_consume(consumer, message)
        if status == queue.DATA:
            judge(message, words, tally, last)
            for _ in range(pauses):
                cpu_pause()
        elif status == queue.EMPTY and ending:
            if records_at(consumer, 1, queue.CONSUMER)[0]["voided"] == voided:
                return


@compiled
def consume_plainly_until(consumer, message, words, tally, last, pauses, stop):
    """Known bad: the copy is not looked at again, and nothing is atomic."""
    while load_acquire(stop) == 0:
        handle = records_at(consumer, 1, queue.CONSUMER)[0]
        slot = handle["slots"] + (handle["next"] & handle["mask"]) * handle["slot_bytes"]
        content = records_at(slot, words + 1, WORD)
        if content[0] & queue.STATE_MASK == queue.WHOLE and content[0] >= queue.whole(
            handle["next"]
        ):
            target = records_at(message, words, WORD)
            for word in range(words):
                target[word] = content[word + 1]
            handle["next"] = content[0] >> queue.NUMBER_SHIFT
            judge(message, words, tally, last)


@compiled
def write_rows_until(vector, message, words, rows, tag, stop):
    sequence = np.int64(0)
    while load_acquire(stop) == 0:
        for row in range(rows):
            fill(message, words, tag << SEQUENCE_BITS | sequence)
            seqlock_vector.write_row(vector, row, message)
        sequence += 1
    return sequence


@compiled
def read_rows_until(vector, message, words, rows, tally_address, versions_address, stop):
    """Read rows round and round; a row's version must never fall."""
    tally = records_at(tally_address, 1, TALLY)[0]
    versions = records_at(versions_address, rows, WORD)
    ending = False
    while not ending:
        ending = load_acquire(stop) != 0  # One more round then: all that was written is there.
        for row in range(rows):
            version = seqlock_vector.try_read_row(vector, row, message)
            if version <= 0:
                continue
            tally["received"] += 1
            if not is_whole(message, words):
                tally["torn"] += 1
            if version < versions[row]:
                tally["disordered"] += 1
            versions[row] = version
            tally["latest"] = records_at(message, 1, WORD)[0]


# ---------------------------------------------------------------- processes


@dataclass(frozen=True)
class Stop:
    """A word in memory shared with all children: set it and they end."""

    memory: np.ndarray

    @property
    def address(self) -> int:
        return address_of(self.memory)

    def __call__(self) -> None:
        store_release(self.address, 1)


@dataclass
class Child:
    """A forked process; `result` waits for what its function returns."""

    process: BaseProcess
    pipe: Connection

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def result(self):
        assert self.pipe.poll(30), "no answer of a child in 30 s: it hangs"
        value = self.pipe.recv()
        self.process.join()
        return value

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.process.join()


def fork(core: int, function: Callable, *arguments) -> Child:
    """Run `function(*arguments)` in a child on the core of that index."""
    here, there = FORK.Pipe(duplex=False)
    cores = sorted(os.sched_getaffinity(0))

    def run() -> None:
        os.sched_setaffinity(0, {cores[core % len(cores)]})
        there.send(function(*arguments))

    process = FORK.Process(target=run, daemon=True)
    process.start()
    there.close()
    return Child(process, here)


@contextmanager
def stopping() -> Iterator[Stop]:
    memory = np.frombuffer(mmap.mmap(-1, 4096), np.int64)
    stop = Stop(memory)
    try:
        yield stop
    finally:
        stop()


@contextmanager
def shared_queue(payload_bytes: int, capacity: int, mode: int) -> Iterator[queue_segment.Queue]:
    name = f"q{payload_bytes}-{capacity}-{mode}"
    made = queue_segment.create(
        f"stress-{os.getpid()}", name, record_of(payload_bytes), capacity, mode
    )
    try:
        yield made
    finally:
        made.segment.path.unlink()


def produce(of: queue_segment.Queue, tag: int, stop: Stop) -> int:
    """Attach, publish until stopped; how many."""
    handle = queue_segment.producer(of)
    words = int(handle["words"][0])
    message = aligned_zeros(1, record_of(8 * words))
    count = publish_until(address_of(handle), address_of(message), words, tag, stop.address)
    queue_segment.release_producer(of, handle)
    return int(count)


def consume(of: queue_segment.Queue, stop: Stop, pauses: int = 0, plainly: bool = False) -> dict:
    """Consume from the oldest number until stopped; the tally and the counters of the handle."""
    handle = queue_segment.consumer(of, "stress", from_oldest=True)
    start, words = int(handle["next"][0]), int(handle["words"][0])
    message, tally = aligned_zeros(1, record_of(8 * words)), aligned_zeros(1, TALLY)
    last = np.full(TAGS, -1, np.int64)
    loop = consume_plainly_until if plainly else consume_until
    addresses = (address_of(handle), address_of(message), words, address_of(tally))
    loop(*addresses, address_of(last), pauses, stop.address)
    names = ("next", "lost", "voided", "sped_past")
    counters = {"start": start} | {name: int(handle[name][0]) for name in names}
    return counters | {name: int(tally[name][0]) for name in TALLY.names or ()}


def wait_for(progress: Callable[[], int], more: int) -> None:
    """Until a count has grown by `more`. Fails after 30 s."""
    start, deadline = progress(), time.monotonic() + 30
    while progress() < start + more:
        assert time.monotonic() < deadline, f"no {more} more in 30 s: all hangs at {progress()}"
        time.sleep(0.0005)


def write_rows(of: seqlock_vector.Vector, tag: int, stop: Stop) -> int:
    words, rows = int(of.handle["words"][0]), int(of.handle["rows"][0])
    message = aligned_zeros(1, record_of(8 * words))
    handle = address_of(of.handle)
    return int(write_rows_until(handle, address_of(message), words, rows, tag, stop.address))


def read_rows(of: seqlock_vector.Vector, stop: Stop) -> dict:
    words, rows = int(of.handle["words"][0]), int(of.handle["rows"][0])
    message, tally = aligned_zeros(1, record_of(8 * words)), aligned_zeros(1, TALLY)
    versions = np.zeros(rows, np.int64)
    addresses = (address_of(of.handle), address_of(message), words, rows, address_of(tally))
    read_rows_until(*addresses, address_of(versions), stop.address)
    return {name: int(tally[name][0]) for name in TALLY.names or ()}


def compile_all() -> None:
    """Compile (or load) before forking: children share it, and none of their time goes there."""
    with stopping() as stop:
        stop()
        for mode in (queue.SPMC, queue.MPMC):
            with shared_queue(56, 2, mode) as made:
                produce(made, 1, stop)
                consume(made, stop)
                consume(made, stop, plainly=True)
        vector = seqlock_vector.create(f"stress-{os.getpid()}", "warm", record_of(56), 1)
        write_rows(vector, 1, stop)
        read_rows(vector, stop)
        vector.segment.path.unlink()
    assert not shm.clean(f"stress-{os.getpid()}")
