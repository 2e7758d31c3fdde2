"""The window finds what is set, and its index is a division that knows when it is not exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.books.layout import SIDE
from mantra.books.side import close_side, open_side
from mantra.books.window import (
    TICKS_MAX,
    TICKS_MIN,
    UNIT_MAX,
    _sort,
    index_of,
    mark,
    move_window,
    next_index,
    price_of,
    set_unit,
    window_bytes,
    window_ticks,
)
from mantra.compiled import JIT, compiled
from mantra.icc.memory import aligned_zeros

EXAMPLES = 200 if JIT else 30
SIGNS = pytest.mark.parametrize("sign", [1, -1])
UNITS = [1, 2, 5, 25, 96, 1000, 832_040, 10**6, 3**20, UNIT_MAX]


@compiled
def index_at(side, price):
    return index_of(side, price)


@compiled
def mark_at(side, index, present):
    mark(side, index, present)


@compiled
def next_at(side, start):
    return next_index(side, start)


@compiled
def set_unit_at(side, unit):
    set_unit(side, unit)


@compiled
def price_at(side, index):
    return price_of(side, index)


class Window:
    """A side without levels."""

    def __init__(self, sign=1, levels=1):
        self.head = aligned_zeros(1, SIDE)
        self.side = self.head[0]
        open_side(self.side, sign, levels)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        close_side(self.side)


def test_windows_grow_with_tables_between_two_ends():
    sizes = [window_ticks(1 << n) for n in range(3, 20)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (TICKS_MIN, TICKS_MAX)
    assert all(window_bytes(ticks) % 64 == 0 for ticks in sizes)
    assert all(window_bytes(ticks) >= ticks // 8 + ticks // 512 for ticks in sizes)


@SIGNS
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    unit=st.sampled_from(UNITS),
    steps=st.integers(-10_000, 10_000),
    off=st.integers(-(10**13), 10**13),
)
def test_an_index_counts_steps_and_is_outside_for_all_else(sign, unit, steps, off):
    with Window(sign) as window:
        set_unit_at(window.side, unit)
        anchor = 1_000_000 * unit
        window.head["anchor"] = anchor
        ticks = int(window.head["ticks"][0])
        for price in (anchor - sign * steps * unit, anchor + off, anchor - sign * (unit - 1)):
            distance = (anchor - price) * sign
            exact = distance % unit == 0 and 0 <= distance // unit < ticks
            index = index_at(window.side, price)
            assert index == distance // unit if exact else index >= ticks
            if exact:
                assert price_at(window.side, index) == price


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    levels=st.sampled_from([1, 300, 3000]),
    steps=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.booleans()), max_size=60),
)
def test_the_next_bit_is_the_lowest_that_is_set(levels, steps):
    with Window(levels=levels) as window:
        ticks = int(window.head["ticks"][0])
        bits = set()
        for share, present in [*steps, (0.0, True), (1 - 1 / ticks, True), (0.0, False)]:
            index = int(share * ticks)
            mark_at(window.side, index, int(present))
            (bits.add if present else bits.discard)(index)
            for start in {0, index, min(index + 1, ticks - 1), max(index - 64, 0), ticks - 1}:
                expected = min((bit for bit in bits if bit >= start), default=ticks)
                assert next_at(window.side, start) == expected


def test_an_empty_window_has_no_touch():
    with Window() as window:
        move_window(window.side)
        assert window.head["touch"] == window.head["ticks"]
        assert next_at(window.side, 0) == window.head["ticks"]


@given(st.lists(st.integers(-(1 << 60), 1 << 60), max_size=100))
def test_sorting_sorts(words):
    array = np.array(words, np.int64)
    _sort(array, len(array))
    assert array.tolist() == sorted(words)
