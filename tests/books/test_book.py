"""The book says what two sorted dicts say: on nasty, random and recorded levels."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.books.book import (
    CONSISTENT,
    IN_GROUP,
    PRICE_MAX,
    REFUSED,
    VOLUME_MAX,
    apply_level,
    best_price,
    best_volume,
    clear,
    is_consistent,
    level_price,
    level_volume,
    levels,
    new_book,
    next_price,
    price_for,
    volume_at,
    volume_to,
)
from mantra.compiled import JIT, compiled
from mantra.icc.memory import address_of, records_at
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.books.both import Both, walk

WORD = np.dtype("i8")
SIDES = pytest.mark.parametrize("side", [BID, ASK])
EXAMPLES = 100 if JIT else 12
MIDDLE = 6_000_000


@pytest.fixture
def book():
    with new_book() as owner:
        yield owner.address


# ---------------------------------------------------------------- one thing at a time


@SIDES
def test_an_empty_book_has_nothing(book, side):
    assert best_price(book, side) == best_volume(book, side) == levels(book, side) == 0
    assert level_price(book, side, 0) == next_price(book, side, 1) == 0
    assert volume_at(book, side, 100) == volume_to(book, side, 100) == price_for(book, side, 1) == 0
    assert not is_consistent(book)


@SIDES
def test_a_level_is_set_changed_and_deleted(book, side):
    for volume in (5, 7, 0):
        assert apply_level(book, side, 100, volume) == IN_GROUP
        assert volume_at(book, side, 100) == best_volume(book, side) == volume
        assert best_price(book, side) == (100 if volume else 0)
        assert levels(book, side) == bool(volume)


@SIDES
def test_deleting_an_unknown_level_is_normal(book, side):
    apply_level(book, side, 100, 5)
    for price in (99, 101, 1, PRICE_MAX):
        assert apply_level(book, side, price, 0) == IN_GROUP
    assert walk(book, side) == [(100, 5)]


def test_bids_run_down_and_asks_run_up(book):
    for side, prices in ((BID, [102, 101, 99]), (ASK, [103, 104, 107])):
        for n, price in enumerate(prices):
            apply_level(book, side, price, 10 + n)
        assert [level_price(book, side, n) for n in range(4)] == [*prices, 0]
        assert [level_volume(book, side, n) for n in range(4)] == [10, 11, 12, 0]
        assert volume_to(book, side, prices[1]) == 21
        assert [price_for(book, side, v) for v in (10, 11, 33, 34)] == [*prices, 0]


@pytest.mark.parametrize(
    ("side", "price", "volume"),
    [(2, 100, 1), (-1, 100, 1), (BID, 0, 1), (ASK, -5, 1), (BID, 100, -1), (ASK, PRICE_MAX + 1, 1)],
)
def test_what_is_no_level_is_refused_and_counted(side, price, volume):
    with new_book() as owner:
        both = Both(owner)
        both.group([(BID, 99, 1), (ASK, 101, 1)])
        both.level(side, price, volume)
        both.group([(BID, 98, 1), (side, price, volume)])
        both.assert_same()
        assert owner.counters.refused == 2
        assert walk(owner.address, BID) == [(99, 1), (98, 1)]


def test_a_refused_level_says_so_but_its_flags_count():
    with new_book() as owner:
        both = Both(owner)
        assert both.send(BID, -1, 1, FIRST | LAST) == REFUSED
        assert is_consistent(owner.address)


def test_a_book_is_consistent_only_after_last():
    with new_book() as owner:
        both = Both(owner)
        assert both.send(BID, 99, 1, FIRST) == IN_GROUP
        assert not is_consistent(owner.address)
        assert both.send(ASK, 101, 1, LAST) == CONSISTENT
        assert is_consistent(owner.address)
        assert both.send(ASK, 101, 2, FIRST) == IN_GROUP
        assert not is_consistent(owner.address)
        assert both.send(ASK, 102, 2, 0) == IN_GROUP
        assert both.send(ASK, 101, 0, LAST) == CONSISTENT
        both.assert_same()


def test_a_snapshot_replaces_both_sides():
    with new_book() as owner:
        both = Both(owner)
        both.group([(BID, 90 + n, 1) for n in range(5)] + [(ASK, 100 + n, 1) for n in range(5)])
        both.group([(ASK, 200, 3), (ASK, 201, 4)], snapshot=True)
        both.assert_same()
        assert walk(owner.address, BID) == []
        assert walk(owner.address, ASK) == [(200, 3), (201, 4)]


def test_a_snapshot_may_be_empty():
    with new_book() as owner:
        both = Both(owner)
        both.group([(BID, 99, 1), (ASK, 101, 1)])
        assert both.send(BID, 0, 0, FIRST | LAST | SNAPSHOT) == CONSISTENT
        both.assert_same()
        assert owner.counters.refused == 0
        assert levels(owner.address, BID) == levels(owner.address, ASK) == 0


def test_crossed_and_locked_books_are_counted_and_left_alone():
    with new_book() as owner:
        both = Both(owner)
        both.group([(BID, 99, 1), (ASK, 101, 1)])
        both.group([(BID, 101, 1)])
        both.group([(BID, 102, 1)])
        both.group([(BID, 103, 1)])
        assert (owner.counters.crossed, owner.counters.locked) == (2, 1)
        assert best_price(owner.address, BID) == 103
        assert best_price(owner.address, ASK) == 101
        both.group([(BID, 103, 0), (BID, 102, 0), (BID, 101, 0)])
        both.assert_same()
        assert (owner.counters.crossed, owner.counters.locked) == (2, 1)


def test_a_cleared_book_is_empty_and_not_consistent():
    with new_book() as owner:
        both = Both(owner)
        both.group([(BID, 99, 1), (ASK, 101, 1)])
        clear(owner.address)
        both.naive.clear()
        both.assert_same()
        both.group([(BID, 7, 1), (ASK, 9, 1)])
        both.assert_same()


@SIDES
def test_sums_of_volumes_stop_at_the_largest(book, side):
    for price in (100, 101, 102):
        apply_level(book, side, price, VOLUME_MAX - 1)
    assert volume_to(book, side, level_price(book, side, 2)) == VOLUME_MAX
    assert price_for(book, side, VOLUME_MAX) == 101


def test_books_share_nothing():
    with new_book() as one, new_book() as other:
        apply_level(one.address, BID, 100, 1)
        assert levels(other.address, BID) == 0


def test_closing_twice_is_once():
    owner = new_book()
    owner.close()
    owner.close()


# ---------------------------------------------------------------- at random

# Prices close together (full buckets, levels that come and go), around round ticks, and anywhere.
PRICES = st.one_of(
    st.integers(MIDDLE - 40, MIDDLE + 40),
    st.integers(-2_000, 2_000).map(lambda n: MIDDLE + 100 * n),
    st.integers(1, 2 * MIDDLE),
    st.sampled_from([1, 2, PRICE_MAX, PRICE_MAX - 1, 1 << 44]),
)
VOLUMES = st.one_of(st.just(0), st.integers(1, 1000))
LEVEL = st.tuples(st.sampled_from([BID, ASK]), PRICES, VOLUMES)
NASTY = st.tuples(st.integers(-2, 3), st.integers(-2, 2), st.integers(-1, 2))
GROUP = st.tuples(st.lists(st.one_of(LEVEL, LEVEL, LEVEL, NASTY), min_size=1), st.booleans())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(GROUP, max_size=12))
def test_any_groups_of_levels_leave_what_the_naive_book_says(groups):
    with new_book() as owner:
        both = Both(owner)
        for rows, snapshot in groups:
            both.group(rows, snapshot)
            both.assert_same(probes=[price for _, price, _ in rows[:5] if price > 0])


# ---------------------------------------------------------------- recorded


def recorded_groups():
    """Binance spot BTCUSDT: (rows, is a snapshot) a message, prices × 100, volumes × 10**8."""
    root = os.environ.get("MANTRA_DATA", Path(__file__).parents[3] / "shared" / "data")
    files = sorted(Path(root).glob("binance-collector/spot_btcusdt_2024080[89].gz"))
    if len(files) != 2:
        pytest.skip(f"no recorded Binance data under {root} (MANTRA_DATA)")
    messages = []
    for file in files:
        with gzip.open(file, "rt") as lines:
            messages += [json.loads(line.split(" ", 1)[1]) for line in lines if "@depth" in line]
    with gzip.open(files[0], "rt") as lines:
        found = (json.loads(line.split(" ", 1)[1]) for line in lines if "lastUpdateId" in line)
        snapshot = next(found)
    yield rows_of(snapshot["bids"], snapshot["asks"]), True
    for message in messages:
        if message["data"]["u"] > snapshot["lastUpdateId"]:
            yield rows_of(message["data"]["b"], message["data"]["a"]), False


def rows_of(bids, asks):
    return [
        (side, int(Decimal(price) * 100), int(Decimal(volume) * 10**8))
        for side, texts in ((BID, bids), (ASK, asks))
        for price, volume in texts
    ]


def test_the_recorded_book_is_the_naive_book_after_every_group():
    """Every level in order after every group; every question after some."""
    last, asked = (1 << 30, 200) if JIT else (40, 20)
    with new_book() as owner:
        both = Both(owner)
        for n, (rows, snapshot) in enumerate(recorded_groups()):
            if n == last:
                break
            both.group(rows, snapshot)
            assert_same_levels(both)
            if n % asked == 0:
                both.assert_same(probes=[price for _, price, _ in rows[::9][:20]])
        both.assert_same()
        assert owner.counters.crossed == owner.counters.locked == owner.counters.refused == 0


def assert_same_levels(both):
    """All levels in order, quicker than `assert_same`."""
    for side, ladder in enumerate(both.naive.sides):
        rows = np.zeros((levels(both.book, side), 2), np.int64)
        copy_ladder(both.book, side, address_of(rows))
        prices = np.fromiter(ladder.keys(), np.int64, len(ladder))
        volumes = np.fromiter(ladder.values(), np.int64, len(ladder))
        order = np.argsort(prices)[:: 2 * side - 1]
        assert np.array_equal(rows[:, 0], prices[order])
        assert np.array_equal(rows[:, 1], volumes[order])


@compiled
def copy_ladder(book, side, address):
    rows = records_at(address, 2 * levels(book, side), WORD)
    price, n = best_price(book, side), 0
    while price != 0:
        rows[n], rows[n + 1] = price, volume_at(book, side, price)
        price, n = next_price(book, side, price), n + 2


COUNT_SIGNATURES = """
from mantra.books import book, side, table, window
from mantra.messages.enums import ASK, BID
from tests.books.both import Both

Both(book.new_book()).group([(BID, 99, 1), (ASK, 101, 1)], snapshot=True)
for room in (book, side, table, window):
    for name, function in vars(room).items():
        if len(getattr(function, "signatures", "")) > 1:
            raise SystemExit(f"{name} was compiled for each of {function.signatures}")
"""


@pytest.mark.needs_jit
def test_every_function_is_compiled_once(tmp_path):
    """A constant as argument is a type of its own to Numba: this room passes none on.

    In a process of its own, for models that other tests compiled do pass constants, and with an
    empty cache, for of what comes from there only the outermost signature is known.
    """
    environment = os.environ | {"MANTRA_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", COUNT_SIGNATURES], env=environment, check=True)
