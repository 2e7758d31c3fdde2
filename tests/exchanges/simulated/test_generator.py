"""Building a generator: settings are checked, seeds are scrambled, instruments are found."""

import pytest

from mantra.exchanges.simulated.generator import (
    RATE_MAX,
    MarketSettings,
    default_markets,
    default_tables,
    new_generator,
    scrambled,
)
from mantra.exchanges.simulated.layout import CENTER


def test_seeds_become_different_states_that_are_never_zero():
    states = [scrambled(seed) for seed in range(1_000)]
    assert len(set(states)) == len(states)
    assert all(state and -(1 << 63) <= state < 1 << 63 for state in states)


def test_default_tables_hold_two_instruments_on_each_of_two_venues():
    tables = default_tables()
    assert tables.instrument_names() == [
        "BTC-USDT@sim-a",
        "ETH-USDT@sim-a",
        "BTC-USDT@sim-b",
        "ETH-USDT@sim-b",
    ]
    assert [m.instrument for m in default_markets(tables, "sim-b")] == [2, 3]


def test_the_book_begins_at_the_price_of_the_settings():
    made = new_generator(default_tables(), [MarketSettings(0, "60000.00")])
    market = made.markets[0]
    assert market["best"].tolist() == [CENTER, CENTER + 1]
    assert (market["first_tick"] + CENTER) * market["tick_size"] == 6_000_000


def test_an_unknown_instrument_asks_for_its_first_price():
    tables = default_tables()
    tables.add_instrument(0, "X-USDT", 1, 0, price_exponent=2, volume_exponent=5)
    with pytest.raises(LookupError, match="X-USDT@sim-a: no first price"):
        default_markets(tables, "sim-a")


@pytest.mark.parametrize("rate", [-1, 0.5, RATE_MAX + 1])
def test_a_rate_out_of_range_is_refused(rate):
    tables = default_tables()
    with pytest.raises(ValueError, match="messages/s; expected"):
        new_generator(tables, default_markets(tables, "sim-a"), rate=rate)


def test_an_instrument_not_in_the_tables_is_refused():
    with pytest.raises(LookupError, match="9"):
        new_generator(default_tables(), [MarketSettings(9, "1.00")])


def test_a_price_too_low_for_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"BTC-USDT@sim-a: price 1\.00 is off the tick, or less"):
        new_generator(default_tables(), [MarketSettings(0, "1.00")])
