"""The venue's listing: both forms, and the recorded one whole."""

import json

import pytest

from mantra.exchanges.bitstamp import QUOTE_ASSETS, instruments, split_symbol
from mantra.exchanges.listing import HALTED, ONLINE, Listed
from tests.exchanges import recorded

INFO = {
    "base_decimals": 8,
    "minimum_order": "25.0 USD",
    "name": "BTC/USD",
    "counter_decimals": 2,
    "trading": "Enabled",
    "url_symbol": "btcusd",
    "description": "Bitcoin / U.S. dollar",
}
MARKET = {
    "name": "BTC/USD",
    "market_symbol": "btcusd",
    "base_currency": "BTC",
    "base_decimals": 8,
    "counter_currency": "USD",
    "counter_decimals": 2,
    "minimum_order_value": "25.0",
    "trading": "Enabled",
    "market_type": "SPOT",
}
BTCUSD = Listed("btcusd", "BTC", "USD", 2, 8, 1, 1, 0, "25.0", ONLINE)


@pytest.mark.parametrize("pair", [INFO, MARKET])
def test_a_pair_is_listed_from_either_form(pair):
    assert instruments.parse(json.dumps([pair]).encode()) == [BTCUSD]


def test_a_pair_that_does_not_trade_is_halted_and_a_perpetual_is_not_listed():
    pairs = [MARKET | {"trading": "Disabled"}, MARKET | {"market_type": "PERPETUAL"}]
    (listed,) = instruments.parse(json.dumps(pairs).encode())
    assert listed.status == HALTED


def test_what_is_no_listing_is_refused():
    with pytest.raises(ValueError, match="no list"):
        instruments.parse(b"{}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (INFO | {"name": "BTCUSD"}, "'BTCUSD': not enough values to unpack"),
        (INFO | {"base_decimals": 19}, "'BTC/USD': step '1e-19': more than 18 decimals"),
        (INFO | {"base_decimals": -1}, "'BTC/USD': decimal '1e--1': malformed"),
        ({"name": "BTC/USD"}, "'BTC/USD': no 'market_symbol'"),
        (INFO | {"minimum_order": "25,0 USD"}, "'BTC/USD': decimal '25,0'"),
    ],
)
def test_a_row_that_is_none_is_named_and_costs_no_other(row, said):
    skipped: list[str] = []
    assert instruments.parse(json.dumps([row, INFO]).encode(), skipped) == [BTCUSD]
    assert len(skipped) == 1
    assert skipped[0].startswith(said)


def test_the_recorded_listing_is_read_whole():
    text = recorded.path("cryptofeed/2021-04-17_3525dc8c/BITSTAMP.0").read_bytes()
    body = text.splitlines()[0].partition(b": ")[2]
    listed = instruments.parse(body)
    assert len(listed) == 57
    assert [one.symbol for one in listed if one.status == HALTED] == ["eth2eth"]
    raw = {pair["url_symbol"]: pair for pair in json.loads(body)}
    for one in listed:
        pair = raw[one.symbol]
        assert one.symbol == (one.base + one.quote).lower()
        assert (one.price_exponent, one.volume_exponent) == (
            pair["counter_decimals"],
            pair["base_decimals"],
        )
        assert f"{one.min_notional} {one.quote}" == pair["minimum_order"]
        assert one.quote in QUOTE_ASSETS
        assert split_symbol(one.symbol) == (one.base, one.quote)
