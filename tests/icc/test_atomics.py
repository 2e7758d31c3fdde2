"""Each primitive does in machine code what its Python twin says."""

import numpy as np
import pytest

from mantra.compiled import compiled
from mantra.icc import atomics
from mantra.icc.memory import address_of, aligned_zeros

WORD = np.dtype("i8")


@compiled
def load_both(address):
    return atomics.load_relaxed(address) + atomics.load_acquire(address)


@compiled
def store_both(address, value):
    atomics.store_relaxed(address, value)
    atomics.fence_release()
    atomics.store_release(address + 8, value)


@compiled
def exchange(address, expected, desired):
    atomics.fence_acquire()
    atomics.cpu_pause()
    return atomics.compare_exchange(address, expected, desired)


@compiled
def over_and_back(shared, private, back, words):
    atomics.copy_in(shared, private, words)
    atomics.copy_out(back, shared, words)


def test_loads_read_the_word_at_the_address():
    words = np.array([21, 5], WORD)
    assert load_both(address_of(words)) == 42
    assert atomics.load_acquire(np.int64(address_of(words))) == 21


def test_stores_write_the_word_and_no_other():
    words = np.zeros(4, WORD)
    store_both(address_of(words) + 8, -7)
    assert words.tolist() == [0, -7, -7, 0]


@pytest.mark.parametrize("function", [exchange, atomics.compare_exchange])
def test_compare_exchange_writes_only_over_the_expected(function):
    words = np.array([1, 2], WORD)
    assert not function(address_of(words), 3, 9)
    assert words.tolist() == [1, 2]
    assert function(address_of(words), 1, 9)
    assert words.tolist() == [9, 2]


@pytest.mark.parametrize("count", [0, 1, 7, 31])
def test_copies_bring_every_word_over_and_touch_no_other(count):
    private, back = np.arange(1, count + 2, dtype=WORD), np.zeros(count + 1, WORD)
    shared = aligned_zeros(count + 1, WORD)
    over_and_back(address_of(shared), address_of(private), address_of(back), count)
    assert shared.tolist() == [*range(1, count + 1), 0]
    assert back.tolist() == [*range(1, count + 1), 0]
