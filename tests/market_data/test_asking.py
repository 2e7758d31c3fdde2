"""REST of venues in threads: where it goes, what an answer becomes. A simulated venue answers."""

import pytest

from mantra.market_data.asking import Asking
from mantra.market_data.venues import Place, Session
from mantra.messages.tables import Tables
from mantra.simulators.market import Market
from mantra.simulators.process import VenueProcess
from mantra.transport.tls import TransportError

PATIENCE_S = 20.0
SYMBOL = "BTCUSDT"


@pytest.fixture
def place():
    with VenueProcess("binance", [SYMBOL], 0.0) as venue:
        yield Place(venue.url, venue.rest, venue.ca_file)


@pytest.fixture
def asking(place):
    made = Asking({"binance": place})
    yield made
    made.close()


@pytest.fixture
def tables():
    made = Tables()
    asset = made.add_asset("?", 18)
    facts = {"price_exponent": 2, "volume_exponent": 5}
    made.add_instrument(made.add_venue("binance"), SYMBOL, asset, asset, **facts)
    return made


@pytest.mark.processes
def test_listing_base_and_book_of_a_venue(asking, tables):
    session = Session("binance", [SYMBOL], tables)
    (listed,) = asking.listing("binance").result(PATIENCE_S)
    assert listed.symbol == SYMBOL
    base = asking.snapshot(session, 0).result(PATIENCE_S)
    assert base.status == 200
    assert b"lastUpdateId" in base.data
    truth = Market([SYMBOL]).symbols[SYMBOL].sides
    assert asking.sides(session, 0, tables).result(PATIENCE_S) == truth


@pytest.mark.processes
def test_what_the_venue_refuses_is_a_transport_error(asking, tables):
    session = Session("binance", [SYMBOL], tables)
    session.symbols[0] = "NONE"
    with pytest.raises(TransportError, match="status 4"):
        asking.sides(session, 0, tables).result(PATIENCE_S)
