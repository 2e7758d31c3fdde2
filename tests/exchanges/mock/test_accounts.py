"""Money: holds and settlements to the last unit."""

import math
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges.mock.accounts import can_hold, hold_of, set_hold, settle
from mantra.exchanges.mock.orders import open_order
from mantra.exchanges.mock.state import ExchangeState, MockOptions
from mantra.messages.enums import ASK, BID, MAKER, TAKER
from mantra.messages.tables import Tables

BASE, QUOTE = 0, 1
START = 10**12


def make_state(maker_fee_ppm=1_000, taker_fee_ppm=3_000) -> ExchangeState:
    """Price and volume have 6 decimals together, the quote asset 2: amounts are rounded."""
    tables = Tables()
    venue = tables.add_venue("mock")
    base, quote = tables.add_asset("BTC", 5), tables.add_asset("USD", 2)
    units = {"price_exponent": 2, "volume_exponent": 4}
    fees = {"maker_fee_ppm": maker_fee_ppm, "taker_fee_ppm": taker_fee_ppm}
    tables.add_instrument(venue, "BTCUSD", base, quote, **units, **fees)
    return ExchangeState(venue, tables, {BASE: START, QUOTE: START}, MockOptions())


def open_limit(state, side, price, volume):
    order = state.head["orders"][open_order(state.head, 1)]
    order["side"], order["price"], order["volume"], order["leaves"] = side, price, volume, volume
    set_hold(state.head, state.markets[0], order, hold_of(state.markets[0], side, price, volume))
    return order


def fill(state, order, price, volume, liquidity=MAKER):
    order["leaves"] -= volume
    return settle(state.head, state.markets[0], order, price, volume, liquidity)


PIECES = st.lists(st.integers(1, 99_999), min_size=1, max_size=8)


@settings(deadline=None)
@given(price=st.integers(1, 99_999), pieces=PIECES)
def test_a_bid_filled_in_pieces_pays_what_the_whole_costs(price, pieces):
    state = make_state()
    order = open_limit(state, BID, price, sum(pieces))
    whole = math.ceil(Fraction(price * sum(pieces), 10_000))
    assert state.accounts[QUOTE]["held"] == whole
    fees = 0
    for volume in pieces:
        fee, asset = fill(state, order, price, volume)
        assert (fee, asset) == (math.ceil(Fraction(volume * 10 * 1_000, 10**6)), BASE)
        fees += fee
        assert 0 <= state.accounts[QUOTE]["held"] <= state.accounts[QUOTE]["total"]
    assert state.accounts[QUOTE].tolist() == (START - whole, 0)
    assert state.accounts[BASE].tolist() == (START + 10 * sum(pieces) - fees, 0)


@settings(deadline=None)
@given(price=st.integers(1, 99_999), pieces=PIECES)
def test_an_ask_gives_what_it_sells_and_gets_no_more_than_it_is_worth(price, pieces):
    state = make_state()
    order = open_limit(state, ASK, price, sum(pieces))
    assert state.accounts[BASE]["held"] == 10 * sum(pieces)
    expected = START
    for volume in pieces:
        got = price * volume // 10_000
        fee, asset = fill(state, order, price, volume, TAKER)
        assert (fee, asset) == (math.ceil(Fraction(got * 3_000, 10**6)), QUOTE)
        expected += got - fee
    assert state.accounts[QUOTE].tolist() == (expected, 0)
    assert state.accounts[BASE].tolist() == (START - 10 * sum(pieces), 0)


def test_a_bid_filled_below_its_limit_gets_the_difference_back():
    state = make_state()
    order = open_limit(state, BID, 10_000, 10_000)  # 1 BTC for 100.00
    fill(state, order, 9_000, 4_000, TAKER)
    assert state.accounts[QUOTE].tolist() == (START - 3_600, 6_000)
    fill(state, order, 9_500, 6_000, TAKER)
    assert state.accounts[QUOTE].tolist() == (START - 3_600 - 5_700, 0)


def test_a_rebate_is_received_and_rounded_toward_less():
    state = make_state(maker_fee_ppm=-333)
    order = open_limit(state, BID, 10_000, 10_000)
    fee, asset = fill(state, order, 10_000, 10_000)
    assert (fee, asset) == (-33, BASE), "33.3 of 100,000 units"
    assert state.accounts[BASE]["total"] == START + 100_000 + 33


def test_what_is_held_cannot_be_held_again():
    state = make_state()
    order = open_limit(state, ASK, 10_000, 1)
    assert set_hold(state.head, state.markets[0], order, START - 5)
    assert not set_hold(state.head, state.markets[0], order, START - 5), "nothing changed"
    assert can_hold(state.head, BASE, 5)
    assert not can_hold(state.head, BASE, 6)
