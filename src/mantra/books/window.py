"""The order of a side's levels: a bitmap of the ticks near the touch, and a sorted rest.

A tick has a bit; the bits run from better to worse, so one search serves both sides. Adding and
deleting write the bit and its word's bit in the second row without branching. The best level is
always inside: the window moves when the touch leaves it. Levels outside are only in the table;
they are sorted when somebody walks that far, and again only if one of them came or went.

The step of a bit is learned: the greatest common divisor of the prices seen, so instruments of any
tick, known or not, use the whole window. A price off that step makes the step smaller.

Index of a price: (distance / step), where the division is exact or the price is outside. Dividing
by multiplying with the inverse modulo 2**63 leaves a number above `ticks` where it is not exact:
Warren, Hacker's Delight, 2nd edition, 10-16 and 10-17.
"""

from math import gcd

import numpy as np

from mantra.books.layout import LEVELS_PER_BUCKET, WORD, WORD_BITS, WORD_BYTES
from mantra.books.machine import LANES, allocate_bytes, multiply_modulo, zero_bytes
from mantra.books.table import slot_at, slot_count
from mantra.compiled import compiled
from mantra.icc.atomics import prefetch
from mantra.icc.memory import records_at, trailing_zeros, word_at

TICKS_PER_BUCKET = 128  # 16 bytes of window for the 128 of a bucket
TICKS_MIN = WORD_BITS * WORD_BITS  # one word of the second row
TICKS_MAX = 1 << 18
UNIT_MAX = 10**12  # Every decimal tick divides it; UNIT_MAX * TICKS_MAX < 2**63.
LEAD = 4  # A fresh window has 1/LEAD of its ticks ahead of the touch.
assert UNIT_MAX * TICKS_MAX < 1 << 62  # so that an index inside the window cannot have wrapped
assert TICKS_MAX // WORD_BITS // WORD_BITS <= WORD_BITS  # the second row is short: it is searched

INDEX_MASK = WORD_BITS - 1
INDEX_SHIFT = 6
STALE = -1


@compiled
def window_ticks(buckets):
    """Bits in the window of a table of `buckets`."""
    return min(max(TICKS_MIN, buckets * TICKS_PER_BUCKET), TICKS_MAX)


