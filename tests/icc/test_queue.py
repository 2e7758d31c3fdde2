"""The queue in one process: against a naive one, and every state a slot can be left in."""

import os
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.icc import queue, queue_segment, shm
from mantra.icc.atomics import load_acquire, store_release
from mantra.icc.memory import address_of, aligned_zeros
from tests.icc.naive import NaiveQueue

RECORD = np.dtype([("words", "i8", (7,))])
STATUS = {queue.EMPTY: "EMPTY", queue.DATA: "DATA", queue.SPED_PAST: "SPED_PAST"}


class Rig:
    """A queue with one producer and one consumer, driven step by step."""

    def __init__(self, capacity: int, mode: int):
        self.of = queue_segment.create(f"unit-{os.getpid()}", "rig", RECORD, capacity, mode)
        self.of.segment.path.unlink()  # The mapping stays.
        self.producer = queue_segment.producer(self.of)
        self.consumer = queue_segment.consumer(self.of, "rig")
        self.message, self.target = aligned_zeros(1, RECORD), aligned_zeros(1, RECORD)

    def publish(self, value: int) -> int:
        self.message["words"] = value
        return int(queue.publish(address_of(self.producer), address_of(self.message)))

    def consume(self) -> tuple[str, int, int | None]:
        status = queue.try_consume(address_of(self.consumer), address_of(self.target))
        values = set(self.target["words"][0].tolist()) if status == queue.DATA else {None}
        assert len(values) == 1, "torn"
        return STATUS[status], int(self.consumer["next"][0]), values.pop()

    def slot_at(self, number: int) -> int:
        first, capacity, slot_bytes = queue_segment._ring(self.of)
        return first + (number & (capacity - 1)) * slot_bytes

    def version(self, number: int) -> int:
        return load_acquire(self.slot_at(number))

    def leave_in_mid_write(self, number: int, owner: int) -> None:
        store_release(self.slot_at(number), queue.writing(number, owner))

    def register(self, owner: int, process: int) -> None:
        self.of.owners[owner] = process

    def poll(self, times: int = queue.STUCK_POLLS) -> None:
        for _ in range(times):
            self.consume()


@pytest.fixture(params=[queue.SPMC, queue.MPMC], ids=["SPMC", "MPMC"])
def rig(request):
    return Rig(4, request.param)


@pytest.fixture
def shared():
    return Rig(4, queue.MPMC)


@pytest.fixture
def dead_process():
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


