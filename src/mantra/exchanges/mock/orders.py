"""The table of open orders: found by id, and in price and time order on each side.

An order has a slot. A hash (linear probing, deletion by moving back, so no tombstones) finds the
slot of an id. The resting orders of an instrument and side are a doubly linked list, best price
first, earliest first at a price; its best price stands in the MARKET as `key`, sign × price, so
that a market event which reaches no order is told by one comparison for both sides.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.mock.layout import (
    EXCHANGE,
    INDEX_BITS,
    INDEX_SLOTS,
    KEY_EMPTY,
    MARKET,
    MARKET_BYTES,
    NOBODY,
    ORDER,
    ORDERS_MAX,
)
from mantra.icc.memory import records_at

WORD = np.dtype("i8")
INDEX_MASK = INDEX_SLOTS - 1
HASH_FACTOR = 0x4F1BBCDD  # 2**31 × golden ratio, odd: times 32 bits stays in an int64
MASK_32 = 0xFFFFFFFF


@compiled
def home_of(order_id):
    """Place in the index where an id belongs: consecutive ids are spread."""
    folded = (order_id ^ (order_id >> 32)) & MASK_32
    return ((folded * HASH_FACTOR) & MASK_32) >> (32 - INDEX_BITS)


@compiled
def _place_of(exchange_address, order_id):
    """Place in the index of an id, or the empty place where its search ends."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    index = records_at(exchange["index"], INDEX_SLOTS, WORD)
    orders = records_at(exchange["orders"], ORDERS_MAX, ORDER)
    place = home_of(order_id)
    while index[place] != 0 and orders[index[place] - 1]["order_id"] != order_id:
        place = (place + 1) & INDEX_MASK
    return place


@compiled
def find_order(exchange_address, order_id):
    """Slot of an open order, or NOBODY."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    index = records_at(exchange["index"], INDEX_SLOTS, WORD)
    return index[_place_of(exchange_address, order_id)] - 1


@compiled
def open_order(exchange_address, order_id):
    """Take a slot for a new id, which must not be in the table; NOBODY when it is full."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    if exchange["open"] >= exchange["orders_max"]:
        return np.int64(NOBODY)
    slot = exchange["free"]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    exchange["free"] = order["next"]
    exchange["open"] += 1
    # Into the index before the id is written: the slot may hold it from an earlier life.
    order["order_id"] = 0
    index = records_at(exchange["index"], INDEX_SLOTS, WORD)
    index[_place_of(exchange_address, order_id)] = slot + 1
    order["order_id"] = order_id
    order["next"] = NOBODY
    order["previous"] = NOBODY
    return slot


@compiled
def close_order(exchange_address, slot):
    """Give the slot back; the order rests no more."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    orders = records_at(exchange["orders"], ORDERS_MAX, ORDER)
    index = records_at(exchange["index"], INDEX_SLOTS, WORD)
    hole = _place_of(exchange_address, orders[slot]["order_id"])
    place = (hole + 1) & INDEX_MASK
    while index[place] != 0:
        # An id moves back into the hole unless its home lies behind the hole.
        home = home_of(orders[index[place] - 1]["order_id"])
        if (place - home) & INDEX_MASK >= (place - hole) & INDEX_MASK:
            index[hole] = index[place]
            hole = place
        place = (place + 1) & INDEX_MASK
    index[hole] = 0
    orders[slot]["next"] = exchange["free"]
    exchange["free"] = slot
    exchange["open"] -= 1


# ---------------------------------------------------------------- price and time


@compiled
def market_of(exchange_address, instrument):
    """The MARKET of an instrument, which must be in the table."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    return records_at(exchange["markets"] + instrument * MARKET_BYTES, 1, MARKET)[0]


@compiled
def first_order(exchange_address, instrument, side):
    """Slot of the resting order that is filled first, or NOBODY."""
    return np.int64(market_of(exchange_address, instrument)["firsts"][side])


@compiled
def link_order(exchange_address, slot):
    """Let an order rest: behind all that are better or as good."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    orders = records_at(exchange["orders"], ORDERS_MAX, ORDER)
    order = orders[slot]
    side = np.int64(order["side"])
    market = market_of(exchange_address, np.int64(order["instrument"]))
    sign = 1 - 2 * side
    before, after = np.int64(NOBODY), np.int64(market["firsts"][side])
    while after != NOBODY and sign * orders[after]["price"] >= sign * order["price"]:
        before, after = after, np.int64(orders[after]["next"])
    order["previous"], order["next"] = before, after
    if after != NOBODY:
        orders[after]["previous"] = slot
    if before != NOBODY:
        orders[before]["next"] = slot
    else:
        market["firsts"][side] = slot
        market["keys"][side] = sign * order["price"]


@compiled
def unlink_order(exchange_address, slot):
    """Take a resting order out of its list."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    orders = records_at(exchange["orders"], ORDERS_MAX, ORDER)
    order = orders[slot]
    side = np.int64(order["side"])
    before, after = np.int64(order["previous"]), np.int64(order["next"])
    if after != NOBODY:
        orders[after]["previous"] = before
    if before != NOBODY:
        orders[before]["next"] = after
    else:
        market = market_of(exchange_address, np.int64(order["instrument"]))
        market["firsts"][side] = after
        best = (1 - 2 * side) * orders[after]["price"] if after != NOBODY else KEY_EMPTY
        market["keys"][side] = best
