"""Texts to the stream, beside those of a recorded session."""

import json

import pytest

from mantra.exchanges.bitstamp.subscriptions import CHANNELS, FACTS, subscribe, unsubscribe
from tests.exchanges import recorded


def test_a_text_a_channel_of_each_pair():
    assert [json.loads(text) for text in subscribe(["btcusd", "ETHUSD"])] == [
        {"event": "bts:subscribe", "data": {"channel": channel}}
        for channel in (
            "diff_order_book_btcusd",
            "live_trades_btcusd",
            "diff_order_book_ethusd",
            "live_trades_ethusd",
        )
    ]
    (text,) = unsubscribe(["btcusd"], ["trades"])
    assert json.loads(text) == {
        "event": "bts:unsubscribe",
        "data": {"channel": "live_trades_btcusd"},
    }
    with pytest.raises(KeyError):
        subscribe(["btcusd"], ["candles"])


def test_the_recorded_session_was_begun_with_these_texts():
    text = recorded.path("cryptofeed/2022-01-04_78508055/BITSTAMP.ws.1.0").read_text()
    sent = [line.partition(": ")[2] for line in text.splitlines() if " <- " in line]
    pairs = [json.loads(one)["data"]["channel"].rpartition("_")[2] for one in sent]
    ours = [one for channel in CHANNELS for one in subscribe(dict.fromkeys(pairs), [channel])]
    assert [json.loads(one) for one in ours] == [json.loads(one) for one in sent]


def test_the_facts_are_ready_to_use():
    assert json.loads(FACTS["keep_alive"]) == {"event": "bts:heartbeat"}
    assert FACTS["snapshot_url"].format(symbol="btcusd").endswith("/order_book/btcusd/?group=1")
