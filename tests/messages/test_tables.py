"""Tables: built, found by name, shared, kept as JSON."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mantra.icc import shm
from mantra.messages.tables import ASSET, INSTRUMENT, TABLES, VENUE, Tables

FACTS = {"price_exponent": 2, "volume_exponent": 5}


@pytest.fixture
def tables() -> Tables:
    tables = Tables()
    binance, mock = tables.add_venue("binance"), tables.add_venue("mock")
    btc, usdt = tables.add_asset("BTC"), tables.add_asset("USDT", 6)
    facts = {"tick_size": "0.01", "lot_size": "0.00001", "min_notional": "5", "min_volume": "0.001"}
    fees = {"maker_fee_ppm": -100, "taker_fee_ppm": 1_000}
    tables.add_instrument(binance, "BTCUSDT", btc, usdt, **FACTS, **facts, **fees)
    tables.add_instrument(mock, "BTCUSDT", btc, usdt, **FACTS, tick_size="0.1")
    return tables


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MANTRA_SHM", str(tmp_path))
    return "tables"


def test_an_instrument_is_known_by_symbol_and_venue(tables):
    assert tables.instrument_names() == ["BTCUSDT@binance", "BTCUSDT@mock"]
    assert tables.instrument("BTCUSDT@mock") == 1
    assert tables.instruments["id"].tolist() == [0, 1]
    assert (tables.venue("mock"), tables.asset("USDT")) == (1, 1)


def test_sizes_are_counts_of_the_instruments_own_units(tables):
    row = tables.instruments[0]
    assert [row[name] for name in ("tick_size", "lot_size", "min_volume")] == [1, 1, 100]
    assert row["min_notional"] == 5_000_000
    assert tables.instruments[1]["tick_size"] == 10
    assert tables.instruments[1]["lot_size"] == 1, "one unit where nothing is said"


def test_scale_factors_spare_compiled_code_the_powers(tables):
    row = tables.instruments[0]
    assert row["base_multiplier"] == 10**3, "8 decimals of BTC, 5 of volume"
    assert (row["quote_multiplier"], row["quote_divisor"]) == (1, 10)


@pytest.mark.parametrize("look_up", ["venue", "asset", "instrument"])
def test_an_unknown_name_is_refused_with_those_there_are(tables, look_up):
    with pytest.raises(LookupError, match=r"'nobody'.*(binance|BTC)"):
        getattr(tables, look_up)("nobody")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"symbol": "BTCUSDT"}, "already"),
        ({"symbol": ""}, "expected 1 to 24"),
        ({"symbol": "A" * 25}, "expected 1 to 24"),
        ({"symbol": "A@B"}, "without '@'"),
        ({"venue": 2}, "venue 2"),
        ({"base": -1}, "base asset -1"),
        ({"tick_size": "0.001"}, "too precise"),
        ({"tick_size": "0"}, "tick and lot"),
        ({"lot_size": "-1"}, "tick and lot"),
        ({"min_notional": "-1"}, "minimums"),
        ({"volume_exponent": 9}, "volume_exponent 9"),
        ({"price_exponent": 19}, "19"),
    ],
)
def test_a_bad_instrument_is_refused_by_name(tables, change, complaint):
    fields = {"venue": 0, "symbol": "ETHUSDT", "base": 0, "quote": 1, **FACTS, **change}
    with pytest.raises(ValueError, match=complaint):
        tables.add_instrument(**fields)
    assert len(tables.instruments) == 2


def test_json_keeps_every_field(tables):
    again = Tables.from_dict(json.loads(json.dumps(tables.as_dict())))
    for table in TABLES:
        assert np.array_equal(getattr(again, table), getattr(tables, table))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("assets"),
        lambda content: content.update(format=2),
        lambda content: content["venues"][0].update(colour="blue"),
        lambda content: content["instruments"][0].update(tick_size="x"),
    ],
)
def test_json_that_is_not_tables_is_refused(tables, spoil):
    content = tables.as_dict()
    spoil(content)
    with pytest.raises(ValueError, match=r"tables|instrument"):
        Tables.from_dict(content)


@pytest.mark.processes
def test_a_late_observer_in_another_process_reads_all(tables, run):
    published = tables.publish(run)
    code = f"from mantra.messages.tables import Tables; print(Tables.attach({run!r}).as_dict())"
    seen = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert seen.stdout.strip() == str(tables.as_dict())
    assert set(published) == set(TABLES)


def test_shared_tables_hold_every_field(tables, run):
    tables.publish(run)
    again = Tables.attach(run)
    for table in TABLES:
        assert np.array_equal(getattr(again, table), getattr(tables, table))


def test_empty_tables_are_shared_as_empty(run):
    Tables().publish(run)
    assert Tables.attach(run).instrument_names() == []


def test_a_run_has_its_tables_once(tables, run):
    tables.publish(run)
    with pytest.raises(shm.SegmentError, match="already"):
        tables.publish(run)


def test_records_are_laid_out_as_drawn():
    assert (VENUE.itemsize, ASSET.itemsize, INSTRUMENT.itemsize) == (32, 32, 24 + 6 * 4 + 9 * 8)
    assert INSTRUMENT.fields["tick_size"][1] == 48
    assert INSTRUMENT.fields["quote_divisor"][1] == 112
