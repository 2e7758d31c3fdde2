"""Which codec decodes what: the venues' live forms by number, for compiled code that serves all.

In:        a codec's number, and what every `decode` takes.
Out:       what it says.
Must not know: connections, books.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.binance import public as binance
from mantra.exchanges.bitfinex import public as bitfinex
from mantra.exchanges.bitstamp import public as bitstamp
from mantra.exchanges.coinbase import public as coinbase
from mantra.exchanges.kraken import public as kraken

BINANCE, BITFINEX, BITSTAMP, COINBASE, KRAKEN = range(5)
CODECS = ("binance", "bitfinex", "bitstamp", "coinbase", "kraken")

UNKNOWN_CODEC = -1


@compiled
def decode(codec, text, length, index, unnamed, records, capacity, result):
    """One message by the codec of this number: its status, as in DECODED; or UNKNOWN_CODEC."""
    if codec == BINANCE:
        return binance.decode(text, length, index, unnamed, records, capacity, result)
    if codec == BITFINEX:
        return bitfinex.decode(text, length, index, unnamed, records, capacity, result)
    if codec == BITSTAMP:
        return bitstamp.decode(text, length, index, unnamed, records, capacity, result)
    if codec == COINBASE:
        return coinbase.decode(text, length, index, unnamed, records, capacity, result)
    if codec == KRAKEN:
        return kraken.decode(text, length, index, unnamed, records, capacity, result)
    return np.int64(UNKNOWN_CODEC)
