"""Ids and slots: found at once, never mistaken, used in turn."""

from mantra.messages.enums import ACCEPTED, CANCELED
from mantra.overseer.orders import find_order
from mantra.overseer.state import CAPACITY, KEPT, NOWHERE, OPEN_MAX
from tests.overseer.overseer_desk import Desk


def test_an_id_is_a_sequence_and_a_slot_and_finds_its_order():
    with Desk() as desk:
        for row in range(4):
            desk.want("a", row, price=100, volume=1)
        sent = desk.step()
        ids = [int(request["order_id"]) for request in sent]
        assert ids == sorted(set(ids))
        for order_id in ids:
            assert order_id >= CAPACITY
            found = find_order(desk.overseer.context[0], order_id)
            expected = desk.overseer.arrays["orders"][order_id % CAPACITY]
            assert expected["order_id"] == order_id
            assert found == order_id % CAPACITY
            assert find_order(desk.overseer.context[0], order_id + CAPACITY) == NOWHERE


def test_an_ended_order_keeps_its_slot_until_many_others_were_sent():
    turns = KEPT + 6
    with Desk(models=(("a", 1),), capacities={"requests": 8192}) as desk:
        slots = []
        for turn in range(turns):
            desk.want("a", 0, price=100 + turn % 2, volume=1)
            (request,) = desk.step()
            slots.append(int(request["order_id"]) % CAPACITY)
            desk.update(request, ACCEPTED)
            desk.want("a", 0)
            desk.step()
            desk.update(request, CANCELED)
            desk.step()
        assert slots == [*range(KEPT + 1), *range(5)]
        # No balance ever named these: the reservations of those whose slot is used again are over.
        assert desk.reserved(0, 2) == sum(10 * (100 + turn % 2) for turn in range(5, turns))


def test_no_more_orders_are_open_at_once_than_the_table_is_for():
    with Desk(models=(("a", 1000), ("b", 1000))) as desk:
        for row in range(1000):
            desk.want("a", row, price=1, volume=1)
            desk.want("b", row, price=1, volume=1)
        assert len(desk.step()) == OPEN_MAX
        assert desk.refused("b") == {"open-orders": 2000 - OPEN_MAX}
        assert desk.refused("a") == {}
        assert desk.pending == OPEN_MAX


def test_a_full_table_goes_on_with_the_slots_that_ended_first():
    with Desk(models=(("a", 1000), ("b", 1000)), capacities={"requests": 8192}) as desk:
        taken = set()
        for turn in range(3):
            for row in range(600):
                desk.want("a", row, price=1 + turn, volume=1)
                desk.want("b", row, price=1 + turn, volume=1)
            sent = desk.step(4)
            assert len(sent) == 1200
            slots = [int(request["order_id"]) % CAPACITY for request in sent]
            assert len(set(slots)) == 1200
            taken |= set(slots)
            for event in (ACCEPTED, CANCELED):  # Canceled by the venue: the next content is new.
                for request in sent:
                    desk.update(request, event)
                desk.step(20)
            assert desk.pending == 0
        assert len(taken) <= CAPACITY
