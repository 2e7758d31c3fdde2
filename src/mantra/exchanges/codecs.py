"""Which codec decodes what: venues' wire forms by number, for compiled code that serves all.

In:        a codec's number, and what every `decode` takes.
Out:       what it says.
Must not know: connections, books.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.binance import public as binance
from mantra.exchanges.bitfinex import public as bitfinex
from mantra.exchanges.bitstamp import public as bitstamp
from mantra.exchanges.coinbase import exchange as coinbase_exchange
from mantra.exchanges.coinbase import public as coinbase
from mantra.exchanges.kraken import legacy as kraken_v1
from mantra.exchanges.kraken import public as kraken

# The last two are forms of recordings.
BINANCE, BITFINEX, BITSTAMP, COINBASE, KRAKEN, COINBASE_EXCHANGE, KRAKEN_V1 = range(7)
CODECS = ("binance", "bitfinex", "bitstamp", "coinbase", "kraken", "coinbase-exchange", "kraken-v1")

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
    if codec == COINBASE_EXCHANGE:
        return coinbase_exchange.decode(text, length, index, unnamed, records, capacity, result)
    if codec == KRAKEN_V1:
        return kraken_v1.decode(text, length, index, unnamed, records, capacity, result)
    return np.int64(UNKNOWN_CODEC)
