"""The machine's answers are the definitions', compiled and not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mantra.books.machine import (
    LANES,
    allocate_bytes,
    free_bytes,
    lanes_equal,
    multiply_modulo,
    zero_bytes,
)
from mantra.compiled import compiled
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, records_at

WORD = np.dtype("i8")
WORDS = st.integers(-(1 << 63), (1 << 63) - 1)


@compiled
def ask_product(a, b):
    return multiply_modulo(a, b)


@compiled
def ask_lanes(address, value):
    return lanes_equal(address, value)


@compiled
def borrow(size):
    """Allocate, dirty, zero, add up, free: (address, sum)."""
    address = allocate_bytes(size)
    words = records_at(address, size // 8, WORD)
    words[:] = -1
    zero_bytes(address, size)
    total = words.sum()
    free_bytes(address)
    return address, total


@given(WORDS, WORDS)
def test_the_product_is_modulo_two_to_the_63(a, b):
    assert ask_product(a, b) == multiply_modulo(a, b) == a * b % (1 << 63)


@given(st.lists(st.sampled_from([0, 1, -1, 1 << 62]), min_size=LANES, max_size=LANES))
def test_lanes_say_which_words_are_equal(words):
    line = aligned_zeros(LANES, WORD)
    line[:] = words
    for value in (0, 1, -1, 1 << 62, 5):
        expected = sum(1 << n for n, word in enumerate(words) if word == value)
        assert ask_lanes(address_of(line), value) == expected
        assert lanes_equal(address_of(line), value) == expected


def test_memory_is_on_a_cache_line_and_zeroed_on_demand():
    address, total = borrow(4096)
    assert address % CACHE_LINE == 0
    assert total == 0
