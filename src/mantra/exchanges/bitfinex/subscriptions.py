"""What to send to Bitfinex to get market data, and how often. Pure.

In:        symbols, channels by this engine's names: book, trades.
Out:       texts to send, one after the other; the limits as data.
Must not know: sockets, clocks, keys.

FLAGS come first, once a connection, before anything is asked for. What is asked for is answered
with a channel's number (channels.py), and that is what it is ended by.
"""

import json

from mantra.exchanges.bitfinex.instruments import LISTING_URL
from mantra.exchanges.rules import Rules

CHANNELS_MAX = 25  # a connection; documents say 25 and 30, 36 were seen
RULES = Rules(
    url="wss://api-pub.bitfinex.com/ws/2",
    listing_url=LISTING_URL,
    symbols_max=CHANNELS_MAX // 2,
    sends=(10, 1.0),  # ours: no limit is documented; this is a client's habit
    attempts=(20, 60.0),  # more: the address is blocked for a minute
    idle_s=45.0,  # ours: three times the 15 s between two "hb" of a silent channel
    requests=(15, 60.0),  # of listings, as a client found; of books 30; over: blocked for a minute
)

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
