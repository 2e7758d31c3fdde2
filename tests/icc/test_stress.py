"""Queue and vector between real processes: nothing torn, every number counted once.

MANTRA_STRESS_SECONDS sets how long each test runs, `make stress` repeats them. The canary runs
under the same harness and must be convicted.
"""

import os
import random
import signal
import time

import pytest

from mantra.icc import queue, seqlock_vector
from mantra.icc.memory import address_of
from tests.icc import stress

PATIENCE_S = 12

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    stress.compile_all()


def assert_sound(tally: dict) -> None:
    """Nothing torn, nothing out of order, and each number received, lost or voided."""
    assert tally["torn"] == 0
    assert tally["disordered"] == 0
    assert tally["received"] + tally["lost"] + tally["voided"] == tally["next"] - tally["start"]
    assert tally["received"] > 0


def pass_the_time() -> None:
    time.sleep(stress.SECONDS)


@pytest.mark.parametrize(
    ("payload", "capacity", "pauses"),
    [(56, 1 << 16, 0), (248, 64, 200), (120, 2, 0), (56, 4, 20)],
    ids=["fast consumer", "slow lapped consumer", "ring of two", "ring of four"],
)
def test_one_producer_and_a_consumer_of_any_speed(payload, capacity, pauses):
    with stress.shared_queue(payload, capacity, queue.SPMC) as made, stress.stopping() as stop:
        consumer = stress.fork(1, stress.consume, made, stop, pauses)
        producer = stress.fork(0, stress.produce, made, 1, stop)
        pass_the_time()
        stop()
        published, tally = producer.result(), consumer.result()
        late = stress.consume(made, stop)  # Where the consumer ended before the producer.
        assert made.count == published
        assert_sound(tally)
        assert_sound(late)
        assert tally["next"] <= late["next"] == published


@pytest.mark.parametrize("capacity", [1 << 10, 4, 2])
def test_two_producers_and_two_consumers(capacity):
    with stress.shared_queue(56, capacity, queue.MPMC) as made, stress.stopping() as stop:
        consumers = [stress.fork(i, stress.consume, made, stop) for i in range(2)]
        producers = [stress.fork(i, stress.produce, made, 1 + i, stop) for i in range(2)]
        pass_the_time()
        stop()
        published = [producer.result() for producer in producers]
        assert min(published) > 0
        late = stress.consume(made, stop)
        for consumer in consumers:
            tally = consumer.result()
            assert_sound(tally)
        assert_sound(late)
        assert late["next"] >= sum(published)


@pytest.mark.parametrize("mode", [queue.SPMC, queue.MPMC], ids=["SPMC", "MPMC"])
@pytest.mark.parametrize("capacity", [4, 1 << 10])
def test_consumers_go_on_when_producers_are_killed_in_mid_write(mode, capacity):
    dice = random.Random(1)
    with stress.shared_queue(248, capacity, mode) as made, stress.stopping() as stop:
        consumer = stress.fork(1, stress.consume, made, stop)
        tag, in_mid_write, start = 1, 0, time.monotonic()
        while (passed := time.monotonic() - start) < stress.SECONDS or (
            in_mid_write == 0 and passed < PATIENCE_S  # Not every kill hits a write.
        ):
            victims = range(1 if mode == queue.SPMC else 2)
            producers = [stress.fork(0, stress.produce, made, tag + i, stop) for i in victims]
            tag += len(victims)
            stress.wait_for(lambda: made.count, 5000)
            time.sleep(dice.uniform(0, 0.005))
            for producer in producers:
                producer.kill()
            in_mid_write += held_slots(made)  # Unless the consumer healed it already.
        last = stress.fork(0, stress.produce, made, tag, stop)
        stress.wait_for(lambda: made.count, 5000)
        stop()
        assert last.result() > 0
        tally = consumer.result()
        assert_sound(tally)
        assert tally["latest"] >> stress.SEQUENCE_BITS == tag, "it still stands where one died"
        assert held_slots(made) == 0, "an attaching producer heals all"
        assert in_mid_write + tally["voided"] > 0, "no kill hit a write: the test did not test"


def held_slots(made) -> int:
    """Slots that carry a producer's number: writes not finished."""
    words = int(made.geometry["slot_bytes"]) // 8
    content = made.segment.array[-made.capacity * words * 8 :].view("i8")
    return int(((content[::words] >> queue.OWNER_SHIFT) & queue.OWNER_MASK > 0).sum())


def test_a_producer_stopped_for_more_than_a_ring_tears_nothing_and_publishes_anew():
    dice = random.Random(2)
    with stress.shared_queue(248, 4, queue.MPMC) as made, stress.stopping() as stop:
        consumer = stress.fork(1, stress.consume, made, stop)
        producers = [stress.fork(i, stress.produce, made, 1 + i, stop) for i in range(2)]
        end = time.monotonic() + stress.SECONDS
        while time.monotonic() < end:
            time.sleep(dice.uniform(0.0, 0.004))
            os.kill(producers[0].pid, signal.SIGSTOP)
            time.sleep(dice.uniform(0.001, 0.004))
            os.kill(producers[0].pid, signal.SIGCONT)
        stop()
        published = [producer.result() for producer in producers]
        tally = consumer.result()
        late = stress.consume(made, stop)
        assert min(published) > 0
        assert_sound(tally)
        assert_sound(late)
        assert late["next"] > sum(published), "never lapped in mid-write: the test did not test"


def test_the_known_bad_reader_is_convicted_by_the_same_harness():
    with stress.shared_queue(248, 2, queue.SPMC) as made, stress.stopping() as stop:
        consumer = stress.fork(1, stress.consume, made, stop, 0, True)
        producer = stress.fork(0, stress.produce, made, 1, stop)
        pass_the_time()
        stop()
        producer.result()
        assert consumer.result()["torn"] > 0


def test_rows_are_never_torn_though_their_writers_are_killed():
    dice = random.Random(3)
    run = f"stress-{os.getpid()}"
    vector = seqlock_vector.create(run, "rows", stress.record_of(248), 4)

    def written() -> int:
        return seqlock_vector.writes(address_of(vector.handle))

    try:
        with stress.stopping() as stop:
            reader = stress.fork(1, stress.read_rows, vector, stop)
            tag, end = 1, time.monotonic() + stress.SECONDS
            while time.monotonic() < end:
                writer = stress.fork(0, stress.write_rows, vector, tag, stop)
                stress.wait_for(written, 5000)
                time.sleep(dice.uniform(0, 0.005))
                writer.kill()
                tag += 1
            last = stress.fork(0, stress.write_rows, vector, tag, stop)
            stress.wait_for(written, 5000)
            stop()
            assert last.result() > 0
            tally = reader.result()
            assert tally["torn"] == 0
            assert tally["disordered"] == 0
            assert tally["latest"] >> stress.SEQUENCE_BITS == tag
    finally:
        vector.segment.path.unlink()
