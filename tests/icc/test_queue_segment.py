"""The queue in shared memory: who may attach, what is refused, what others see."""

import os
import subprocess
import threading

import numpy as np
import pytest

from mantra.icc import atomics, queue, queue_segment, shm
from mantra.icc.memory import address_of, aligned_zeros

RECORD = np.dtype([("words", "i8", (7,))])
RUN = "unit"


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MANTRA_SHM", str(tmp_path))


@pytest.fixture
def dead_process():
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def made(mode: int = queue.SPMC, capacity: int = 8) -> queue_segment.Queue:
    return queue_segment.create(RUN, "q", RECORD, capacity, mode)


def publish(handle: np.ndarray, count: int) -> None:
    message = aligned_zeros(1, RECORD)
    for _ in range(count):
        queue.publish(address_of(handle), address_of(message))


@pytest.mark.parametrize("capacity", [0, 1, 3, 12])
def test_a_capacity_that_is_no_power_of_two_is_refused(capacity):
    with pytest.raises(ValueError, match="not a power of two"):
        queue_segment.create(RUN, "q", RECORD, capacity)


def test_a_record_that_fills_no_slot_and_an_unknown_mode_are_refused():
    with pytest.raises(ValueError, match=r"64 bytes; a slot takes one of \(56, 120, 248\)"):
        queue_segment.create(RUN, "q", np.dtype([("words", "i8", (8,))]), 8)
    with pytest.raises(ValueError, match="mode 3 is neither"):
        queue_segment.create(RUN, "q", RECORD, 8, 3)


def test_slots_begin_on_cache_lines():
    handle = queue_segment.producer(made())
    assert handle["slots"][0] % 64 == 0
    assert handle["slot_bytes"][0] == 64


def test_other_records_are_refused_with_both_sizes():
    made()
    with pytest.raises(shm.SegmentError, match="56 bytes there, 120 here"):
        queue_segment.attach(RUN, "q", np.dtype([("words", "i8", (15,))]))
    with pytest.raises(shm.SegmentError, match="if equal: the fields"):
        queue_segment.attach(RUN, "q", np.dtype([("other", "i8", (7,))]))


def test_one_producer_is_one_and_its_place_is_free_after_release():
    of = made()
    handle = queue_segment.producer(of)
    with pytest.raises(shm.SegmentError, match=f"one producer already: process {os.getpid()}"):
        queue_segment.producer(of)
    queue_segment.release_producer(of, handle)
    assert queue_segment.producer(of)["owner"] == 1


def test_of_many_that_attach_at_once_one_gets_the_one_place():
    of, got = made(), []
    gate = threading.Barrier(8)

    def attach() -> None:
        gate.wait()
        try:
            got.append(queue_segment.producer(of))
        except shm.SegmentError:
            got.append(None)

    threads = [threading.Thread(target=attach) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(handle is not None for handle in got) == 1


def test_a_place_whose_healer_died_is_healed_again(dead_process):
    of = made()
    of.owners[1] = -dead_process
    assert queue_segment.producer(of)["owner"] == 1


def test_an_attaching_producer_waits_for_a_healer_at_work(monkeypatch):
    of = made()
    of.owners[1] = -shm.this_process()

    def healed(seconds: float) -> None:
        of.owners[1] = 0

    monkeypatch.setattr(queue_segment.time, "sleep", healed)
    assert queue_segment.producer(of)["owner"] == 1


def test_producers_that_share_a_queue_get_different_numbers_until_there_are_none():
    of = made(queue.MPMC)
    numbers = [int(queue_segment.producer(of)["owner"][0]) for _ in range(queue.OWNERS_MAX)]
    assert sorted(numbers) == list(range(1, queue.OWNERS_MAX + 1))
    with pytest.raises(shm.SegmentError, match="has 255 producers already"):
        queue_segment.producer(of)


def test_a_supervisor_heals_what_the_dead_hold_and_not_what_the_living_hold(dead_process):
    of = made(queue.MPMC)
    first, _, slot_bytes = queue_segment._ring(of)
    for number, (owner, process) in enumerate([(3, dead_process), (4, shm.this_process())]):
        of.owners[owner] = process
        atomics.store_release(first + number * slot_bytes, queue.writing(number, owner))
    assert queue_segment.heal(of) == 1
    assert atomics.load_acquire(first) == queue.void(0, 0)
    assert atomics.load_acquire(first + slot_bytes) == queue.writing(1, 4)
    assert of.owners[3:5].tolist() == [0, shm.this_process()]


def test_consumers_start_at_the_next_message_or_the_oldest():
    of = made(capacity=4)
    publish(queue_segment.producer(of), 6)
    assert queue_segment.consumer(of, "new")["next"] == 6
    assert queue_segment.consumer(of, "old", from_oldest=True)["next"] == 2


def test_consumers_are_shown_with_progress():
    of = made()
    handle = queue_segment.consumer(of, "a reader", paces=True)
    line = of.consumers[0]
    assert (line["process"], line["name"], line["paces"]) == (shm.this_process(), b"a reader", 1)
    handle["next"], handle["lost"] = 40, 3
    queue.show_progress(address_of(handle))
    assert (line["cursor"], line["lost"]) == (40, 3)


def test_a_dead_consumers_line_is_taken_over_and_a_full_list_is_refused(dead_process):
    of = made()
    for index in range(queue_segment.CONSUMERS_MAX):
        queue_segment.consumer(of, f"c{index}")
    with pytest.raises(shm.SegmentError, match="has 64 consumers already"):
        queue_segment.consumer(of, "one more")
    of.consumers[5]["process"] = dead_process
    queue_segment.consumer(of, "heir")
    assert of.consumers[5]["name"] == b"heir"


def test_a_read_only_mapping_reads_and_refuses_all_that_writes():
    of = made()
    writer = queue_segment.producer(of)
    seen = queue_segment.attach(RUN, "q", RECORD, writable=False)
    handle = queue_segment.consumer(seen, "observer", shown=False)
    publish(writer, 1)
    target = aligned_zeros(1, RECORD)
    assert queue.try_consume(address_of(handle), address_of(target)) == queue.DATA
    for refused in (queue_segment.producer, queue_segment.heal):
        with pytest.raises(shm.SegmentError, match="mapped read-only"):
            refused(seen)
    with pytest.raises(shm.SegmentError, match="mapped read-only"):
        queue_segment.consumer(seen, "shown")
