"""Texts to the stream, beside those of a recorded session."""

import json

import pytest

from mantra.exchanges.bitstamp.subscriptions import CHANNELS, RULES, subscribe, unsubscribe
from tests.exchanges import recorded


def test_a_text_a_channel_of_each_pair():
    texts = subscribe(["btcusd", "ETHUSD"], ["book", "trades"])
    assert texts[0] == '{"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}'
    assert [json.loads(text)["data"]["channel"] for text in texts] == [
        "diff_order_book_btcusd",
        "diff_order_book_ethusd",
        "live_trades_btcusd",
        "live_trades_ethusd",
    ]
    (text,) = unsubscribe(["btcusd"], ["trades"])
    assert text == '{"event":"bts:unsubscribe","data":{"channel":"live_trades_btcusd"}}'
    with pytest.raises(KeyError):
        subscribe(["btcusd"], ["candles"])


def test_the_recorded_session_was_begun_with_these_texts():
    text = recorded.path("cryptofeed/2022-01-04_78508055/BITSTAMP.ws.1.0").read_text()
    sent = [line.partition(": ")[2] for line in text.splitlines() if " <- " in line]
    pairs = [json.loads(one)["data"]["channel"].rpartition("_")[2] for one in sent]
    assert subscribe(list(dict.fromkeys(pairs)), list(CHANNELS)) == sent
    assert RULES.snapshot_url.format(symbol="btcusd").endswith("/order_book/btcusd/?group=1")
