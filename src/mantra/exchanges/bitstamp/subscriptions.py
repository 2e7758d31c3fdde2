"""What to send to Bitstamp to get market data, and how often. Pure.

In:        symbols, channels by this engine's names: book, trades.
Out:       texts to send, one after the other; the limits as data.
Must not know: sockets, clocks.

The venue documents a limit for REST only (400 requests a second, 10,000 in ten minutes): those of
the stream are what a session keeps to by itself. A life of 90 days is often quoted, not
documented; before it ends a connection the venue sends bts:request_reconnect. bts:heartbeat is
answered with the same; clients send it every 8 s by custom.
"""

import json
from functools import partial

from mantra.exchanges.rules import Rules

RULES = Rules(
    url="wss://ws.bitstamp.net",
    listing_url="https://www.bitstamp.net/api/v2/markets/",
    symbols_max=100,  # ours, and the next three
    sends=(10, 1.0),
    attempts=(10, 10.0),
    idle_s=30.0,
    ping_s=8.0,  # a client's custom
    ping_text='{"event":"bts:heartbeat"}',
    snapshot_url="https://www.bitstamp.net/api/v2/order_book/{symbol}/?group=1",
    requests=(10, 1.0),  # of 400 a second, 10,000 in ten minutes, for all uses
)
CHANNELS = {"book": "diff_order_book", "trades": "live_trades"}


def _texts(event: str, symbols: list[str], channels: list[str]) -> list[str]:
    names = [f"{CHANNELS[name]}_{symbol.lower()}" for name in channels for symbol in symbols]
    asked = ({"event": event, "data": {"channel": name}} for name in names)
    return [json.dumps(one, separators=(",", ":")) for one in asked]


# The texts that ask for `channels` ("book", "trades") of `symbols`, and those that end them.
subscribe, unsubscribe = (partial(_texts, text) for text in ("bts:subscribe", "bts:unsubscribe"))
