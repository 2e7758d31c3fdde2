"""The venues whose recordings can be imported: one row each.

In:        a BATCH with a message in it.
Out:       the message decoded, by the venue's decoder; what the import has to know of the venue.
Must not know: lines, files, archives.

A decoder is called by address, so that an import compiles its own venue's alone. To add a venue:
a function of two lines, a row of the table, and its name in the command (cli/data.py).
"""

from collections.abc import Callable
from typing import NamedTuple

from mantra.backtest.import_lines import BATCH
from mantra.compiled import DutyCycle, duty_cycle
from mantra.exchanges import binance, bitstamp, coinbase
from mantra.exchanges.binance import public as binance_public
from mantra.exchanges.bitstamp import public as bitstamp_public
from mantra.exchanges.coinbase import exchange as coinbase_exchange
from mantra.exchanges.coinbase import public as coinbase_public
from mantra.icc.memory import records_at


class ImportVenue(NamedTuple):
    """A venue to the import."""

    decode: DutyCycle  # of a batch's address, a status
    split_symbol: Callable[[str], tuple[str, str]]  # symbol -> base, quote
    names: dict[str, dict[str, int]]  # its names in the tables, the usual first: fees


@duty_cycle
def _binance(batch_address):
    b = records_at(batch_address, 1, BATCH)[0]
    rooms = b["room"], b["room_records"], b["decoded"]
    return binance_public.decode(b["message"], b["length"], b["index"], b["slot"], *rooms)


@duty_cycle
def _bitstamp(batch_address):
    b = records_at(batch_address, 1, BATCH)[0]
    rooms = b["room"], b["room_records"], b["decoded"]
    return bitstamp_public.decode(b["message"], b["length"], b["index"], b["slot"], *rooms)


@duty_cycle
def _coinbase(batch_address):
    b = records_at(batch_address, 1, BATCH)[0]
    rooms = b["room"], b["room_records"], b["decoded"]
    return coinbase_public.decode(b["message"], b["length"], b["index"], b["slot"], *rooms)


@duty_cycle
def _coinbase_exchange(batch_address):
    b = records_at(batch_address, 1, BATCH)[0]
    rooms = b["room"], b["room_records"], b["decoded"]
    return coinbase_exchange.decode(b["message"], b["length"], b["index"], b["slot"], *rooms)


COINBASE, EXCHANGE = ({name: coinbase.VENUES[name]} for name in coinbase.VENUES)
IMPORT_VENUES = {
    "binance": ImportVenue(_binance, binance.split_symbol, binance.VENUES),
    "bitstamp": ImportVenue(_bitstamp, bitstamp.split_symbol, bitstamp.VENUES),
    "coinbase": ImportVenue(_coinbase, coinbase.split_symbol, COINBASE),
    "coinbase-exchange": ImportVenue(_coinbase_exchange, coinbase.split_symbol, EXCHANGE),
}
