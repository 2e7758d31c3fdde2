"""One side of a book: a table and a window kept in step, grown on need.

Everything is written once for both sides; `sign` alone tells them apart.
"""

import numpy as np

from mantra.books.layout import (
    BUCKET_BYTES,
    BUCKETS_MIN,
    LEVELS_PER_BUCKET,
    SIDE,
    UNIT_MAX,
    VOLUME_OFFSET,
)
from mantra.books.machine import allocate_bytes, free_bytes, trailing_zeros, zero_bytes
from mantra.books.table import NO_ROOM, place, slot_at, slot_count, stash_buckets, word_at
from mantra.books.window import (
    far_bytes,
    move_window,
    note_level,
    set_unit,
    window_bytes,
    window_ticks,
)
from mantra.compiled import compiled
from mantra.icc.memory import records_at


@compiled
def table_bytes(buckets):
    """Bytes of a table with its stash."""
    return (buckets + stash_buckets(buckets)) * BUCKET_BYTES


@compiled
def buckets_for(levels):
    """Buckets that hold `levels` without growing."""
    buckets = BUCKETS_MIN
    while buckets * LEVELS_PER_BUCKET < levels:
        buckets *= 2
    return buckets


@compiled
def give_memory(side, buckets):
    """Allocate an empty table of `buckets` and its window. MemoryError if there is none."""
    head = records_at(side, 1, SIDE)[0]
    ticks = window_ticks(buckets)
    size = table_bytes(buckets) + window_bytes(ticks)
    address = allocate_bytes(size)
    if address == 0:
        raise MemoryError("no memory for the levels of a book")
    zero_bytes(address, size)
    head["table"] = address
    head["hash_shift"] = 63 - trailing_zeros(buckets)
    head["buckets"] = buckets
    head["levels"] = 0
    head["stashed"] = 0
    head["window"] = address + table_bytes(buckets)
    head["ticks"] = ticks
    head["touch"] = ticks
    head["far"] = 0
    head["far_levels"] = 0


@compiled
def open_side(side, sign, levels):
    """Make a side from zeroed memory, with room for `levels`."""
    head = records_at(side, 1, SIDE)[0]
    head["sign"] = sign
    give_memory(side, buckets_for(levels))
    set_unit(head, np.int64(UNIT_MAX))


@compiled
def close_side(side):
    """Give the side's memory back."""
    head = records_at(side, 1, SIDE)[0]
    free_bytes(head["far"])
    free_bytes(head["table"])
    head["far"] = 0
    head["table"] = 0


@compiled
def side_bytes(side):
    """Bytes that the side holds beside its head."""
    head = records_at(side, 1, SIDE)[0]
    far = far_bytes(head["buckets"]) if head["far"] != 0 else 0
    return table_bytes(head["buckets"]) + window_bytes(head["ticks"]) + far


@compiled
def clear_side(side):
    """Delete every level and forget the step; room stays."""
    head = records_at(side, 1, SIDE)[0]
    zero_bytes(head["table"], table_bytes(head["buckets"]))
    head["levels"] = 0
    head["stashed"] = 0
    set_unit(head, np.int64(UNIT_MAX))
    move_window(side)


@compiled
def set_level(side, price, volume):
    """Set the volume of a price, 0 deletes; a valid price and volume."""
    head = records_at(side, 1, SIDE)[0]
    was = place(side, price, volume)
    if was == NO_ROOM:
        was = _grow_for(side, price, volume)
    present = int(volume != 0)
    head["levels"] += present - was
    note_level(side, price, present, was)
    if head["levels"] > head["buckets"] * LEVELS_PER_BUCKET:
        _grow(side)


@compiled
def _grow_for(side, price, volume):
    """`place` where the stash is full."""
    was = np.int64(NO_ROOM)
    while was == NO_ROOM:
        _grow(side)
        was = place(side, price, volume)
    return was


@compiled
def _grow(side):
    """Move to twice the room, or more where that does not take all levels."""
    head = records_at(side, 1, SIDE)[0]
    table, far, levels = head["table"], head["far"], head["levels"]
    buckets, slots = head["buckets"], slot_count(side)
    settled = False
    while not settled:
        if head["table"] != table:
            free_bytes(head["table"])
        buckets *= 2
        give_memory(side, buckets)
        settled = _refill(side, table, slots)
    head["levels"] = levels
    free_bytes(table)
    free_bytes(far)
    move_window(side)


@compiled
def _refill(side, old_table, old_slots):
    """Place every level of an old table; False if the new one has no room for one of them."""
    for number in range(old_slots):
        slot = slot_at(old_table, number)
        price = word_at(slot)
        if price != 0 and place(side, price, word_at(slot + VOLUME_OFFSET)) == NO_ROOM:
            return False
    return True
