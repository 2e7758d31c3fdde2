"""What to send to Coinbase Advanced Trade to get market data, and how often. Pure.

In:        symbols, channels by this engine's names: book, trades.
Out:       texts to send, one after the other; the limits as data.
Must not know: sockets, clocks, keys: public channels work without signing.

The venue takes one channel a message. A channel on which nothing happens is closed after 60 to 90
seconds, unless the connection has `heartbeats` too, one a second: it always has.
"""

import json

from mantra.exchanges.rules import Rules

RULES = Rules(
    url="wss://advanced-trade-ws.coinbase.com",
    listing_url="https://api.coinbase.com/api/v3/brokerage/market/products",
    # Ours: no limit is documented. Few, because a lost message is one of the connection's, of no
    # known product: all its books begin again, and a snapshot of BTC-USD is 5 MB.
    symbols_max=10,
    sends=(8, 1.0),  # of all connections of an address; the first within 5 s
    attempts=(8, 1.0),  # another of its pages says 750
    idle_s=10.0,  # ours: ten heartbeats
    buffer_bytes=16 << 20,  # ours: three of the longest seen
)
CHANNELS = {"book": "level2", "trades": "market_trades", "heartbeats": "heartbeats"}


def subscribe(symbols: list[str], channels: list[str]) -> list[str]:
    """The texts that ask for `channels` ("book", "trades") of `symbols`."""
    return _texts("subscribe", symbols, [*channels, "heartbeats"])


def unsubscribe(symbols: list[str], channels: list[str]) -> list[str]:
    """The texts that end what `subscribe` asked for; heartbeats go on for what is left."""
    return _texts("unsubscribe", symbols, channels)


def _texts(action: str, symbols: list[str], channels: list[str]) -> list[str]:
    named = {"type": action, "product_ids": symbols}  # heartbeats take symbols, and need none
    return [json.dumps(named | {"channel": CHANNELS[channel]}) for channel in channels]