@compiled
def window_bytes(ticks):
    """Bytes of both rows; the second is rounded up to cache lines."""
    lines = (ticks // WORD_BITS // WORD_BITS + LANES - 1) // LANES
    return ticks // 8 + lines * LANES * WORD_BYTES


@compiled
def far_bytes(buckets):
    """Bytes to sort all levels of a table of `buckets` in."""
    return buckets * LEVELS_PER_BUCKET * WORD_BYTES


@compiled
def index_of(side, price):
    """Bit of `price`, or a number that is not below `ticks`: outside or off the step."""
    distance = (side["anchor"] - price) * side["sign"]
    index = multiply_modulo(distance >> side["unit_shift"], side["inverse"])
    exact = (distance & ((np.int64(1) << side["unit_shift"]) - 1)) == 0
    return index if exact else side["ticks"]


@compiled
def price_of(side, index):
    """Price of a bit."""
    return side["anchor"] - side["sign"] * index * side["unit"]


@compiled
def set_unit(side, unit):
    """Make `unit` the price step of a bit. The window must be made again after it."""
    shift = trailing_zeros(unit)
    odd = unit >> shift
    inverse = odd  # right in the lowest 3 bits; each step doubles them (Newton)
    for _ in range(5):
        inverse = multiply_modulo(inverse, 2 - multiply_modulo(odd, inverse))
    side["unit"], side["unit_shift"], side["inverse"] = unit, shift, inverse


@compiled
def prefetch_bit(side, price):
    """Ask for the line of the first row that `note_level` writes; nothing waits."""
    index = index_of(side, price)
    if index < side["ticks"]:
        prefetch(side["window"] + (index >> INDEX_SHIFT) * WORD_BYTES)


@compiled
def mark(side, index, present):
    """Write bit `index` and its word's bit in the second row."""
    bit = index & INDEX_MASK
    number = index >> INDEX_SHIFT
    words = records_at(side["window"] + number * WORD_BYTES, 1, WORD)
    word = (words[0] & ~(np.int64(1) << bit)) | (np.int64(present) << bit)
    words[0] = word
    bit = number & INDEX_MASK
    second = side["window"] + (side["ticks"] >> 3) + (number >> INDEX_SHIFT) * WORD_BYTES
    words = records_at(second, 1, WORD)
    words[0] = (words[0] & ~(np.int64(1) << bit)) | (np.int64(word != 0) << bit)


@compiled
def next_index(side, start):
    """Lowest set bit from `start` (inclusive, inside the window) on; `ticks` if there is none."""
    ticks = side["ticks"]
    first = records_at(side["window"], ticks >> INDEX_SHIFT, WORD)
    number = start >> INDEX_SHIFT
    word = first[number] & (np.int64(-1) << (start & INDEX_MASK))
    if word != 0:
        return number * WORD_BITS + trailing_zeros(word)
    second_words = ticks >> (2 * INDEX_SHIFT)
    second = records_at(side["window"] + (ticks >> 3), second_words, WORD)
    number += 1
    position = number >> INDEX_SHIFT
    if position == second_words:
        return ticks
    word = second[position] & (np.int64(-1) << (number & INDEX_MASK))
    while word == 0:
        position += 1
        if position == second_words:
            return ticks
        word = second[position]
    number = position * WORD_BITS + trailing_zeros(word)
    return number * WORD_BITS + trailing_zeros(first[number])


@compiled
def note_level(side, price, present, was):
    """Follow a change of the table: `price` is `present` (1 or 0) now and `was` before."""
    index, ticks = index_of(side, price), side["ticks"]
    if index < ticks:
        mark(side, index, present)
        touch = side["touch"]
        side["touch"] = index if (present != 0) & (index < touch) else touch
        if index == touch and present == 0:  # The best level is gone: find the next.
            side["touch"] = next_index(side, touch)
            if side["touch"] == ticks and side["levels"] > 0:
                move_window(side)
    elif present != was:  # It has no bit: far behind, ahead of the window, or off the step.
        side["far_levels"] = STALE
        if present and price % side["unit"] != 0:
            set_unit(side, gcd(side["unit"], price))
            move_window(side)
        elif present and ((side["anchor"] - price) * side["sign"] < 0 or side["levels"] == 1):
            move_window(side)


@compiled
def move_window(side):
    """Make the window again around the best level of the table."""
    ticks, sign = side["ticks"], side["sign"]
    zero_bytes(side["window"], window_bytes(ticks))
    side["touch"], side["far_levels"] = ticks, STALE
    if side["levels"] == 0:
        return
    best = np.int64(0)
    for number in range(slot_count(side)):
        price = word_at(slot_at(side["table"], number))
        if price != 0 and (best == 0 or (price - best) * sign > 0):
            best = price
    side["anchor"] = best + sign * (ticks // LEAD) * side["unit"]
    for number in range(slot_count(side)):
        price = word_at(slot_at(side["table"], number))
        if price != 0:
            index = index_of(side, price)
            if index < ticks:
                mark(side, index, np.int64(1))
    side["touch"] = ticks // LEAD


@compiled
def next_worse(side, price):
    """Price of the best level worse than `price`, 0 if there is none."""
    distance = (side["anchor"] - price) * side["sign"]
    start = distance // side["unit"] + 1 if distance >= 0 else np.int64(0)
    if start < side["ticks"]:
        index = next_index(side, start)
        if index < side["ticks"]:
            return price_of(side, index)
    return _next_far(side, price)


@compiled
def _next_far(side, price):
    """`next_worse` behind the window: by halves in the sorted rest."""
    if side["far_levels"] == STALE:
        _sort_far(side)
    ranks = records_at(side["far"], side["far_levels"], WORD)
    low, high = np.int64(0), side["far_levels"]
    while low < high:
        middle = (low + high) >> 1
        if ranks[middle] > -price * side["sign"]:
            high = middle
        else:
            low = middle + 1
    return -ranks[low] * side["sign"] if low < side["far_levels"] else np.int64(0)


@compiled
def _sort_far(side):
    """Collect the levels outside the window, best first, as ranks: asks' prices, bids' negated."""
    if side["far"] == 0:
        side["far"] = allocate_bytes(far_bytes(side["buckets"]))
        if side["far"] == 0:
            raise MemoryError("no memory for the far levels of a book")
    ranks = records_at(side["far"], side["levels"], WORD)
    count = np.int64(0)
    for number in range(slot_count(side)):
        price = word_at(slot_at(side["table"], number))
        if price != 0 and index_of(side, price) >= side["ticks"]:
            ranks[count] = -price * side["sign"]
            count += 1
    side["far_levels"] = count
    _sort(ranks, count)


@compiled
def _sort(words, count):
    """Shell's sort with Knuth's gaps: few words, and it compiles in a tenth of `array.sort`."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for start in range(gap, count):
            word, position = words[start], start
            while position >= gap and words[position - gap] > word:
                words[position] = words[position - gap]
                position -= gap
            words[position] = word
        gap //= 3
