"""One side of a book: a table and a window kept in step, grown on need.

Everything is written once for both sides; `sign` alone tells them apart.
"""

import numpy as np

from mantra.books import window
from mantra.books.layout import BUCKET_BYTES, LEVELS_PER_BUCKET, SIDE, VOLUME_OFFSET
from mantra.books.machine import allocate_bytes, free_bytes, zero_bytes
from mantra.books.table import NO_ROOM, place, slot_at, slot_count, stash_buckets
from mantra.compiled import compiled
from mantra.icc.memory import records_at, trailing_zeros, word_at

BUCKETS_MIN = 8  # 32 levels before it grows: most instruments are thin


@compiled
def table_bytes(buckets):
    """Bytes of a table with its stash."""
    return (buckets + stash_buckets(buckets)) * BUCKET_BYTES


@compiled
def give_memory(side, buckets):
    """Allocate an empty table of `buckets` and its window. MemoryError if there is none."""
    head = records_at(side, 1, SIDE)[0]
    ticks = window.window_ticks(buckets)
    size = table_bytes(buckets) + window.window_bytes(ticks)
    address = allocate_bytes(size)
    if address == 0:
        raise MemoryError("no memory for the levels of a book")
    zero_bytes(address, size)
    head["table"] = address
    head["hash_shift"] = 63 - trailing_zeros(buckets)
    head["buckets"] = buckets
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
    buckets = BUCKETS_MIN
    while buckets * LEVELS_PER_BUCKET < levels:
        buckets *= 2
    give_memory(side, buckets)
    window.set_unit(head, np.int64(window.UNIT_MAX))


@compiled
def close_side(side):
    """Give the side's memory back."""
    head = records_at(side, 1, SIDE)[0]
    free_bytes(head["far"])
    free_bytes(head["table"])


@compiled
def side_bytes(side):
    """Bytes that the side holds beside its head."""
    head = records_at(side, 1, SIDE)[0]
    far = window.far_bytes(head["buckets"]) if head["far"] != 0 else 0
    return table_bytes(head["buckets"]) + window.window_bytes(head["ticks"]) + far


@compiled
def clear_side(side):
    """Delete every level and forget the step; room stays."""
    head = records_at(side, 1, SIDE)[0]
    zero_bytes(head["table"], table_bytes(head["buckets"]))
    head["levels"] = 0
    head["stashed"] = 0
    window.set_unit(head, np.int64(window.UNIT_MAX))
    window.move_window(side)


@compiled
def set_level(side, price, volume):
    """Set the volume of a price, 0 deletes; a valid price and volume."""
    head = records_at(side, 1, SIDE)[0]
    was = place(side, price, volume)
    while was == NO_ROOM:
        _grow(side)
        was = place(side, price, volume)
    present = int(volume != 0)
    head["levels"] += present - was
    window.note_level(side, price, present, was)
    if head["levels"] > head["buckets"] * LEVELS_PER_BUCKET:
        _grow(side)


@compiled
def _grow(side):
    """Move to twice the room, or more where that does not take all levels."""
    head = records_at(side, 1, SIDE)[0]
    table, far, slots = head["table"], head["far"], slot_count(side)
    crowded = True
    while crowded:
        if head["table"] != table:
            free_bytes(head["table"])
        give_memory(side, head["buckets"] * 2)
        crowded = False
        for number in range(slots):
            slot = slot_at(table, number)
            price = word_at(slot)
            if price != 0 and place(side, price, word_at(slot + VOLUME_OFFSET)) == NO_ROOM:
                crowded = True
    free_bytes(table)
    free_bytes(far)
    window.move_window(side)
