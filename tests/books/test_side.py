"""A side keeps its levels in order while it grows, moves with the market and learns its tick."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.books.book import PRICE_MAX, apply_level, levels, new_book, next_price
from mantra.compiled import JIT
from mantra.messages.enums import ASK, BID
from tests.books.both import Both, walk

SIDES = pytest.mark.parametrize("side", [BID, ASK])
MIDDLE = 6_000_000


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
def test_any_number_of_levels(side):
    count = 50_000
    with new_book() as owner:
        for n in range(count):
            apply_level(owner.address, side, MIDDLE + n * 3, n + 1)
        assert levels(owner.address, side) == count
        prices = [price for price, _ in walk(owner.address, side)]
    assert prices == sorted((MIDDLE + n * 3 for n in range(count)), reverse=side == BID)


@SIDES
def test_the_window_follows_the_market(side):
    """A touch that travels far past both ends of any window, with a far tail left behind."""
    with new_book() as owner:
        both = Both(owner)
        finer = 1 if JIT else 4
        steps = [*range(0, 400_000, 13_001 * finer), *range(400_000, -400_000, -17_003 * finer)]
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
def test_an_emptied_side_begins_again_anywhere(side):
    """Also far behind where it was, in a window that was made for other prices."""
    with new_book() as owner:
        both = Both(owner)
        for price in (MIDDLE, MIDDLE // 2 + 1, 3 * MIDDLE, MIDDLE + 100_001, MIDDLE - 100_001):
            both.level(side, price, 1)
            both.assert_same(probes=[price])
            both.level(side, price, 0)
            both.assert_same(probes=[price])


@SIDES
def test_a_walk_may_begin_at_any_number(side):
    least, most = -(1 << 63), (1 << 63) - 1
    with new_book() as owner:
        apply_level(owner.address, side, MIDDLE, 1)
        before, behind = (most, least) if side == BID else (least, most)
        assert next_price(owner.address, side, before) == MIDDLE
        assert next_price(owner.address, side, behind) == 0


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


@SIDES
@settings(max_examples=25 if JIT else 3, deadline=None)
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
