"""The first pass: symbols, decimals, steps, the venue."""

import json

import pytest

from mantra.backtest.import_survey import fewest_decimals
from mantra.backtest.importer import parse_instrument
from tests.backtest.made_captures import (
    T0,
    depth,
    import_made,
    snapshot,
    trade,
)


@pytest.fixture
def run(tmp_path):
    return lambda *captures, **options: import_made(tmp_path, *captures, **options)


def test_exponents_tick_and_lot_are_the_fewest_that_hold_every_value(run):
    done = run([depth(1, 2, "100.25:1.5 100.50:3.0", "101.75:0")])
    row = done.tables.instruments[0]
    assert [int(row[name]) for name in ("price_exponent", "tick_size")] == [2, 25]
    assert [int(row[name]) for name in ("volume_exponent", "lot_size")] == [1, 15]
    assert done.tables.instrument_names() == ["BTCUSDT@binance"]
    assert done.report.instruments["BTCUSDT@binance"]["tick_size"] == "0.25"


def test_given_exponents_hold_and_what_is_finer_is_refused(run):
    done = run(
        [depth(1, 2, "100.25:1"), depth(3, 4, "100.125:1"), trade(1, "7", "1")],
        exponents=dict([parse_instrument("btcusdt:2:5")]),
    )
    assert done.l2["price"].tolist() == [10025]
    assert done.l2["volume"].tolist() == [100000]
    assert done.report.refused == {"too precise": 1}


def test_futures_are_told_by_their_chain(run):
    done = run([depth(5, 9, "1:1", previous=4), depth(15, 19, "1:2", previous=9)])
    assert done.report.venue == "binance-usdm"
    assert done.report.gaps == []


@pytest.mark.parametrize(
    ("step", "exponent", "left"),
    [(10**8, 0, 1), (10**6, 2, 1), (5 * 10**6, 2, 5), (1, 8, 1), (10**11, 0, 1000), (0, 0, 1)],
)
def test_a_step_is_said_with_the_fewest_decimals(step, exponent, left):
    assert fewest_decimals(step) == (exponent, left)


def test_a_symbol_first_seen_late_is_found_with_all_its_values(run):
    done = run([depth(1, 2, "1:1")] * 3 + [depth(1, 2, "0.125:1", symbol="ETHBTC")])
    assert done.tables.instruments["price_exponent"].tolist() == [0, 3]
    assert done.report.refused == {}


def test_values_of_a_snapshot_that_names_no_symbol_count_too(run):
    done = run([snapshot(1, "10.25:1", ""), depth(2, 2, "10:1")])
    assert done.tables.instruments["price_exponent"].tolist() == [2]


def test_a_symbol_that_only_an_answer_was_asked_for_is_found(run):
    line = f"{T0} @ethbtc {json.dumps(snapshot(1, '10.25:1', '11:2'))}".encode()
    done = run([line, depth(1, 2, "1:1")])
    assert done.tables.instrument_names() == ["ETHBTC@binance", "BTCUSDT@binance"]
    assert done.tables.instruments["price_exponent"].tolist() == [2, 0]
    assert done.groups()[0] == "1*: b1025x1 a1100x2;"
    assert done.report.refused == {}


@pytest.mark.parametrize("symbol", ["a" * 30, "a b", "\u00e4", ""])
def test_what_cannot_be_a_symbol_is_refused(run, symbol):
    done = run([depth(1, 2, "1:1", symbol=symbol), depth(1, 2, "1:1")])
    assert sum(done.report.refused.values()) == 1  # not among symbols, or hidden by escapes
