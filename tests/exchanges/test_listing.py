"""Steps as venues write them, and the decimals they need."""

import json
from dataclasses import replace

import pytest

from mantra.exchanges.listing import HALTED, ONLINE, Listed, decimals_of, from_steps, parse_rows


@pytest.mark.parametrize(
    ("step", "exponent"),
    [
        ("0.01000000", 2),
        ("1E-8", 8),
        ("5", 0),
        ("100", 0),
        ("0.5", 1),
        ("0.00000001", 8),
        ("1e2", 0),
    ],
)
def test_a_step_needs_as_many_decimals_as_it_has_digits_that_are_not_zero(step, exponent):
    assert decimals_of(step) == exponent


@pytest.mark.parametrize("step", ["", "x", "1e-19", "0.1.2", "99999999999999999999"])
def test_what_is_no_step_is_refused(step):
    with pytest.raises(ValueError, match=r"step|decimal"):
        decimals_of(step)


NAMES = ("BTC-USD", "BTC", "USD")


def test_steps_and_minimum_are_counted_in_the_instruments_own_units():
    found = from_steps(NAMES, "0.05", "0.001", ("0.01", "5"))
    assert (found.price_exponent, found.volume_exponent) == (2, 3)
    assert (found.tick_size, found.lot_size, found.min_volume) == (5, 1, 10)
    assert (found.min_notional, found.status) == ("5", ONLINE)
    assert from_steps(NAMES, "1", "1", online=False).status == HALTED


@pytest.mark.parametrize(("tick", "exponent"), [("1", 3), ("0.0000001", 8), ("1e-10", 10)])
def test_spare_decimals_end_at_the_usual_eight(tick, exponent):
    found = from_steps(NAMES, tick, "1", spare=3)
    assert found.price_exponent == exponent


@pytest.mark.parametrize("steps", [("x", "1"), ("1", "1e-30"), ("", "")])
def test_an_instrument_without_sound_steps_is_refused(steps):
    with pytest.raises(ValueError, match=r"'(x|1e-30|)'"):
        from_steps(NAMES, *steps)


GOOD = Listed("BTC-USD", "BTC", "USD", 2, 8, 1, 1, 0, "5", ONLINE)


def read(*rows):
    """What is found, and what is skipped, of rows that change GOOD."""
    skipped: list[str] = []
    listing = json.dumps({"rows": rows}).encode()

    def listed(row):
        return replace(GOOD, **row) if row else None

    return parse_rows(listing, skipped, lambda answer: answer["rows"], listed), skipped


def test_a_row_that_is_not_wanted_is_left_out_without_a_word():
    assert read({}, None, {"symbol": "ETH-USD"}) == ([replace(GOOD, symbol="ETH-USD")], [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "btc-usd"}, "listed twice"),
        ({"symbol": "A" * 25}, "expected 1 to 24"),
        ({"symbol": ""}, "expected 1 to 24"),
        ({"symbol": "币安人生USDT"}, "expected 1 to 24 ASCII"),
        ({"base": "B@C"}, "expected 1 to 24"),
        ({"quote": "U SD"}, "expected 1 to 24"),
        ({"quote": "[/]"}, "expected 1 to 24"),
        ({"symbol": 5}, "'int'"),
        ({"price_exponent": 19}, "exponent 19"),
        ({"price_exponent": -1}, "exponent -1"),
        ({"price_exponent": None}, "NoneType"),
        ({"volume_exponent": 13}, "2 decimals of prices, 13 of volumes are too many"),
        ({"price_exponent": 16, "volume_exponent": 11}, "too many"),
        ({"tick_size": 0}, "tick, lot, least volume of 0, 1, 0 units"),
        ({"lot_size": -1}, "tick, lot"),
        ({"min_volume": -1}, "tick, lot"),
        ({"min_notional": "-5"}, "least notional -5"),
        ({"min_notional": "1e-9"}, "too precise"),
        ({"min_notional": "1e8"}, "too large"),
        ({"min_notional": 5}, "'int'"),
        ({"fees": 5}, "unexpected keyword"),
    ],
)
def test_a_row_that_no_table_would_take_is_skipped_with_its_reason(change, reason):
    row = {"symbol": "OTHER"} | change
    found, (said,) = read({"symbol": "BTC-USD"}, row, {"symbol": "LAST"})
    assert [one.symbol for one in found] == ["BTC-USD", "LAST"]
    assert reason in said
    name = row["symbol"]
    assert said.startswith(repr(name[:40] if isinstance(name, str) else "a row without a name"))


@pytest.mark.parametrize("row", [5, [5], "x", [[]], True])
def test_rows_of_any_kind_are_skipped(row):
    found, (said,) = read(row, {"symbol": "LAST"})
    assert len(found) == 1
    assert said.startswith("'x'" if row == "x" else "'a row without a name'")


@pytest.mark.parametrize("listing", [b"", b"{", b"{}", b'{"rows":{}}', b"[1]", b"[" * 100_000])
def test_what_is_no_listing_is_refused(listing):
    with pytest.raises(ValueError, match="listing b"):
        parse_rows(listing, [], lambda answer: answer["rows"], lambda row: None)


def test_nobody_has_to_hear_of_what_is_skipped():
    assert parse_rows(b"[5]", None, lambda answer: answer, lambda row: replace(GOOD, **row)) == []
