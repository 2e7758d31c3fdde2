"""Which codec decodes what: the venues' live forms by number, for compiled code that serves all.

In:        a codec's number, and what every `decode` takes.
Out:       what it says.
Must not know: connections, books.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.binance import public as binance

BINANCE, BITFINEX, BITSTAMP, COINBASE, KRAKEN = range(5)
CODECS = ("binance", "bitfinex", "bitstamp", "coinbase", "kraken")

UNKNOWN_CODEC = -1


@compiled
def decode(codec, text, length, index_address, unnamed, records, capacity, result_address):
    """One message by the codec of this number: its status, as in DECODED; or UNKNOWN_CODEC."""
    if codec == BINANCE:
        return binance.decode(
            text, length, index_address, unnamed, records, capacity, result_address
        )
    return np.int64(UNKNOWN_CODEC)
