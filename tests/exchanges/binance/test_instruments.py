"""Binance's listing, as recorded and as fixtures have it."""

import json
import re

import pytest

from mantra.exchanges.binance import instruments
from mantra.exchanges.listing import HALTED, ONLINE
from tests.exchanges import recorded

ROW = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ],
}


def parse(*rows: dict):
    return instruments.parse(json.dumps({"symbols": rows}).encode())


def test_an_instrument_is_read_from_its_filters():
    (found,) = parse(ROW)
    assert (found.symbol, found.base, found.quote) == ("BTCUSDT", "BTC", "USDT")
    assert (found.price_exponent, found.volume_exponent) == (5, 8)  # 3 spare
    assert (found.tick_size, found.lot_size, found.min_volume) == (1_000, 1_000, 1_000)
    assert (found.min_notional, found.status) == ("5.00000000", ONLINE)


def test_what_does_not_trade_is_halted_and_what_is_not_spot_is_left_out():
    (found,) = parse(ROW | {"status": "BREAK"}, ROW | {"isSpotTradingAllowed": False})
    assert found.status == HALTED


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"filters": []}, "'BTCUSDT': no 'LOT_SIZE'"),
        ({"filters": [{"filterType": "LOT_SIZE"}]}, "'BTCUSDT': no"),
        (
            {"filters": [*ROW["filters"][:1], ROW["filters"][1] | {"stepSize": "x"}]},
            "'BTCUSDT': dec",
        ),
    ],
)
def test_a_row_that_is_not_one_is_named_and_costs_no_other(row, said):
    skipped: list[str] = []
    rows = (ROW | {"symbol": "FIRST"}, ROW | row, ROW | {"symbol": "LAST"})
    found = instruments.parse(json.dumps({"symbols": rows}).encode(), skipped)
    assert [one.symbol for one in found] == ["FIRST", "LAST"]
    assert len(skipped) == 1
    assert skipped[0].startswith(said)


def test_what_is_no_listing_is_refused():
    with pytest.raises(ValueError, match="symbols"):
        instruments.parse(b"{}")


def test_the_recorded_listing_is_read_whole():
    line = recorded.path("cryptofeed/2021-04-17_3525dc8c/BINANCE.0").read_bytes()
    listing = re.search(rb"-> [0-9.]+: (\{.*\})", line)[1]
    found = instruments.parse(listing)
    rows = [row for row in json.loads(listing)["symbols"] if row["isSpotTradingAllowed"]]
    assert [one.symbol for one in found] == [row["symbol"] for row in rows]
    assert {one.status for one in found} == {ONLINE, HALTED}
    for one, row in zip(found, rows, strict=True):
        step = next(f["tickSize"] for f in row["filters"] if f["filterType"] == "PRICE_FILTER")
        assert float(step) == pytest.approx(one.tick_size / 10**one.price_exponent)


def test_the_fixture_of_the_documentation_has_no_filters_and_says_so():
    name = "nautilus/binance-spot/http_json/exchange_info_response.json"
    skipped: list[str] = []
    assert instruments.parse(recorded.path(name).read_bytes(), skipped) == []
    assert skipped == ["'ETHBTC': no 'LOT_SIZE'"]
