"""What Bitstamp's stream is told, and what a plan of its connections has to know. No I/O.

In:        pairs as the venue names them: btcusd.
Out:       texts to send, one a channel of a pair; facts.
Must not know: sockets, when to send.
"""

import json
from collections.abc import Iterable

CHANNELS = {"book": "diff_order_book", "trades": "live_trades"}

FACTS = {
    "url": "wss://ws.bitstamp.net",
    "snapshot_url": "https://www.bitstamp.net/api/v2/order_book/{symbol}/?group=1",
    "listing_url": "https://www.bitstamp.net/api/v2/markets/",
    # The venue documents neither of the next two: what a session keeps to by itself.
    "symbols_per_connection": 100,
    "messages_per_second": 10,
    # Clients beat so often by custom; the answer is an event bts:heartbeat.
    "keep_alive": '{"event":"bts:heartbeat"}',
    "keep_alive_s": 8,
    "snapshots_per_second": 10,  # of 400 requests a second, 10,000 in ten minutes, for all uses
    "connection_max_s": 90 * 86_400,  # often quoted, not documented
}


def subscribe(symbols: Iterable[str], channels: Iterable[str] = CHANNELS) -> list[str]:
    """Texts that begin the channels ("book", "trades") of each pair. Raises KeyError."""
    return _texts("bts:subscribe", symbols, channels)


def unsubscribe(symbols: Iterable[str], channels: Iterable[str] = CHANNELS) -> list[str]:
    """Texts that end them."""
    return _texts("bts:unsubscribe", symbols, channels)


def _texts(event: str, symbols: Iterable[str], channels: Iterable[str]) -> list[str]:
    names = [CHANNELS[channel] for channel in channels]
    return [
        json.dumps({"event": event, "data": {"channel": f"{name}_{symbol.lower()}"}})
        for symbol in symbols
        for name in names
    ]
