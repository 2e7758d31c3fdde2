"""The memory of a feed: symbols, slots, connections, by number."""

import pytest

from mantra.exchanges.decoded import NO_ID
from tests.market_data.desk import FeedDesk


@pytest.fixture
def desk():
    symbols = {"binance": {"BTCUSDT": (2, 8)}, "kraken": {"BTC/USD": (1, 8)}}
    with FeedDesk(symbols) as desk:
        yield desk


def test_a_connection_begins_with_nothing_known(desk):
    desk.feed.connections[1]["last_id"] = 7
    desk.feed.open(1, "kraken", 1, bridged=False)
    row = desk.feed.connections[1]
    assert (row["venue"], row["bridged"], row["last_id"]) == (1, 0, NO_ID)
    assert row["index"] == desk.feed.index(1).address != desk.feed.index(0).address


def test_a_book_is_asked_for_on_a_connection_and_knows_its_symbol(desk):
    assert [desk.feed.phase(number) for number in (0, 1)] == ["off", "off"]
    desk.feed.ask(1, 1)
    assert [desk.feed.phase(number) for number in (0, 1)] == ["off", "subscribing"]
    assert desk.feed.followed["connection"].tolist() == [-1, 1]
    assert desk.feed.followed[1]["slot"] == desk.feed.index(1).slot("BTC/USD")


def test_every_instrument_has_a_book_of_its_own(desk):
    assert desk.feed.book(0) != desk.feed.book(1)
