"""Market data in: which events matter, and what a loss means."""

import pytest

from mantra.books.book import best_price
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.exchanges.mock.compiled_exchange import CompiledExchange
from tests.exchanges.mock.scenarios import Player

WHOLE = FIRST | LAST


@pytest.fixture
def player() -> Player:
    player = Player(CompiledExchange)
    player.play("book 99 x 5 | 101 x 5\nnew 1 buy 100 x 1\nnew 2 sell 100.5 x 1")
    return player


def market(player):
    return player.exchange.state.markets[0]


@pytest.mark.parametrize(
    ("side", "price", "touches"),
    [
        (ASK, 1_001, False),
        (ASK, 1_000, True),
        (ASK, 500, True),
        (BID, 1_004, False),
        (BID, 1_005, True),
        (BID, 1_500, True),
    ],
)
def test_an_update_touches_the_orders_it_reaches(player, side, price, touches):
    player.exchange.update(0, side, price, 3, FIRST, 1, 1)
    assert market(player)["touched"] == touches
    player.exchange.update(0, side, price, 0, LAST, 1, 1)
    assert market(player)["touched"] == 0


def test_a_deleted_level_touches_nobody(player):
    player.exchange.update(0, ASK, 900, 0, FIRST, 1, 1)
    assert market(player)["touched"] == 0


def test_groups_open_are_counted_by_instrument(player):
    head = player.exchange.state.head
    player.exchange.update(0, ASK, 1_020, 3, FIRST, 1, 1)
    player.exchange.update(0, ASK, 1_021, 3, 0, 1, 1)
    assert head["groups_open"] == 1
    player.exchange.update(0, ASK, 1_022, 3, LAST, 1, 1)
    assert head["groups_open"] == 0
    player.exchange.update(0, ASK, 1_022, 3, FIRST, 1, 1)
    player.exchange.lose()
    assert head["groups_open"] == 0


@pytest.mark.parametrize("instrument", [-1, 1, 1 << 30])
def test_events_of_unknown_instruments_are_ignored(player, instrument):
    player.exchange.update(instrument, ASK, 900, 3, WHOLE, 9, 999)
    player.exchange.trade(instrument, ASK, 900, 3, 9, 999)
    assert player.exchange.state.head["ts_exchange"] != 999
    assert player.exchange.flush() == []


@pytest.mark.parametrize(("side", "price", "volume"), [(2, 900, 5), (-1, 900, 5), (ASK, 0, 5)])
def test_trades_that_are_none_fill_nobody(player, side, price, volume):
    player.exchange.trade(0, side, price, volume, 9, 9)
    player.exchange.trade(0, ASK, 900, -volume, 9, 9)
    assert player.exchange.flush() == []


def test_the_tail_of_a_snapshot_does_not_restore_a_lost_book(player):
    player.exchange.lose()
    player.exchange.update(0, ASK, 1_000, 3, SNAPSHOT, 1, 1)
    player.exchange.update(0, ASK, 1_001, 3, SNAPSHOT | LAST, 1, 1)
    assert market(player)["lost"] == 1
    assert player.exchange.flush() == []
    player.exchange.update(0, ASK, 999, 3, SNAPSHOT | FIRST, 2, 2)
    player.exchange.update(0, ASK, 1_001, 3, SNAPSHOT | LAST, 2, 2)
    assert [m[1] for m in player.exchange.flush() if m[0] == "fill"] == [1]


def test_the_book_lacks_what_was_taken_until_the_level_is_told_again(player):
    player.play("new 3 buy 101 x 5 ioc")
    book = player.exchange.state.books[0].address
    assert best_price(book, ASK) == 0
    player.play("level ask 101 x 2")
    assert best_price(book, ASK) == 1_010
