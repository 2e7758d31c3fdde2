"""Addresses to records and back, compiled and not."""

import numpy as np
import pytest

from mantra.compiled import compiled
from mantra.icc.memory import (
    CACHE_LINE,
    address_of,
    aligned_zeros,
    record_type,
    records_at,
    trailing_zeros,
    word_at,
)

PAIR = np.dtype([("a", "i8"), ("b", "i4"), ("c", "i4")], align=True)


@compiled
def bump(address, count):
    pairs = records_at(address, count, PAIR)
    for index in range(count):
        pairs[index]["a"] += index
        pairs[index]["c"] -= 1
    return count


def test_a_view_writes_through_to_the_memory_it_was_made_of():
    pairs = np.zeros(3, PAIR)
    records_at(address_of(pairs), 3, PAIR)["b"] = 5
    assert pairs["b"].tolist() == [5, 5, 5]


def test_compiled_code_sees_the_same_fields():
    pairs = np.zeros(3, PAIR)
    bump(address_of(pairs), 3)
    assert pairs["a"].tolist() == [0, 1, 2]
    assert pairs["c"].tolist() == [-1, -1, -1]


@pytest.mark.parametrize("count", [1, 3, 100])
def test_aligned_memory_begins_on_a_cache_line_and_is_zero(count):
    pairs = aligned_zeros(count, PAIR)
    assert address_of(pairs) % CACHE_LINE == 0
    assert len(pairs) == count
    assert not pairs.view("i8").any()


@pytest.mark.needs_jit
def test_there_is_one_specialisation():
    pairs = np.zeros(2, PAIR)
    bump(address_of(pairs), 2)
    bump(np.int64(address_of(pairs)), np.int64(1))
    assert len(bump.signatures) == 1


def test_a_record_type_is_numpys_of_the_same_fields():
    inner = record_type("i8 start stop")
    made = record_type("i8 price volume", "i4 instrument", "(4,)i2 words", ("timing", inner))
    fields = [("price", "i8"), ("volume", "i8"), ("instrument", "i4"), ("words", "i2", (4,))]
    assert made == np.dtype([*fields, ("timing", inner)], align=True)
    assert made.isalignedstruct


@compiled
def ask_trailing_zeros(word):
    return trailing_zeros(word)


@compiled
def ask_word(address):
    return word_at(address)


@pytest.mark.parametrize("place", range(64))
def test_trailing_zeros_is_the_place_of_the_lowest_bit(place):
    for word in (1 << place, -1 << place & (1 << 64) - 1):
        signed = np.uint64(word).astype(np.int64)
        assert ask_trailing_zeros(signed) == trailing_zeros(signed) == place


def test_a_word_is_little_endian_wherever_it_begins():
    text = np.frombuffer(bytes(range(240, 256)), np.uint8)
    for at in range(8):
        expected = int.from_bytes(text[at : at + 8].tobytes(), "little", signed=True)
        assert ask_word(address_of(text) + at) == word_at(address_of(text) + at) == expected


INSIDE = record_type("i8 before", ("pair", PAIR))


@compiled
def address_inside(address):
    return address_of(records_at(address, 1, INSIDE)[0]["pair"])


def test_a_record_within_a_record_has_an_address():
    outer = aligned_zeros(1, INSIDE)
    assert address_inside(address_of(outer)) == address_of(outer) + 8
    assert address_of(outer[0]["pair"]) == address_of(outer) + 8
