"""What is sent to Binance, text by text."""

import json

from mantra.exchanges.binance import subscriptions


def test_a_subscription_names_every_stream_in_small_letters():
    (text,) = subscriptions.subscribe(["BTCUSDT", "ETHBTC"], ["book", "trades"])
    streams = ["btcusdt@depth@100ms", "btcusdt@trade", "ethbtc@depth@100ms", "ethbtc@trade"]
    assert json.loads(text) == {"method": "SUBSCRIBE", "params": streams, "id": 1}


def test_what_is_subscribed_is_unsubscribed_by_the_same_names():
    symbols, channels = ["BTCUSDT"], ["book"]
    asked = json.loads(subscriptions.subscribe(symbols, channels)[0])
    ended = json.loads(subscriptions.unsubscribe(symbols, channels)[0])
    assert ended == asked | {"method": "UNSUBSCRIBE"}


def test_many_symbols_take_several_texts_of_bounded_length():
    symbols = [f"COIN{i}USDT" for i in range(450)]
    texts = subscriptions.subscribe(symbols, ["book"])
    asked = [stream for text in texts for stream in json.loads(text)["params"]]
    assert asked == [f"{symbol.lower()}@depth@100ms" for symbol in symbols]
    assert max(map(len, texts)) < 8_192
    assert [json.loads(text)["id"] for text in texts] == [1, 2, 3]
