"""The memory of an exchange, as it is at the start."""

import pytest

from mantra.exchanges.mock.layout import KEY_EMPTY, NOBODY, ORDERS_MAX
from mantra.exchanges.mock.state import ExchangeState, MockOptions, read_balances
from mantra.icc.memory import address_of
from mantra.messages.tables import Tables


@pytest.fixture
def tables() -> Tables:
    tables = Tables()
    east, west = tables.add_venue("east"), tables.add_venue("west")
    assets = [tables.add_asset(name, 3) for name in ("BTC", "USD", "ETH", "DOGE")]
    units = {"price_exponent": 1, "volume_exponent": 2}
    tables.add_instrument(east, "BTCUSD", assets[0], assets[1], **units)
    tables.add_instrument(west, "ETHUSD", assets[2], assets[1], **units)
    return tables


def test_balances_are_text_or_units(tables):
    assert read_balances(tables, {"BTC": "1.5", "USD": 7}) == {0: 1_500, 1: 7}


@pytest.mark.parametrize("amount", ["-1", -1, 1 << 63, "0.0001", "much"])
def test_amounts_that_are_none_are_refused(tables, amount):
    with pytest.raises(ValueError, match=r"balance of BTC|decimal"):
        read_balances(tables, {"BTC": amount})


def test_only_the_venues_own_instruments_have_a_book(tables):
    state = ExchangeState(0, tables, {3: 5}, MockOptions())
    assert (state.markets["book"] != 0).tolist() == [True, False]
    assert state.markets["facts"][0] == address_of(state.instruments)
    assert state.assets == [0, 1, 3], "traded on the venue, or given to it"
    assert state.accounts["total"].tolist() == [0, 0, 0, 5]


def test_all_slots_are_free_and_nobody_rests(tables):
    state = ExchangeState(0, tables, {}, MockOptions(orders_max=9))
    assert state.head["orders"]["next"].tolist() == [*range(1, ORDERS_MAX), NOBODY]
    assert (state.markets["keys"] == KEY_EMPTY).all()
    assert (state.markets["firsts"] == NOBODY).all()
    assert state.head["orders_max"] == 9


def test_a_change_of_the_tables_does_not_reach_it(tables):
    state = ExchangeState(0, tables, {}, MockOptions())
    tables.instruments["tick_size"] = 5
    assert state.instruments["tick_size"].tolist() == [1, 1]
