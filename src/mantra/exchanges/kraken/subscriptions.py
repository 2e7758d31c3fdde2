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

# https://docs.kraken.com/api/docs/guides/spot-ws-intro, 2026-08.
CONNECTION = {
    "url": "wss://ws.kraken.com/v2",
    "symbols_max": 200,  # a connection; ours: the venue names none below level3's 200
    "messages_per_second": 5,  # ours: the venue's limit moves ("Exceeded msg rate")
    "depths": (10, 25, 100, 500, 1000),
    "keep_alive_text": '{"method":"ping"}',
    "keep_alive_seconds": 30,  # it closes after a minute without traffic
    "connects_max": (150, 600),  # in so many seconds, of an address, REST counts; a ban as long
    "reconnect_seconds": 5,  # after maintenance
}


def request(method: str, symbols: Sequence[str], channels: Sequence[str], depth: int) -> list[str]:
    """The texts, one a channel, that subscribe to the channels of all symbols, or unsubscribe.

    `depth` is the book's, one of those above. Raises KeyError for a channel that there is not.
    """
    asked = {"book": f'"book","depth":{depth}', "trades": '"trade","snapshot":false'}
    names = json.dumps([*symbols])
    start = f'{{"method":"{method}","params":{{"symbol":{names},"channel":'
    return [f"{start}{asked[channel]}}}}}" for channel in channels]


subscribe, unsubscribe = (partial(request, method) for method in ("subscribe", "unsubscribe"))
