"""What to send to Bitfinex to get market data, and how often. Pure.

In:        symbols, channels by this engine's names: book, trades.
Out:       texts to send, one after the other; the limits as data.
Must not know: sockets, clocks, keys.

FLAGS come first, once a connection, before anything is asked for. What is asked for is answered
with a channel's number (channels.py), and that is what it is ended by.
"""

import json

CONNECTION = {
    "url": "wss://api-pub.bitfinex.com/ws/2",
    "symbols_max": 12,  # of 25 channels, two a symbol
    "channels_max": 25,  # a connection; documents say 25 and 30, 36 were seen
    "messages_per_s": 10,  # no limit is documented; this is a client's habit
    "connections_per_minute": 20,  # more: the address is blocked for a minute
    "silence_s": 15,  # of a channel, at most: then the venue sends "hb"
    "idle_s": 60,  # without a channel: then the venue closes
}

FLAGS = 1 << 15 | 1 << 16 | 1 << 17 | 1 << 29  # TIMESTAMP, SEQ_ALL, OB_CHECKSUM, BULK_UPDATES

CHANNELS = {
    "book": {"channel": "book", "prec": "P0", "freq": "F0", "len": "250"},
    "trades": {"channel": "trades"},
}


def subscribe(symbols: list[str], channels: list[str]) -> list[str]:
    """The texts that ask for `channels` ("book", "trades") of `symbols` on a new connection."""
    asked = [CHANNELS[name] | {"symbol": symbol} for symbol in symbols for name in channels]
    return [_text("conf", flags=FLAGS), *(_text("subscribe", **facts) for facts in asked)]


def unsubscribe(numbers: list[int]) -> list[str]:
    """The texts that end channels, by their numbers."""
    return [_text("unsubscribe", chanId=number) for number in numbers]


def _text(event: str, **facts: str | int) -> str:
    return json.dumps({"event": event} | facts, separators=(",", ":"))
