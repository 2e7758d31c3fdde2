"""One side of a book: a table and a window kept in step, grown on need.

Everything is written once for both sides; `sign` alone tells them apart.
"""

import numpy as np

from mantra.books import layout, machine, window
from mantra.books.table import NO_ROOM, place, slot_at, slot_count, stash_buckets
from mantra.compiled import compiled
from mantra.icc.memory import trailing_zeros, word_at

BUCKETS_MIN = 8  # 32 levels before it grows: most instruments are thin


@compiled
def table_bytes(buckets):
    """Bytes of a table with its stash."""
    return (buckets + stash_buckets(buckets)) * layout.BUCKET_BYTES


@compiled
def give_memory(side, buckets):
    """Allocate an empty table of `buckets` and its window. MemoryError if there is none."""
    ticks = window.window_ticks(buckets)
    size = table_bytes(buckets) + window.window_bytes(ticks)
    address = machine.allocate_bytes(size)
    if address == 0:
        raise MemoryError("no memory for the levels of a book")
    machine.zero_bytes(address, size)
    side["table"], side["window"] = address, address + table_bytes(buckets)
    side["buckets"], side["hash_shift"] = buckets, 63 - trailing_zeros(buckets)
    side["ticks"] = side["touch"] = ticks
    side["stashed"] = side["far"] = side["far_levels"] = 0


@compiled
def open_side(side, sign, levels):
    """Make a side from zeroed memory, with room for `levels`."""
    side["sign"] = sign
    buckets = BUCKETS_MIN
    while buckets * layout.LEVELS_PER_BUCKET < levels:
        buckets *= 2
    give_memory(side, buckets)
    window.set_unit(side, np.int64(window.UNIT_MAX))


@compiled
def close_side(side):
    """Give the side's memory back."""
    machine.free_bytes(side["far"])
    machine.free_bytes(side["table"])


@compiled
def side_bytes(side):
    """Bytes that the side holds beside its record."""
    far = window.far_bytes(side["buckets"]) if side["far"] != 0 else 0
    return table_bytes(side["buckets"]) + window.window_bytes(side["ticks"]) + far


@compiled
def clear_side(side):
    """Delete every level and forget the step; room stays."""
    machine.zero_bytes(side["table"], table_bytes(side["buckets"]))
    side["levels"] = side["stashed"] = 0
    window.set_unit(side, np.int64(window.UNIT_MAX))
    window.move_window(side)


@compiled
def set_level(side, price, volume):
    """Set the volume of a price, 0 deletes; a valid price and volume."""
    was = place(side, price, volume)
    while was == NO_ROOM:
        _grow(side)
        was = place(side, price, volume)
    present = int(volume != 0)
    side["levels"] += present - was
    window.note_level(side, price, present, was)
    if side["levels"] > side["buckets"] * layout.LEVELS_PER_BUCKET:
        _grow(side)


@compiled
def _grow(side):
    """Move to twice the room, or more where that does not take all levels."""
    table, far, slots = side["table"], side["far"], slot_count(side)
    crowded = True
    while crowded:
        if side["table"] != table:
            machine.free_bytes(side["table"])
        give_memory(side, side["buckets"] * 2)
        crowded = False
        for number in range(slots):
            slot = slot_at(table, number)
            price = word_at(slot)
            if price != 0 and place(side, price, word_at(slot + layout.VOLUME_OFFSET)) == NO_ROOM:
                crowded = True
    machine.free_bytes(table)
    machine.free_bytes(far)
    window.move_window(side)
