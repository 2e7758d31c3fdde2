"""The book says what two sorted dicts say: on nasty, random and recorded levels."""

import gzip
import json
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.books.naive import NaiveBook

from mantra.books import book as module
from mantra.books import side as side_module
from mantra.books import table, window
from mantra.books.book import (
    CONSISTENT,
    IN_GROUP,
    PRICE_MAX,
    REFUSED,
    VOLUME_MAX,
    apply_level,
    apply_update,
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
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE

WORD = np.dtype("i8")
SIDES = pytest.mark.parametrize("side", [BID, ASK])
EXAMPLES = 100 if JIT else 12
MIDDLE = 6_000_000


@pytest.fixture
def book():
    with new_book() as owner:
        yield owner.address


class Both:
    """A book and its naive twin, fed alike."""

    def __init__(self, owner):
        self.owner, self.book, self.naive = owner, owner.address, NaiveBook()
        self.update = aligned_zeros(1, L2_UPDATE)

    def level(self, side, price, volume):
        said = apply_level(self.book, side, price, volume)
        assert said == self.naive.apply_level(side, price, volume)

    def send(self, side, price, volume, flags):
        update = self.update[0]
        update["side"], update["price"], update["volume"] = side, price, volume
        update["flags"] = flags
        said = apply_update(self.book, address_of(self.update))
        assert said == self.naive.apply_update(side, price, volume, flags)
        return said

    def group(self, rows, snapshot=False):
        flags = [SNAPSHOT if snapshot else 0] * len(rows)
        flags[0] |= FIRST
        flags[-1] |= LAST
        for row, flag in zip(rows, flags, strict=True):
            self.send(*row, flag)

    def assert_same(self, probes=()):
        """Every level in order, and every question at the probes and around the touch."""
        assert is_consistent(self.book) == self.naive.consistent
        assert self.owner.counters == self.naive.counters
        for side in (BID, ASK):
            ladder = self.naive.ladder(side)
            assert walk(self.book, side) == ladder
            assert levels(self.book, side) == len(ladder)
            best = ladder[0] if ladder else (0, 0)
            assert (best_price(self.book, side), best_volume(self.book, side)) == best
            for n in {-1, 0, 1, len(ladder) // 2, len(ladder) - 1, len(ladder)}:
                level = ladder[n] if 0 <= n < len(ladder) else (0, 0)
                assert (level_price(self.book, side, n), level_volume(self.book, side, n)) == level
            for price in (*probes, best[0], best[0] + 1, best[0] - 1):
                self.assert_same_at(side, price)

    def assert_same_at(self, side, price):
        assert volume_at(self.book, side, price) == self.naive.volume_at(side, price)
        assert next_price(self.book, side, price) == self.naive.next_price(side, price)
        total = volume_to(self.book, side, price)
        assert total == self.naive.volume_to(side, price)
        for volume in (1, total, total + 1):
            assert price_for(self.book, side, volume) == self.naive.price_for(side, volume)


def walk(book, side):
    """[(price, volume)] from the best, as a mock exchange walks."""
    ladder, price = [], best_price(book, side)
    while price:
        ladder.append((price, volume_at(book, side, price)))
        price = next_price(book, side, price)
    return ladder


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


# ---------------------------------------------------------------- size and shape


@SIDES
def test_a_book_grows_and_a_thin_one_is_small(side):
    with new_book() as owner:
        assert owner.size < 5_000
        both = Both(owner)
        for n in range(1, 301):
            both.level(side, MIDDLE + n * 7, n)
        both.assert_same()
        for n in range(1, 301, 2):
            both.level(side, MIDDLE + n * 7, 0)
        both.assert_same()


def test_a_book_of_1400_levels_a_side_lets_5764_of_them_into_a_gigabyte():
    with new_book(1400) as owner:
        assert owner.size * 5764 < 1_000_000_000


@pytest.mark.needs_jit
@SIDES
def test_any_number_of_levels(book, side):
    count = 50_000
    for n in range(count):
        apply_level(book, side, MIDDLE + n * 3, n + 1)
    assert levels(book, side) == count
    prices = [price for price, _ in walk(book, side)]
    assert prices == sorted((MIDDLE + n * 3 for n in range(count)), reverse=side == BID)


@SIDES
def test_the_window_follows_the_market(side):
    """A touch that travels far past both ends of any window, with a far tail left behind."""
    with new_book() as owner:
        both = Both(owner)
        steps = [*range(0, 400_000, 13_001), *range(400_000, -400_000, -17_003)]
        for step in steps:
            for n in range(3):
                both.level(side, MIDDLE + step + n * 11, 1 + n)
            both.assert_same(probes=[MIDDLE, MIDDLE + step])
        for step in steps[::-1]:
            for n in range(3):
                both.level(side, MIDDLE + step + n * 11, 0)
            both.assert_same(probes=[MIDDLE + step])
        assert levels(owner.address, side) == 0


@SIDES
def test_far_prices_are_kept_in_order(side):
    """The ends of a real book: 21,887.28 and 200,000.00 around 61,602.01."""
    far = [2188728, 2192256, 20_000_000, 12_369_273, 1, PRICE_MAX, 1 << 40]
    near = [6160201 + n for n in range(-3, 4)]
    with new_book() as owner:
        both = Both(owner)
        for n, price in enumerate(far + near):
            both.level(side, price, n + 1)
            both.assert_same(probes=[*far, *near])
        for price in near + far:
            both.level(side, price, 0)
            both.assert_same(probes=[*far, *near])


@SIDES
@pytest.mark.parametrize("tick", [1, 5, 25, 3, 1000, 10**6, 10**12, 832_040, 7 * 2**33])
def test_every_tick_is_learned_and_a_price_off_it_is_kept(side, tick):
    with new_book() as owner:
        both = Both(owner)
        for n in range(1, 60):
            both.level(side, tick * (500 + n * n % 61), n)
        both.assert_same(probes=[tick * 520, tick * 520 + 1])
        both.level(side, tick * 530 + 1, 9)
        both.level(side, tick * 1000 + 1, 9)
        both.assert_same(probes=[tick * 530, tick * 530 + 1, tick * 530 + 2])
        for n in range(1, 60):
            both.level(side, tick * (500 + n * n % 61), 0)
        both.assert_same(probes=[tick * 530])


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


@SIDES
@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(seed=st.integers(0, 1 << 32), spread=st.sampled_from([30, 300, 30_000, 3_000_000]))
def test_a_busy_side_stays_right(side, seed, spread):
    """Hundreds of levels, so that buckets fill up and the table grows again and again."""
    draw = np.random.default_rng(seed)
    count = 2000 if JIT else 400
    prices = MIDDLE + draw.integers(-spread, spread, count) // draw.choice([1, 5])
    volumes = draw.integers(0, 3, count)
    with new_book() as owner:
        both = Both(owner)
        for n, (price, volume) in enumerate(zip(prices.tolist(), volumes.tolist(), strict=True)):
            both.level(side, price, volume)
            if n % 250 == 0:
                both.assert_same(probes=[price])
        both.assert_same(probes=prices[:20].tolist())


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
    every = 1 if JIT else 100
    with new_book() as owner:
        both = Both(owner)
        for n, (rows, snapshot) in enumerate(recorded_groups()):
            if not JIT and n > 800:
                break
            both.group(rows, snapshot)
            if n % every == 0:
                assert_same_levels(both)
            if n % 100 == 0:
                both.assert_same(probes=[price for _, price, _ in rows[::9]])
        both.assert_same()
        assert owner.counters.crossed == owner.counters.locked == owner.counters.refused == 0


def assert_same_levels(both):
    """All levels in order, quicker than `assert_same`."""
    for side in (BID, ASK):
        ladder = both.naive.sides[side]
        rows = np.zeros((levels(both.book, side), 2), np.int64)
        copy_ladder(both.book, side, address_of(rows))
        naive = np.array(sorted(ladder.items(), reverse=side == BID))
        assert np.array_equal(rows, naive)


@compiled
def copy_ladder(book, side, address):
    rows = records_at(address, 2 * levels(book, side), WORD)
    price, n = best_price(book, side), 0
    while price != 0:
        rows[n], rows[n + 1] = price, volume_at(book, side, price)
        price, n = next_price(book, side, price), n + 2


@pytest.mark.needs_jit
def test_every_function_is_compiled_once(book):
    """A constant as argument is a type of its own to Numba: none may be passed on."""
    Both(new_book()).group([(BID, 99, 1), (ASK, 101, 1)], snapshot=True)
    for room in (module, side_module, table, window):
        for name, function in vars(room).items():
            if hasattr(function, "signatures"):
                assert len(function.signatures) <= 1, (name, function.signatures)
