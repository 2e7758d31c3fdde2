"""Listings that change, and books held against fresh snapshots."""

from concurrent.futures import Future

import numpy as np
import pytest

from mantra.books.book import apply_level
from mantra.exchanges.listing import HALTED, ONLINE, Listed
from mantra.market_data import phases
from mantra.market_data.cross_check import book_levels
from mantra.market_data.lookout import SETTLE_S, CrossChecks, Listings
from mantra.messages.enums import ASK, BID
from tests.market_data.desk import FeedDesk

EVERY_S = 10.0


def listed(symbol, status=ONLINE, quote="USDT"):
    return Listed(symbol, "BTC", quote, 2, 5, 1, 1, 0, "0", status)


def done(result=None, error=None):
    future = Future()
    future.set_exception(error) if error else future.set_result(result)
    return future


@pytest.fixture
def venue():
    """A venue whose answer the test sets."""
    answers = {"binance": done([])}

    def wants(one):
        return one.quote == "USDT"

    return answers, Listings({"binance": wants}, answers.__getitem__, EVERY_S, 0.0)


def test_what_is_wanted_and_trades_is_followed(venue):
    answers, listings = venue
    answers["binance"] = done(
        [listed("BTCUSDT"), listed("ETHUSDT", HALTED), listed("BTCEUR", quote="EUR")]
    )
    assert listings.turn(EVERY_S - 1) == {}
    assert listings.turn(EVERY_S + 1) == {"binance": {"BTCUSDT": listed("BTCUSDT")}}
    assert listings.turn(EVERY_S + 2) == {}


def test_a_listing_that_does_not_come_changes_nothing(venue):
    answers, listings = venue
    answers["binance"] = done(error=OSError("nobody is there"))
    assert listings.turn(EVERY_S + 1) == {}
    answers["binance"] = done([listed("BTCUSDT")])
    assert list(listings.turn(2 * EVERY_S + 2)) == ["binance"]


class Books:
    """Two live books of one venue, and the snapshots that are told of them."""

    def __init__(self, desk):
        self.feed, self.wrong, self.asked = desk.feed, [], []
        for number in (0, 1):
            desk.feed.followed[number]["phase"] = phases.LIVE
            for price in range(90, 100):
                apply_level(desk.feed.book(number), BID, price, 5)
                apply_level(desk.feed.book(number), ASK, price + 20, 5)
        self.checks = CrossChecks(desk.feed, self.ask, EVERY_S, 0.0)
        self.of_venue = np.zeros(2, np.int32)

    def ask(self, number):
        """Answered with the book, wrong at the next price of `wrong`."""
        self.asked.append(number)
        bids, asks = book_levels(self.feed.book(number))
        price = self.wrong.pop(0) if self.wrong else None
        return done((bids | {price: 9} if price else bids, asks))

    def check(self, now):
        """One look, to its end."""
        found = self.checks.turn(now, self.of_venue)
        found += self.checks.turn(now + 0.1, self.of_venue)
        return found + self.checks.turn(now + 0.2 + SETTLE_S, self.of_venue)


@pytest.fixture
def books():
    with FeedDesk({"binance": dict.fromkeys(("BTCUSDT", "ETHUSDT"), (0, 0))}) as desk:
        yield Books(desk)


def test_books_are_looked_at_in_turn_and_those_that_are_right_are_left_alone(books):
    for turn in range(1, 4):
        assert books.check(turn * EVERY_S + 1) == []
    assert books.asked == [0, 1, 0]
    assert books.checks.done == 3


def test_a_book_has_drifted_when_it_is_wrong_at_the_same_price_twice(books):
    books.wrong = [95, 95]
    assert books.check(EVERY_S + 1) == []
    assert books.asked == [0, 0]  # at once again
    assert books.check(EVERY_S + 3) == [(0, 1)]


def test_a_price_that_was_wrong_once_is_forgiven(books):
    books.wrong = [95, 96]
    books.check(EVERY_S + 1)
    assert books.check(EVERY_S + 3) == []
    assert books.asked == [0, 0]
    assert not books.checks.suspects


def test_a_book_that_broke_meanwhile_is_not_told_of(books):
    books.wrong = [95, 95]
    books.check(EVERY_S + 1)
    books.feed.followed[0]["gaps"] += 1
    assert books.check(EVERY_S + 3) == []


def test_an_answer_that_does_not_come_is_no_drift(books):
    books.checks.ask = lambda number: done(error=ValueError("no book"))
    assert books.check(EVERY_S + 1) == []
    assert books.checks.done == 0
