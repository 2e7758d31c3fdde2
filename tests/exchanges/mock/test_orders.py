"""The order table: found by id whatever the hash does, sorted by price and time."""

import random

import pytest

from mantra.exchanges.mock.layout import KEY_EMPTY, NOBODY, ORDERS_MAX
from mantra.exchanges.mock.orders import (
    close_order,
    find_order,
    home_of,
    link_order,
    open_order,
    unlink_order,
)
from mantra.exchanges.mock.state import ExchangeState, MockOptions
from mantra.messages.enums import ASK, BID
from tests.exchanges.mock.scenarios import make_tables


@pytest.fixture
def state() -> ExchangeState:
    return ExchangeState(0, make_tables(), {}, MockOptions())


def ids_of_home(homes, count):
    """Ids that all want one of a few places in the index."""
    found, order_id = [], 1
    while len(found) < count:
        if home_of(order_id) in homes:
            found.append(order_id)
        order_id += 1
    return found


def test_consecutive_ids_are_spread():
    homes = [home_of(order_id) for order_id in range(1, 1_025)]
    assert len(set(homes)) > 900


@pytest.mark.parametrize("homes", [{5, 6}, {2_046, 2_047, 0}])
def test_ids_that_collide_are_found_as_in_a_dict(state, homes):
    rng = random.Random(1)
    ids = ids_of_home(homes, 24)
    naive = {}
    for _ in range(1_500):
        order_id = rng.choice(ids)
        if order_id in naive:
            close_order(state.head, naive.pop(order_id))
        else:
            naive[order_id] = open_order(state.head, order_id)
        for known in ids:
            assert find_order(state.head, known) == naive.get(known, NOBODY)
    assert len(set(naive.values())) == len(naive) == state.head["open"]


def test_a_full_table_has_no_slot_and_an_emptied_one_has_all(state):
    slots = [open_order(state.head, order_id) for order_id in range(1, ORDERS_MAX + 1)]
    assert sorted(slots) == list(range(ORDERS_MAX))
    assert open_order(state.head, ORDERS_MAX + 1) == NOBODY
    assert find_order(state.head, ORDERS_MAX + 1) == NOBODY
    for slot in slots:
        close_order(state.head, slot)
    assert not state.head["index"].any()
    assert open_order(state.head, 1) != NOBODY


@pytest.mark.parametrize("side", [BID, ASK])
def test_resting_orders_are_in_price_and_time_order(state, side):
    rng = random.Random(side)
    naive = []  # slots, first to be filled first
    for number in range(1, 400):
        if naive and rng.random() < 0.4:
            slot = naive.pop(rng.randrange(len(naive)))
            unlink_order(state.head, slot)
            close_order(state.head, slot)
        else:
            slot = open_order(state.head, number)
            order = state.head["orders"][slot]
            order["side"], order["price"] = side, rng.randint(95, 105)
            link_order(state.head, slot)
            naive.append(slot)
            prices = state.head["orders"]["price"]
            naive.sort(key=lambda s: -prices[s] if side == BID else prices[s])  # stable
        assert walk(state, side) == naive
        best = (1 - 2 * side) * int(state.head["orders"][naive[0]]["price"]) if naive else KEY_EMPTY
        assert state.markets[0]["keys"].tolist()[side] == best
        assert state.markets[0]["keys"].tolist()[1 - side] == KEY_EMPTY


def walk(state, side):
    """Slots of a side, forward, checked backward."""
    slots, before = [], NOBODY
    slot = int(state.markets[0]["firsts"][side])
    while slot != NOBODY:
        assert state.head["orders"][slot]["previous"] == before
        slots.append(slot)
        before, slot = slot, int(state.head["orders"][slot]["next"])
    return slots
