"""What is known of every venue, in one form."""

import importlib
from urllib.parse import urlsplit

import pytest

VENUES = pytest.mark.parametrize("venue", ["binance", "bitfinex", "bitstamp", "coinbase", "kraken"])


def texts(venue: str):
    return importlib.import_module(f"mantra.exchanges.{venue}.subscriptions")


@VENUES
def test_only_encrypted_addresses_and_sane_limits(venue):
    rules = texts(venue).RULES
    assert urlsplit(rules.url).scheme == "wss"
    for url in (rules.listing_url, rules.snapshot_url):
        assert url == "" or urlsplit(url).scheme == "https"
    assert "{symbol}" in rules.snapshot_url or not rules.snapshot_url
    for limit, seconds in (rules.sends, rules.attempts, rules.requests):
        assert limit >= 1
        assert seconds > 0
    assert rules.ping_s <= 60  # Kraken closes after a minute without a message of ours
    assert rules.snapshot_weight <= rules.requests[0]


@VENUES
def test_a_full_connection_can_be_asked_for(venue):
    module = texts(venue)
    symbols = [f"t{number:03}USD" for number in range(module.RULES.symbols_max)]
    asked = module.subscribe(symbols, ["book", "trades"])
    assert asked == list(dict.fromkeys(asked))
    assert all(isinstance(text, str) for text in asked)
