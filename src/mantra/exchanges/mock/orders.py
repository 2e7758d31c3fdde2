"""The table of open orders: found by id, and in price and time order on each side.

An order has a slot. A hash (linear probing, deletion by moving back, so no tombstones) finds the
slot of an id. The resting orders of an instrument and side are a doubly linked list, best price
first, earliest first at a price; its best price stands in the MARKET as `key`, sign × price, so
that a market event which reaches no order is told by one comparison for both sides.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.mock import layout
from mantra.exchanges.mock.layout import NOBODY
from mantra.icc.memory import records_at

INDEX_MASK = layout.INDEX_SLOTS - 1
HASH_FACTOR = 0x4F1BBCDD  # 2**31 × golden ratio, odd: times 32 bits stays in an int64
MASK_32 = 0xFFFFFFFF


@compiled
def home_of(order_id):
    """Place in the index where an id belongs: consecutive ids are spread."""
    folded = (order_id ^ (order_id >> 32)) & MASK_32
    return ((folded * HASH_FACTOR) & MASK_32) >> (32 - layout.INDEX_BITS)


@compiled
def _place_of(exchange, order_id):
    """Place in the index of an id, or the empty place where its search ends."""
    index, orders = exchange["index"], exchange["orders"]
    place = home_of(order_id)
    while index[place] != 0 and orders[index[place] - 1]["order_id"] != order_id:
        place = (place + 1) & INDEX_MASK
    return place


@compiled
def find_order(exchange, order_id):
    """Slot of an open order, or NOBODY."""
    return exchange["index"][_place_of(exchange, order_id)] - 1


@compiled
def open_order(exchange, order_id):
    """Take a slot for a new id, which must not be in the table; NOBODY when it is full."""
    if exchange["open"] >= exchange["orders_max"]:
        return np.int64(NOBODY)
    slot = exchange["free"]
    order = exchange["orders"][slot]
    exchange["free"] = order["next"]
    exchange["open"] += 1
    # Into the index before the id is written: the slot may hold it from an earlier life.
    order["order_id"] = 0
    exchange["index"][_place_of(exchange, order_id)] = slot + 1
    order["order_id"] = order_id
    return slot


@compiled
def close_order(exchange, slot):
    """Give the slot back; the order rests no more."""
    index, orders = exchange["index"], exchange["orders"]
    hole = _place_of(exchange, orders[slot]["order_id"])
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
def market_of(exchange, instrument):
    """The MARKET of an instrument, which must be in the table."""
    return records_at(exchange["markets"], instrument + 1, layout.MARKET)[instrument]


@compiled
def link_order(exchange, slot):
    """Let an order rest: behind all that are better or as good."""
    orders = exchange["orders"]
    order = orders[slot]
    side = np.int64(order["side"])
    market = market_of(exchange, np.int64(order["instrument"]))
    key = (1 - 2 * side) * order["price"]
    before, after = np.int64(NOBODY), np.int64(market["firsts"][side])
    while after != NOBODY and (1 - 2 * side) * orders[after]["price"] >= key:
        before, after = after, np.int64(orders[after]["next"])
    order["previous"], order["next"] = before, after
    if after != NOBODY:
        orders[after]["previous"] = slot
    if before != NOBODY:
        orders[before]["next"] = slot
    else:
        market["firsts"][side], market["keys"][side] = slot, key


@compiled
def unlink_order(exchange, slot):
    """Take a resting order out of its list."""
    orders = exchange["orders"]
    side = np.int64(orders[slot]["side"])
    before, after = np.int64(orders[slot]["previous"]), np.int64(orders[slot]["next"])
    if after != NOBODY:
        orders[after]["previous"] = before
    if before != NOBODY:
        orders[before]["next"] = after
    else:
        market = market_of(exchange, np.int64(orders[slot]["instrument"]))
        best = (1 - 2 * side) * orders[after]["price"] if after != NOBODY else layout.KEY_EMPTY
        market["firsts"][side], market["keys"][side] = after, best
