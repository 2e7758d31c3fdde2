"""A source has the room that the slowest living consumer which paces leaves it."""

import os

import numpy as np
import pytest

from mantra.actors.pacing import ROOM, has_room, set_room
from mantra.compiled import compiled
from mantra.icc import queue, queue_segment, shm
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import L2_UPDATE


@compiled
def publish(producer_address, message_address):
    queue.publish(producer_address, message_address)


@pytest.fixture
def ring():
    run = f"pacing-{os.getpid()}"
    made = queue_segment.create(run, "l2", L2_UPDATE, 64)
    yield made
    made.segment.path.unlink()


def room_on(ring, lead):
    room = aligned_zeros(1, ROOM)
    set_room(room[0], ring, lead)
    return room


class Sender:
    def __init__(self, ring):
        self.producer = queue_segment.producer(ring)
        self.message = np.zeros(1, L2_UPDATE)

    def send(self, count):
        for _ in range(count):
            publish(address_of(self.producer), address_of(self.message))


def test_the_limit_is_the_lead_or_half_the_ring(ring):
    assert room_on(ring, 8)["limit"][0] == 8
    assert room_on(ring, 1_000)["limit"][0] == 32


def test_without_a_pacing_consumer_there_is_always_room(ring):
    queue_segment.consumer(ring, "watcher", paces=False)
    room, sender = room_on(ring, 8), Sender(ring)
    sender.send(100)
    assert has_room(room[0], 8)


def test_room_ends_at_the_lead_and_comes_back_when_the_slowest_shows_progress(ring):
    slow = queue_segment.consumer(ring, "slow", paces=True)
    fast = queue_segment.consumer(ring, "fast", paces=True)
    room, sender = room_on(ring, 8), Sender(ring)
    assert room["paced_by"][0] == 2
    sender.send(6)
    assert has_room(room[0], 2)
    assert not has_room(room[0], 3)
    fast["next"] = 6
    queue.show_progress(address_of(fast))
    assert not has_room(room[0], 3)
    assert room["blocked"][0] == 2
    slow["next"] = 1
    queue.show_progress(address_of(slow))
    assert has_room(room[0], 3)
    assert room["blocked"][0] == 0


def test_more_than_the_limit_has_room_once_all_is_read(ring):
    reader = queue_segment.consumer(ring, "reader", paces=True)
    room, sender = room_on(ring, 8), Sender(ring)
    assert has_room(room[0], 1_000)
    sender.send(1)
    assert not has_room(room[0], 1_000)
    reader["next"] = 1
    queue.show_progress(address_of(reader))
    assert has_room(room[0], 1_000)


def test_a_dead_consumer_is_left_out_when_the_room_is_set_anew(ring):
    queue_segment.consumer(ring, "dying", paces=True)
    room, sender = room_on(ring, 8), Sender(ring)
    sender.send(8)
    assert not has_room(room[0], 1)
    ring.consumers["process"][0] = shm.PID_MASK  # no process has the highest id
    set_room(room[0], ring, 8)
    assert has_room(room[0], 1)
