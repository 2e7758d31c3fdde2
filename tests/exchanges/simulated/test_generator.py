"""Building a generator: settings are checked, seeds are scrambled, instruments are found."""

import numpy as np
import pytest

from mantra.exchanges.simulated import distributions
from mantra.exchanges.simulated.generator import (
    RATE_MAX,
    MarketSettings,
    default_markets,
    default_tables,
    new_generator,
    scrambled,
)
from mantra.exchanges.simulated.layout import CENTER, GENERATOR, MARKET


def test_records_are_whole_words():
    assert GENERATOR.itemsize % 8 == 0
    assert MARKET.itemsize % 8 == 0


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
    assert len(default_markets(tables)) == 4
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
        default_markets(tables)


@pytest.mark.parametrize("rate", [-1, 0.5, RATE_MAX + 1])
def test_a_rate_out_of_range_is_refused(rate):
    tables = default_tables()
    with pytest.raises(ValueError, match="messages/s; expected"):
        new_generator(tables, default_markets(tables), rate=rate)


def test_an_instrument_not_in_the_tables_is_refused():
    with pytest.raises(LookupError, match="instrument 9: there are 4"):
        new_generator(default_tables(), [MarketSettings(9, "1.00")])


def test_a_price_too_low_for_the_grid_is_refused():
    with pytest.raises(ValueError, match="BTC-USDT@sim-a: price 1.00 is off the tick, or less"):
        new_generator(default_tables(), [MarketSettings(0, "1.00")])


@pytest.mark.parametrize(
    "knots",
    [
        distributions.LEVEL_VOLUMES,
        distributions.TOUCH_VOLUMES,
        distributions.TRADE_VOLUMES,
        distributions.DISTANCES,
        distributions.FILLS,
    ],
)
def test_a_table_goes_through_its_knots(knots):
    table = distributions.quantiles(knots)
    assert (np.diff(table) >= 0).all()
    assert table[0] >= 1
    for knot in knots[1:-1]:
        low, high = table[[int(knot.probability * 1024) - 1, int(knot.probability * 1024) + 1]]
        assert low <= max(round(knot.value), 1) <= high


def test_pauses_have_the_mean_one_and_the_tail_is_a_power_law():
    assert distributions.pauses().mean() == pytest.approx(distributions.UNIT, rel=1e-3)
    tail = distributions.tail()
    ratio = np.log(tail[512] / tail[0]) / np.log(2)
    assert ratio == pytest.approx(1 / distributions.TAIL_EXPONENT, rel=0.01)
