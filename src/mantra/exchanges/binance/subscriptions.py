"""What to send to Binance to get market data, and how often. Pure.

In:        symbols, channels by this engine's names: book, trades.
Out:       texts to send, one after the other; the limits as data.
Must not know: sockets, clocks.

The venue pings every 20 s and waits a minute for the pong: nothing else keeps a connection alive.
"""

import json
from functools import partial

from mantra.exchanges.rules import Rules

RULES = Rules(
    url="wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND",
    # Its parameter is ours: what is not spot would be left out without it.
    listing_url="https://api.binance.com/api/v3/exchangeInfo?permissions=SPOT",
    symbols_max=200,  # ours: 1,024 streams are allowed; fewer symbols share a cut
    sends=(5, 1.0),  # pongs count
    attempts=(300, 300.0),
    idle_s=45.0,  # ours: two of its pings
    ping_s=60.0,  # ours, to see that it answers
    # The depth is ours: 5,000 levels, which its own procedure asks for, weigh five times as much.
    snapshot_url="https://api.binance.com/api/v3/depth?symbol={symbol}&limit=1000",
    snapshot_weight=50,
    requests=(5_000, 60.0),  # of 6,000 a minute, for all uses
)
CHANNELS = {"book": "depth@100ms", "trades": "trade"}
STREAMS_A_MESSAGE = 200  # ours: 25 bytes each; some proxies cut messages off at 8 KB


def _texts(method: str, symbols: list[str], channels: list[str]) -> list[str]:
    streams = [f"{symbol.lower()}@{CHANNELS[name]}" for symbol in symbols for name in channels]
    texts = []
    for number, at in enumerate(range(0, len(streams), STREAMS_A_MESSAGE), 1):
        some = streams[at : at + STREAMS_A_MESSAGE]
        said = {"method": method, "params": some, "id": number}
        texts.append(json.dumps(said, separators=(",", ":")))
    return texts


# The texts that ask for `channels` ("book", "trades") of `symbols`, and those that end them.
subscribe, unsubscribe = (partial(_texts, text) for text in ("SUBSCRIBE", "UNSUBSCRIBE"))
