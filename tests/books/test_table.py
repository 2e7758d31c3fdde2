"""The table is a dict from price to volume, also where everything wants into one bucket."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.books.layout import SIDE, VOLUME_OFFSET
from mantra.books.machine import LANES
from mantra.books.side import BUCKETS_MIN, close_side, open_side
from mantra.books.table import (
    NO_ROOM,
    find,
    home_bucket,
    place,
    slot_at,
    slot_count,
    stash_buckets,
)
from mantra.compiled import JIT
from mantra.icc.memory import aligned_zeros, word_at

HASH_SHIFT = 60  # of 8 buckets
ROOM = LANES + LANES  # a bucket's, and the stash's of a small table


def prices_of(bucket, count):
    """The lowest prices whose home is `bucket`."""
    found = (price for price in range(1, 1 << 20) if home_bucket(price, HASH_SHIFT) == bucket)
    return [next(found) for _ in range(count)]


CROWD = prices_of(3, 20)
OTHERS = prices_of(5, 12)


@pytest.fixture
def side():
    head = aligned_zeros(1, SIDE)
    open_side(head[0], 1, 1)
    assert head["buckets"][0] == BUCKETS_MIN
    yield head[0]
    close_side(head[0])


def content(side):
    """Price -> volume of all slots, with no price in two, and the stash counted right."""
    slots = [slot_at(int(side["table"]), number) for number in range(slot_count(side))]
    pairs = [(word_at(slot), word_at(slot + VOLUME_OFFSET)) for slot in slots if word_at(slot)]
    assert len(dict(pairs)) == len(pairs)
    assert sum(word_at(slot) != 0 for slot in slots[BUCKETS_MIN * LANES :]) == side["stashed"]
    return dict(pairs)


def test_home_buckets_are_spread_evenly():
    """Ticks of any size, the golden ratio's own worst ones among them."""
    for tick in (1, 5, 100, 10**6, 832_040, 1 << 20, 1 << 32):
        homes = [home_bucket(6_000_000 + tick * n, 63 - 6) for n in range(64 * 16)]
        fullest = np.bincount(homes, minlength=64).max()
        assert fullest < 16 * 2.5, tick


def test_a_full_bucket_overflows_into_the_stash_until_that_is_full(side):
    assert stash_buckets(BUCKETS_MIN) == 1
    for price in CROWD[:ROOM]:
        assert place(side, price, price + 1) == 0
    assert place(side, CROWD[ROOM], 1) == NO_ROOM
    assert place(side, CROWD[ROOM], 0) == 0
    assert content(side) == {price: price + 1 for price in CROWD[:ROOM]}
    assert all(find(side, price) == price + 1 for price in CROWD[:ROOM])
    assert find(side, CROWD[ROOM]) == find(side, OTHERS[0]) == 0


def test_a_slot_that_falls_free_takes_a_level_back_from_the_stash(side):
    for price in CROWD[:10]:
        place(side, price, 7)
    for price in CROWD[:10]:
        assert place(side, price, 0) == 1
        assert find(side, price) == 0
    assert content(side) == {}
    for price in CROWD[:ROOM]:  # so the stash is free again
        assert place(side, price, 7) == 0


def test_levels_in_the_stash_are_changed_and_deleted_there(side):
    for price in CROWD[:12]:
        place(side, price, 7)
    assert place(side, CROWD[11], 8) == 1
    assert place(side, CROWD[10], 0) == 1
    assert find(side, CROWD[11]) == 8
    assert len(content(side)) == 11


STEP = st.tuples(st.sampled_from(CROWD[:14] + OTHERS), st.integers(0, 3))


@settings(max_examples=200 if JIT else 20, deadline=None)
@given(st.lists(STEP, max_size=120))
def test_two_crowded_buckets_are_a_dict(steps):
    head, naive = aligned_zeros(1, SIDE), {}
    side = head[0]
    open_side(side, 1, 1)
    for price, volume in steps:
        said = place(side, price, volume)
        if said == NO_ROOM:
            assert volume > 0
            assert len(naive) >= ROOM
            continue
        assert said == (price in naive)
        naive.pop(price, None)
        if volume:
            naive[price] = volume
        assert find(side, price) == volume
    assert content(side) == naive
    close_side(side)
