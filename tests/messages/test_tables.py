"""Tables: built, found by name, shared, kept as JSON."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mantra.icc import seqlock_vector, shm
from mantra.icc.memory import address_of, records_at
from mantra.messages.tables import ASSET, INSTRUMENT, TABLES, VENUE, Tables

I8 = np.dtype("i8")
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


# Adds one instrument with new assets, and once more than there is room; says what it was told.
LATER = """
import sys
from mantra.messages.tables import Tables
tables = Tables.attach(sys.argv[1])
def add(name):
    asset = tables.add_asset(name)
    tables.add_instrument(1, name, asset, 1, price_exponent=2, volume_exponent=5)
    tables.publish_added(sys.argv[1])
add("NEW")
try:
    add("NEWER")
except ValueError as error:
    print(error)
"""


@pytest.mark.processes
def test_what_another_process_adds_while_the_run_goes_on_is_seen_by_all(tables, run):
    vectors = tables.publish(run, spare=1)
    rows = {name: int(vector.handle[0]["rows"]) for name, vector in vectors.items()}
    assert rows == {"venues": 3, "assets": 3, "instruments": 3}
    assert Tables.attach(run).as_dict() == tables.as_dict(), "spare rows are none yet"
    command = [sys.executable, "-c", LATER, run]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert said.stdout == "4 assets: this run has room for 3; start it anew\n"
    again = Tables.attach(run)
    assert again.instrument_names() == ["BTCUSDT@binance", "BTCUSDT@mock", "NEW@mock"]
    assert (again.instrument("NEW@mock"), again.asset("NEW")) == (2, 2)
    assert np.array_equal(again.instruments[:2], tables.instruments)
    with pytest.raises(LookupError):
        tables.asset("NEW")  # A copy stays what it was.


def test_rows_that_are_there_are_not_written_again(tables, run):
    vectors = tables.publish(run, spare=2)
    counts = {name: seqlock_vector.writes(address_of(one.handle)) for name, one in vectors.items()}
    tables.publish_added(run)
    tables.add_asset("ETH")
    tables.publish_added(run)
    now = {name: seqlock_vector.writes(address_of(one.handle)) for name, one in vectors.items()}
    assert now == counts | {"assets": counts["assets"] + 1}
    assert Tables.attach(run).asset("ETH") == 2


def test_a_row_whose_writer_died_is_written_by_the_next(tables, run):
    vector = tables.publish(run, spare=1)["assets"]
    tables.add_asset("ETH")
    version = records_at(int(vector.handle[0]["first"]) + 2 * vector.handle[0]["row_bytes"], 1, I8)
    version[0] = 1
    assert len(Tables.attach(run).assets) == 2
    tables.publish_added(run)
    assert Tables.attach(run).asset("ETH") == 2


def test_what_refers_to_a_row_is_never_seen_without_it(tables, run, monkeypatch):
    """Instruments are read before assets, and written after them: here an addition in between."""
    tables.publish(run, spare=1)
    attach, seen = seqlock_vector.attach, []

    def attach_and_add(name, table, *rest, **more):
        seen.append(table)
        if seen == ["instruments", "assets"]:
            monkeypatch.setattr(seqlock_vector, "attach", attach)
            tables.add_asset("NEW")
            tables.add_instrument(0, "NEW", 2, 1, **FACTS)
            tables.publish_added(run)
        return attach(name, table, *rest, **more)

    monkeypatch.setattr(seqlock_vector, "attach", attach_and_add)
    between = Tables.attach(run)
    assert (len(between.assets), len(between.instruments)) == (3, 2)
    assert len(Tables.attach(run).instruments) == 3


def many(count: int) -> Tables:
    tables = Tables()
    tables.add_venue("binance")
    for number in range(count // 4):
        tables.add_asset(f"A{number}")
    for number in range(count):
        base, quote = number % (count // 4), number * 7 % (count // 4)
        tables.add_instrument(0, f"S{number}", base, quote, **FACTS, tick_size="0.01")
    return tables


@pytest.mark.needs_jit
def test_all_that_trades_on_five_venues_is_added_and_found():
    tables = many(5_764)  # in a second or so: each step is as long as the one before
    assert [tables.instrument(f"S{number}@binance") for number in range(5_764)] == [*range(5_764)]
    assert len(Tables.from_dict(tables.as_dict()).instruments) == 5_764


def test_growing_keeps_what_is_there():
    tables = many(100)
    assert tables.instruments["id"].tolist() == [*range(100)]
    assert tables.instrument_names() == [f"S{number}@binance" for number in range(100)]
    assert tables.asset("A24") == 24
    kept = tables.instruments
    tables.add_instrument(0, "LAST", 0, 1, **FACTS)
    assert len(kept) == 100, "an array taken before does not grow"
    with pytest.raises(ValueError, match="'S5@binance' is in the table already"):
        tables.add_instrument(0, "S5", 0, 1, **FACTS)


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
