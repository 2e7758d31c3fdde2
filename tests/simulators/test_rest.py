"""The listing is what the venue's parser reads; whole books are the market's, to a depth."""

import importlib
import json

import pytest

from mantra.exchanges.listing import HALTED, ONLINE
from mantra.simulators import rest
from mantra.simulators.market import BID, SIDES, Market

VENUES = sorted(rest.PATHS)
ALL = pytest.mark.parametrize("venue", VENUES)
DEPTH = {
    "binance": "/api/v3/depth?symbol=ETHUSDT&limit=5",
    "bitfinex": "/v2/book/tETHUSD/P0?len=25",
    "bitstamp": "/api/v2/order_book/ethusd/?group=1",
    "coinbase": "/api/v3/brokerage/market/product_book?product_id=ETH-USD&limit=5",
    "kraken": "/0/public/Depth?pair=ETHUSD&count=5",
}


def room(venue, name):
    return importlib.import_module(f"mantra.exchanges.{venue}.{name}")


def listed(venue, market):
    url = room(venue, "subscriptions").RULES.listing_url
    path = "/" + url.split("/", 3)[3]
    return room(venue, "instruments").parse(rest.answer(venue, market, path))


@ALL
def test_the_listing_has_all_symbols_as_market_data_names_them(venue):
    names = rest.symbols(venue, 30)
    found = listed(venue, Market(names))
    assert [one.symbol for one in found] == names
    assert {one.status for one in found} == {ONLINE}
    assert [one.base for one in found[:2]] == ["BTC", "ETH"]
    assert {one.quote for one in found} == {"USDT" if venue == "binance" else "USD"}
    assert all(one.price_exponent >= 2 and one.volume_exponent >= 5 for one in found)


@ALL
def test_what_is_listed_or_delisted_shows(venue):
    names = rest.symbols(venue, 4)
    market = Market(names[:3])
    market.begin(names[3])
    market.end(names[0])
    found = {one.symbol: one.status for one in listed(venue, market)}
    assert found[names[3]] == found[names[1]] == ONLINE
    assert found.get(names[0], HALTED) == HALTED
    changed = {market.change().symbol.name for _ in range(100)}
    assert changed == set(names[1:])


def sides(venue, body):
    """[bids, asks] of a whole book as (price, volume) texts; numbers untouched."""
    said = json.loads(body, parse_float=str, parse_int=str)
    if venue == "bitfinex":
        bids = [(price, volume) for price, _, volume in said if volume[0] != "-"]
        return [bids, [(price, volume[1:]) for price, _, volume in said if volume[0] == "-"]]
    if venue == "kraken":
        (said,) = said["result"].values()
    if venue == "coinbase":
        both = (said["pricebook"][side] for side in ("bids", "asks"))
        return [[(level["price"], level["size"]) for level in side] for side in both]
    return [[tuple(level[:2]) for level in said[side]] for side in ("bids", "asks")]


@ALL
def test_a_whole_book_is_the_markets(venue):
    market = Market(rest.symbols(venue, 2))
    for _ in range(50):
        market.change()
    symbol = market.symbols[rest.symbols(venue, 2)[1]]
    depth = {"bitfinex": 25, "bitstamp": 0}.get(venue, 5)
    for side, found in zip(
        SIDES, sides(venue, rest.answer(venue, market, DEPTH[venue])), strict=True
    ):
        expected = [symbol.texts(level) for level in symbol.levels(side, depth)]
        if venue == "bitfinex":
            expected = [tuple(map(rest.javascript, level)) for level in expected]
        assert found == expected
        assert len(found) == (depth or len(symbol.keys[side]))


@ALL
def test_what_there_is_not_is_none(venue):
    market = Market(rest.symbols(venue, 1))
    assert rest.answer(venue, market, "/nothing") is None
    if venue != "kraken":  # which says so in the answer
        assert rest.answer(venue, market, DEPTH[venue]) is None
    else:
        assert b"Unknown asset pair" in rest.answer(venue, market, DEPTH[venue])


def test_kraken_is_asked_by_any_of_its_names():
    market = Market(["BTC/USD"])
    answers = {
        rest.answer("kraken", market, f"/0/public/Depth?pair={name}")
        for name in ("XBT/USD", "XBTUSD", "XXBTZUSD", "BTC/USD")
    }
    assert len(answers) == 1
    assert json.loads(answers.pop())["result"]["XXBTZUSD"]["bids"]
    assert market.symbols["BTC/USD"].best(BID) == 999_999


def test_names_are_made_and_split():
    assert rest.symbols("bitfinex", 13)[-1] == "tDUSK:USD"
    assert len(set(rest.symbols("binance", 1_500))) == 1_500
    for venue in VENUES:
        base, _ = rest.split(rest.symbol(venue, "LINK"))
        assert base == "LINK"
