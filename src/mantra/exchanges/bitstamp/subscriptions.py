"""What to send to Bitstamp to get market data, and how often. Pure.

In:        symbols, channels by this engine's names: book, trades.
Out:       texts to send, one after the other; the limits as data.
Must not know: sockets, clocks.

The venue documents a limit for REST only (400 requests a second, 10,000 in ten minutes): those of
the stream are what a session keeps to by itself. `life_s` is often quoted, not documented; before
it ends a connection the venue sends bts:request_reconnect. HEARTBEAT is answered with
bts:heartbeat; clients send it every 8 s by custom.
"""

import json

CONNECTION = {
    "url": "wss://ws.bitstamp.net",
    "symbols_max": 100,
    "messages_per_s": 10,
    "connections_per_s": 1,
    "message_bytes_max": 1 << 20,
    "heartbeat_s": 8,
    "life_s": 90 * 24 * 3_600,
}
CHANNELS = {"book": "diff_order_book", "trades": "live_trades"}
HEARTBEAT = '{"event":"bts:heartbeat"}'
DEPTH_URL = "https://www.bitstamp.net/api/v2/order_book/{symbol}/?group=1"
LISTING_URL = "https://www.bitstamp.net/api/v2/markets/"


def subscribe(symbols: list[str], channels: list[str]) -> list[str]:
    """The texts that ask for `channels` ("book", "trades") of `symbols`."""
    return _texts("bts:subscribe", symbols, channels)


def unsubscribe(symbols: list[str], channels: list[str]) -> list[str]:
    """The texts that end what `subscribe` asked for."""
    return _texts("bts:unsubscribe", symbols, channels)


def _texts(event: str, symbols: list[str], channels: list[str]) -> list[str]:
    names = [f"{CHANNELS[name]}_{symbol.lower()}" for name in channels for symbol in symbols]
    return [
        json.dumps({"event": event, "data": {"channel": name}}, separators=(",", ":"))
        for name in names
    ]
