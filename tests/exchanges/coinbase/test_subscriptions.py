"""Texts to send, as the venue's documentation and the recorded answers spell them."""

import json

from mantra.exchanges.coinbase.subscriptions import CHANNELS, RULES, subscribe, unsubscribe
from tests.exchanges import recorded


def test_one_channel_a_message_and_heartbeats_with_them():
    symbols = ["BTC-USD", "ETH-USD"]
    assert [json.loads(text) for text in subscribe(symbols, ["book", "trades"])] == [
        {"type": "subscribe", "product_ids": symbols, "channel": "level2"},
        {"type": "subscribe", "product_ids": symbols, "channel": "market_trades"},
        {"type": "subscribe", "product_ids": symbols, "channel": "heartbeats"},
    ]


def test_heartbeats_go_on_when_something_is_unsubscribed():
    assert unsubscribe(["BTC-USD"], ["book"]) == [
        '{"type": "unsubscribe", "product_ids": ["BTC-USD"], "channel": "level2"}'
    ]


def test_a_connections_first_messages_fit_in_a_second():
    symbols = [f"A{i}-USD" for i in range(RULES.symbols_max)]
    assert len(subscribe(symbols, ["book", "trades"])) <= RULES.sends[0]


def test_the_venue_answers_with_the_names_of_the_channels():
    answer = json.loads(recorded.path("nautilus/coinbase/ws_subscriptions.json").read_bytes())
    assert set(answer["events"][0]["subscriptions"]) == {CHANNELS["book"], CHANNELS["trades"]}
