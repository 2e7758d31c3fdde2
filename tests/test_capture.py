"""The wiring of a capture, without running it: what its config may say and what becomes of it."""

import pytest

from mantra.capture import build_capture
from mantra.config import ConfigError, load_capture
from mantra.exchanges.listing import HALTED, ONLINE, Listed
from mantra.market_data import listings
from mantra.market_data.listings import Listing
from mantra.market_data.venues import VENUES


def listed(symbol, base="BTC", quote="USDT", status=ONLINE):
    return Listed(symbol, base, quote, 2, 5, 1, 1, 0, "0", status)


LISTED = {
    "binance": [listed(f"C{n}USDT", f"C{n}") for n in range(450)]
    + [listed("BTCEUR", quote="EUR"), listed("OLDUSDT", "OLD", status=HALTED)],
    "kraken": [listed("BTC/USD", quote="USD")],
}


@pytest.fixture(autouse=True)
def listed_venues(monkeypatch):
    """What the venues list."""
    asked = []

    def fetch(venue, rest, ca_file):
        asked.append((venue, rest, ca_file))
        return LISTED[venue]

    monkeypatch.setattr(listings, "load", lambda venue: Listing(venue, 0, LISTED[venue], [], True))
    monkeypatch.setattr(listings, "fetch", fetch)
    return asked


def build(**venues):
    changes = {f"venues.{name}": said for name, said in venues.items()}
    return build_capture(load_capture(None, changes), "planned")


def test_everything_that_trades_is_spread_over_as_few_connections_as_the_venue_allows():
    capture = build(binance={}, kraken={})
    sizes = [(venue, len(symbols)) for venue, symbols in capture.handler.streams]
    most = VENUES["binance"].rules.symbols_max
    assert [venue for venue, _ in sizes] == ["binance"] * -(-451 // most) + ["kraken"]
    assert sum(size for venue, size in sizes if venue == "binance") == 451
    assert max(size for _, size in sizes) - min(size for _, size in sizes[:-1]) <= 1


def test_what_is_halted_is_in_the_tables_and_not_followed():
    capture = build(binance={})
    followed = [symbol for _, symbols in capture.handler.streams for symbol in symbols]
    assert "OLDUSDT" not in followed
    assert capture.tables.instrument("OLDUSDT@binance") >= 0


def test_quotes_and_symbols_choose():
    assert build(binance={"quotes": ["EUR"]}).handler.streams == [("binance", ["BTCEUR"])]
    chosen = build(binance={"symbols": ["C7USDT", "BTCEUR"]})
    assert chosen.handler.streams == [("binance", ["C7USDT", "BTCEUR"])]
    wanted = chosen.handler.options.wanted["binance"]
    assert wanted(listed("C7USDT"))
    assert not wanted(listed("NEWUSDT"))


def test_a_venue_may_be_elsewhere(listed_venues):
    place = {"url": "wss://localhost:1/", "rest": "https://localhost:1", "ca_file": "ca.pem"}
    capture = build(kraken=place)
    assert capture.handler.places["kraken"].url == place["url"]
    assert listed_venues == [("kraken", "https://localhost:1", "ca.pem")]


def test_handler_and_recorder_are_processes_of_their_own_and_start_again():
    lines = build(kraken={}).lines
    assert [line.label for line in lines] == ["market-data", "recorder"]
    assert {line.on_death for line in lines} == {"restart"}


@pytest.mark.parametrize(
    ("venues", "said"),
    [
        ({"bitmex": {}}, "venues.bitmex: there are: binance, bitfinex, bitstamp, coinbase, kraken"),
        ({"kraken": {"symbols": ["XBT/USD"]}}, "'XBT/USD' is not listed"),
        ({"kraken": {"quotes": ["JPY"]}}, "nothing that is asked for trades there now"),
        ({"kraken": {"url": "wss://localhost:1/"}}, "needs both url and rest"),
        ({"kraken": {"url": "localhost:1"}}, "venues.kraken.url = 'localhost:1'"),
        ({"kraken": {"symbol": ["BTC/USD"]}}, "venues.kraken.symbol = .* there is no such key"),
    ],
)
def test_what_cannot_be_captured_is_said(venues, said):
    with pytest.raises(ConfigError, match=said):
        build(**venues)


def test_a_config_must_name_a_venue():
    with pytest.raises(ConfigError, match="venues is missing"):
        load_capture(None, {"capture.raw": True})