@settings(max_examples=40, deadline=None)
@given(
    capacity=st.sampled_from([2, 4, 8]),
    mode=st.sampled_from([queue.SPMC, queue.MPMC]),
    steps=st.lists(st.integers(0, 12), max_size=12),
)
def test_it_is_the_naive_queue_whatever_the_turns(capacity, mode, steps):
    rig, naive = Rig(capacity, mode), NaiveQueue(capacity)
    at = lost = 0
    for index, burst in enumerate(steps):
        for value in range(burst):
            assert rig.publish(100 * index + value) == naive.publish(100 * index + value)
        for _ in range(burst // 2 + 1):
            expected = naive.try_consume(at)
            lost += expected[1] - at if expected[0] == "SPED_PAST" else 0
            at = expected[1]
            assert rig.consume() == expected
            assert rig.consumer["lost"][0] == lost


def test_versions_of_a_slot_are_ordered():
    for number in (0, 1, 5, 1 << 40):
        ring = [
            queue.whole(number),
            queue.void(number, 0),
            queue.void(number, queue.OWNERS_MAX),
            queue.writing(number + 2, 1),
            queue.writing(number + 2, queue.OWNERS_MAX),
            queue.whole(number + 2),
        ]
        assert ring == sorted(set(ring))
    assert queue.whole((1 << 53) - 2) < 1 << 63


def test_a_producer_that_lives_is_waited_for(rig):
    rig.leave_in_mid_write(0, owner=1)
    rig.poll()
    assert rig.version(0) == queue.writing(0, 1)


def test_what_a_dead_producer_left_is_voided_and_passed_over(rig, dead_process):
    rig.leave_in_mid_write(0, owner=1)
    rig.register(1, dead_process)
    rig.poll(queue.STUCK_POLLS - 1)
    assert rig.version(0) == queue.writing(0, 1)
    rig.poll(2)
    assert rig.version(0) == queue.void(0, 0)
    assert rig.consumer["voided"][0] == 1
    assert rig.consumer["next"][0] == 1


def test_a_new_producer_goes_on_behind_the_slot_its_predecessor_left(rig, dead_process):
    rig.publish(5)
    rig.leave_in_mid_write(1, owner=1)
    rig.register(1, dead_process)
    rig.producer = queue_segment.producer(rig.of)
    assert rig.version(1) == queue.void(1, 0)
    assert rig.publish(6) == 2
    assert [rig.consume()[2] for _ in range(3)] == [5, None, 6]


def test_a_slot_whose_holder_was_lapped_is_left_to_it(shared):
    shared.leave_in_mid_write(0, owner=9)
    shared.register(9, shm.this_process())
    assert [shared.publish(v) for v in range(1, 5)] == [1, 2, 3, 5]
    assert shared.version(0) == queue.void(4, 9)
    assert shared.consume() == ("SPED_PAST", 2, None)
    assert [shared.consume()[2] for _ in range(4)] == [2, 3, None, 4]
    assert (shared.consumer["lost"][0], shared.consumer["voided"][0]) == (2, 1)


def test_a_number_given_back_lets_others_write_there(shared):
    store_release(shared.slot_at(0), queue.void(0, 9))
    queue.give_back(shared.slot_at(0), 8)
    assert shared.version(0) == queue.void(0, 9)
    queue.give_back(shared.slot_at(0), 9)
    assert shared.version(0) == queue.void(0, 0)
    assert [shared.publish(v) for v in range(5)] == [1, 2, 3, 4, 5]


def test_healing_frees_all_slots_of_one_owner_and_then_its_number(shared):
    shared.leave_in_mid_write(0, owner=9)
    store_release(shared.slot_at(1), queue.void(1, 9))
    shared.leave_in_mid_write(2, owner=8)
    shared.register(9, 77)
    first, capacity, slot_bytes = queue_segment._ring(shared.of)
    owner_at = queue_segment._owner_at(shared.of, 9)
    assert queue.heal_owner(first, capacity, slot_bytes, 9, owner_at, 78, -5) == -1
    assert queue.heal_owner(first, capacity, slot_bytes, 9, owner_at, 77, -5) == 2
    assert [shared.version(n) for n in range(3)] == [
        queue.void(0, 0),
        queue.void(1, 0),
        queue.writing(2, 8),
    ]
    assert shared.of.owners[9] == 0


def test_a_read_only_consumer_heals_nothing(rig, dead_process):
    rig.leave_in_mid_write(0, owner=1)
    rig.register(1, dead_process)
    rig.consumer["owners"] = 0
    rig.poll(queue.STUCK_POLLS + 1)
    assert rig.version(0) == queue.writing(0, 1)


def test_processes_are_told_apart_from_none(dead_process):
    assert queue.process_gone(dead_process)
    assert not queue.process_gone(os.getpid())
    assert not queue.process_gone(1), "of another user, or ours: it is there"


def test_many_are_consumed_at_once_and_void_numbers_between_them(shared):
    shared.publish(1)
    store_release(shared.slot_at(1), queue.void(1, 0))
    shared.publish(2)
    target = aligned_zeros(4, RECORD)
    assert queue.consume_many(address_of(shared.consumer), address_of(target), 4) == 2
    assert target["words"][:2, 0].tolist() == [1, 2]


@pytest.mark.needs_jit
def test_there_is_one_specialisation_of_each(rig):
    rig.publish(1)
    rig.consume()
    for function in (queue.publish, queue.publish_shared, queue.try_consume, queue.consume_many):
        assert len(function.signatures) <= 1
