"""Listings: the recorded answers of both forms beside `json` and `decimal`."""

import json
from decimal import Decimal

import pytest

from mantra.exchanges.coinbase.instruments import parse
from mantra.exchanges.listing import HALTED, ONLINE, Listed
from tests.exchanges import recorded
from tests.exchanges.coinbase import session


def advanced(name: str) -> bytes:
    return recorded.path(f"nautilus/coinbase/{name}.json").read_bytes()


def test_a_product_of_advanced_trade_is_its_sizes_in_units():
    found = parse(advanced("http_products"))
    assert found == [Listed("BTC-USD", "BTC", "USD", 2, 8, 1, 1, 1, "1", ONLINE)]


def test_an_alias_is_left_out_for_its_data_is_the_other_ones():
    names = [row["product_id"] for row in json.loads(advanced("http_products"))["products"]]
    assert names == ["BTC-USD", "BTC-USDC"]
    assert [one.symbol for one in parse(advanced("http_products"))] == ["BTC-USD"]


def test_futures_are_left_out():
    assert parse(advanced("http_products_future")) == []


def test_all_products_the_exchange_listed_are_found():
    rows, found = json.loads(session.listing()), parse(session.listing())
    assert [one.symbol for one in found] == [row["id"] for row in rows]
    assert len(found) == 162
    for row, one in zip(rows, found, strict=True):
        assert (one.base, one.quote) == (row["base_currency"], row["quote_currency"])
        units = (
            (one.tick_size, one.price_exponent, row["quote_increment"]),
            (one.lot_size, one.volume_exponent, row["base_increment"]),
            (one.min_volume, one.volume_exponent, row["base_min_size"]),
        )
        for count, exponent, text in units:
            assert Decimal(count).scaleb(-exponent) == Decimal(text), row
        assert one.tick_size % 10 != 0 or one.price_exponent == 0
        assert one.min_notional == row["min_market_funds"]
        halted = row["cancel_only"] or row["post_only"] or row["trading_disabled"]
        assert one.status == (HALTED if halted or row["status"] != "online" else ONLINE)
    assert {one.status for one in found} == {ONLINE}


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("limit_only", True, ONLINE),
        ("cancel_only", True, HALTED),
        ("post_only", True, HALTED),
        ("trading_disabled", True, HALTED),
        ("auction_mode", True, HALTED),
        ("is_disabled", True, HALTED),
        ("view_only", True, HALTED),
        ("status", "delisted", HALTED),
    ],
)
def test_a_product_is_online_when_both_sides_trade(name, value, status):
    answer = json.loads(advanced("http_products"))
    answer["products"][0][name] = value
    assert parse(json.dumps(answer).encode())[0].status == status


def test_a_listing_without_the_smallest_volume_names_none():
    rows = json.loads(session.listing())[:1]
    del rows[0]["base_min_size"]
    assert parse(json.dumps(rows).encode())[0].min_volume == 0


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (b"{", "Expecting"),
        (b'{"message":"NotFound"}', "products"),
        (b"null", "listing"),
    ],
)
def test_what_is_no_listing_is_refused(listing, reason):
    with pytest.raises(ValueError, match=reason):
        parse(listing)


def test_products_that_are_none_are_named_and_cost_no_other():
    rows = json.loads(session.listing())[:3]
    rows[0]["quote_increment"] = "little"
    del rows[1]["base_currency"]
    skipped: list[str] = []
    found = parse(json.dumps([1, *rows]).encode(), skipped)
    assert [one.symbol for one in found] == [rows[2]["id"]]
    assert [said.split(": ")[0] for said in skipped] == [
        "'a row without a name'",
        *(repr(row["id"]) for row in rows[:2]),
    ]
    assert "decimal 'little'" in skipped[1]
    assert "no 'base_currency'" in skipped[2]
