"""The table of venues: each decodes its own messages, and the command offers all."""

import numpy as np
import pytest

from mantra.backtest.import_lines import BATCH
from mantra.backtest.import_venues import IMPORT_VENUES
from mantra.cli.data import import_command
from mantra.exchanges.decoded import DECODED, KINDS
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import L2_UPDATE
from mantra.messages.tables import Tables
from tests.exchanges.binance.decoding import DEPTH
from tests.exchanges.bitstamp.decoding import DIFF

LEVEL = b'{"side":"bid","event_time":"2023-02-09T20:32:50Z","price_level":"1.5","new_quantity":"2"}'
ADVANCED = (
    b'{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50Z","sequence_num":0,'
    b'"events":[{"type":"update","product_id":"BTC-USD","updates":[%b]}]}'
) % b",".join([LEVEL] * 3)
EXCHANGE = (
    b'{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1.5","2"],["sell","2.5","2"],'
    b'["buy","1.25","0"]],"time":"2021-04-17T16:36:11.123456Z"}'
)
MESSAGES = {
    "binance": ("BTCUSDT", DEPTH),
    "bitstamp": ("BTCUSD", DIFF),
    "coinbase": ("BTC-USD", ADVANCED),
    "coinbase-exchange": ("BTC-USD", EXCHANGE),
}


@pytest.mark.parametrize("venue", IMPORT_VENUES)
def test_a_venues_step_decodes_the_batchs_message(venue):
    symbol, raw = MESSAGES[venue]
    tables = Tables()
    asset = tables.add_asset("?")
    tables.add_instrument(
        tables.add_venue(venue), symbol, asset, asset, price_exponent=2, volume_exponent=8
    )
    index, text = SymbolIndex(tables, 0), np.frombuffer(raw, np.uint8)
    room, seen, batch = (aligned_zeros(n, t) for n, t in ((9, L2_UPDATE), (1, DECODED), (1, BATCH)))
    batch["message"], batch["length"], batch["index"] = address_of(text), len(raw), index.address
    batch["room"], batch["room_records"], batch["decoded"] = address_of(room), 9, address_of(seen)
    assert IMPORT_VENUES[venue].decode(address_of(batch)) == 0
    assert (KINDS[seen[0]["kind"]], seen[0]["count"]) == ("depth", 3)


@pytest.mark.parametrize("venue", IMPORT_VENUES)
def test_a_venue_splits_its_symbols_and_has_fees(venue):
    facts = IMPORT_VENUES[venue]
    assert facts.split_symbol(MESSAGES[venue][0])[0] == "BTC"
    assert next(iter(facts.names)) == venue


def test_the_command_offers_the_venues_of_the_table():
    (choice,) = (p for p in import_command.params if p.name == "venue")
    assert list(choice.type.choices) == list(IMPORT_VENUES)
