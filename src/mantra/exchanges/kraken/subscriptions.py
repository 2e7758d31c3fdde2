"""Kraken's requests to subscribe, and what the venue asks of a public connection. No I/O.

In:        symbols as v2 writes them, channels by this engine's names.
Out:       texts to send.
Must not know: sockets, when to send.

The venue acknowledges each symbol apart, in CONTROL messages. A channel's trade snapshot, the last
fifty trades, is not asked for: they happened before, and would count twice after a reconnect.
"""

import json
from collections.abc import Sequence
from functools import partial

from mantra.exchanges.rules import Rules

# https://docs.kraken.com/api/docs/guides/spot-ws-intro, 2026-08.
DEPTH = 1000  # levels a side, the most there are
RULES = Rules(
    url="wss://ws.kraken.com/v2",
    listing_url="https://api.kraken.com/0/public/AssetPairs",
    symbols_max=200,  # ours: the venue names none below level3's 200
    sends=(5, 1.0),  # ours: the venue's limit moves ("Exceeded msg rate")
    attempts=(150, 600.0),  # REST counts too; a ban as long
    idle_s=10.0,  # ours: ten heartbeats, one a second once subscribed
    requests=(1, 1.0),  # ours: no limit of public requests is confirmed
    ping_s=30.0,  # it closes after a minute without traffic
    ping_text='{"method":"ping"}',
)


def request(
    method: str, symbols: Sequence[str], channels: Sequence[str], depth: int = DEPTH
) -> list[str]:
    """The texts, one a channel, that subscribe to the channels of all symbols, or unsubscribe.

    `depth` is the book's, one of those above. Raises KeyError for a channel that there is not.
    """
    asked = {"book": f'"book","depth":{depth}', "trades": '"trade","snapshot":false'}
    names = json.dumps([*symbols])
    start = f'{{"method":"{method}","params":{{"symbol":{names},"channel":'
    return [f"{start}{asked[channel]}}}}}" for channel in channels]


subscribe, unsubscribe = (partial(request, method) for method in ("subscribe", "unsubscribe"))
