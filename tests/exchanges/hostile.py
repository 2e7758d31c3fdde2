"""The public decoders as one table: each with its instruments, and frames of each kind.

The hostile tests and the fuzzer share it.
"""

from dataclasses import dataclass

from tests.exchanges.binance import decoding as binance
from tests.exchanges.bitfinex import decoding as bitfinex
from tests.exchanges.bitstamp import decoding as bitstamp
from tests.exchanges.coinbase import decoding as coinbase
from tests.exchanges.decoding import Venue
from tests.exchanges.kraken import decoding as kraken


@dataclass(frozen=True)
class Codec:
    """A decoder to be attacked, and its frames by name."""

    venue: Venue
    frames: dict[str, bytes]


CODECS = {
    "binance": Codec(
        binance.Venue({"BTCUSDT": (2, 6), "ETHUSDT": (2, 4)}, unnamed="BTCUSDT"),
        dict(zip(binance.FRAME_IDS, binance.FRAMES, strict=True)),
    ),
    "bitfinex": Codec(bitfinex.a_connection(), bitfinex.NAMED),
    "bitstamp": Codec(
        bitstamp.Venue({"BTCUSD": (2, 8), "ETHUSD": (1, 8)}, unnamed="btcusd"),
        dict(zip(bitstamp.FRAME_IDS, bitstamp.FRAMES, strict=True)),
    ),
    "coinbase": Codec(
        coinbase.Venue("advanced", coinbase.BOTH),
        dict(zip(coinbase.ADVANCED_IDS, coinbase.ADVANCED, strict=True)),
    ),
    "coinbase-exchange": Codec(
        coinbase.Venue("exchange", coinbase.BOTH),
        dict(zip(coinbase.EXCHANGE_IDS, coinbase.EXCHANGE, strict=True)),
    ),
    "kraken": Codec(
        kraken.Venue(kraken.PAIRS), dict(zip(kraken.FRAME_IDS, kraken.FRAMES, strict=True))
    ),
    "kraken-v1": Codec(
        kraken.Venue(kraken.PAIRS, v1=True),
        dict(zip(kraken.LEGACY_IDS, kraken.LEGACY_FRAMES, strict=True)),
    ),
}
EVERY_FRAME = [
    (codec, name) for codec, subject in CODECS.items() for name in sorted(subject.frames)
]
