"""The venues whose recordings can be imported: one row each.

In:        nothing.
Out:       what the import has to know of a venue beside its codec.
Must not know: lines, files, archives.

To add a venue: a codec (exchanges/codecs.py), a row, its name in the command (cli/data.py).
"""

from collections.abc import Callable
from typing import NamedTuple

from mantra.exchanges import binance, bitfinex, bitstamp, coinbase, kraken
from mantra.exchanges.codecs import CODECS


class ImportVenue(NamedTuple):
    """A venue to the import. `begins_empty`: a book without a base may begin with what it has; not
    where checksums are of the whole book.
    """

    split_symbol: Callable[[str], tuple[str, str]]  # symbol -> base, quote
    names: dict[str, dict[str, int]]  # its names in the tables, the usual first: fees
    begins_empty: bool = True


def _split_pair(symbol: str) -> tuple[str, str]:
    base, _, quote = symbol.partition("/")
    return base, quote


COINBASE, EXCHANGE = ({name: coinbase.VENUES[name]} for name in coinbase.VENUES)
IMPORT_VENUES = {
    "binance": ImportVenue(binance.split_symbol, binance.VENUES),
    "bitfinex": ImportVenue(bitfinex.split_symbol, bitfinex.VENUES, begins_empty=False),
    "bitstamp": ImportVenue(bitstamp.split_symbol, bitstamp.VENUES),
    "coinbase": ImportVenue(coinbase.split_symbol, COINBASE),
    "coinbase-exchange": ImportVenue(coinbase.split_symbol, EXCHANGE),
    "kraken": ImportVenue(_split_pair, kraken.VENUES, begins_empty=False),
    "kraken-v1": ImportVenue(
        _split_pair, {"kraken-v1": kraken.VENUES["kraken"]}, begins_empty=False
    ),
}
NO_FEES = {"maker_fee_ppm": 0, "taker_fee_ppm": 0}
UNKNOWN_VENUE = ImportVenue(lambda symbol: (symbol, "?"), {"": NO_FEES})

assert set(IMPORT_VENUES) == set(CODECS)
