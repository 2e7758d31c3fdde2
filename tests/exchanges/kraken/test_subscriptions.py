"""Requests to subscribe, word by word."""

import json

import pytest

from mantra.exchanges.kraken import subscriptions
from mantra.exchanges.kraken.subscriptions import CONNECTION, subscribe, unsubscribe


@pytest.mark.parametrize(
    ("make", "method"), [(subscribe, "subscribe"), (unsubscribe, "unsubscribe")]
)
def test_one_request_a_channel_names_all_symbols(make, method):
    book, trades = map(json.loads, make(["BTC/USD", "ETH/USD"], ["book", "trades"], 25))
    symbols = ["BTC/USD", "ETH/USD"]
    assert book == {
        "method": method,
        "params": {"channel": "book", "symbol": symbols, "depth": 25},
    }
    assert trades == {
        "method": method,
        "params": {"channel": "trade", "symbol": symbols, "snapshot": False},
    }


def test_only_the_channels_asked_for():
    assert len(subscribe(["BTC/USD"], ["trades"], 10)) == 1
    assert subscribe(["BTC/USD"], [], 10) == []


@pytest.mark.parametrize(
    ("method", "channels", "depth"),
    [("subscribe", ["book"], 11), ("subscribe", ["ticker"], 10), ("resubscribe", ["book"], 10)],
)
def test_what_the_venue_does_not_have_is_refused(method, channels, depth):
    with pytest.raises(ValueError, match="depth"):
        subscriptions.request(method, ["BTC/USD"], channels, depth)


def test_the_ping_is_a_message_and_in_time():
    assert json.loads(CONNECTION["keep_alive_text"]) == {"method": "ping"}
    assert CONNECTION["keep_alive_seconds"] < 60
