"""The table of venues, which the command offers."""

import pytest

from mantra.backtest.import_venues import IMPORT_VENUES
from mantra.cli.data import IMPORTS
from mantra.exchanges.codecs import CODECS

SYMBOLS = {
    "binance": "BTCUSDT",
    "bitfinex": "tBTCUSD",
    "bitstamp": "BTCUSD",
    "coinbase": "BTC-USD",
    "coinbase-exchange": "BTC-USD",
    "kraken": "BTC/USD",
    "kraken-v1": "BTC/USD",
}


@pytest.mark.parametrize("venue", IMPORT_VENUES)
def test_a_venue_splits_its_symbols_and_has_fees(venue):
    facts = IMPORT_VENUES[venue]
    assert facts.split_symbol(SYMBOLS[venue])[0] == "BTC"
    assert next(iter(facts.names)) == venue
    assert all(set(fees) == {"maker_fee_ppm", "taker_fee_ppm"} for fees in facts.names.values())


def test_every_codec_can_be_imported_from_the_command():
    assert sorted(IMPORT_VENUES) == sorted(CODECS)
    assert [name for name in IMPORTS if name != "tardis"] == list(IMPORT_VENUES)
