"""Requests to subscribe, word by word."""

import json

import pytest

from mantra.exchanges.kraken.subscriptions import DEPTH, RULES, subscribe, unsubscribe


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


def test_a_channel_that_there_is_not_is_refused():
    with pytest.raises(KeyError, match="ticker"):
        subscribe(["BTC/USD"], ["ticker"], DEPTH)


def test_the_ping_is_a_message_and_in_time():
    assert json.loads(RULES.ping_text) == {"method": "ping"}
    assert RULES.ping_s < 60
