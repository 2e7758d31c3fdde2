"""Who follows what; and what one is told who is shown only the best levels."""

import pytest

from mantra.simulators.dialect import Client, Dialect, Topic
from mantra.simulators.market import ASK, BID, SIDES, Market

DEPTH = 20


class Shown:
    """A client's book: what it was told, cut to its depth if the venue does not."""

    def __init__(self, dialect, topic):
        self.topic, self.cuts = topic, not dialect.deletes_beyond
        self.sides = ({}, {})
        self.take(dialect.begin(topic))

    def take(self, rows):
        for side, price, volume in rows:
            self.sides[side][price] = volume
            if not volume:
                del self.sides[side][price]
        for side in SIDES if self.cuts else ():
            best = sorted(self.sides[side], reverse=side == BID)
            for price in best[self.topic.depth :]:
                del self.sides[side][price]


@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("reach", [5, 60])
def test_who_is_shown_a_depth_has_the_best_levels_after_every_change(deletes, reach):
    market = Market(["A"], 3, reach)
    dialect, topic = Dialect(market), Topic("book", "A", DEPTH)
    dialect.deletes_beyond = deletes
    shown, symbol = Shown(dialect, topic), market.symbols["A"]
    crossed = 0
    for number in range(3_000):
        if number % 500 == 250:  # few levels, so that the depth is not always full
            for side in SIDES:
                for price, _ in symbol.levels(side)[8:]:
                    symbol.set(side, price, 0)
            shown = Shown(dialect, topic)
        shown.take(
            [row for row in dialect.changed(market.change(), topic) if row[2] or known(shown, row)]
        )
        for side in SIDES:
            expected = symbol.levels(side, DEPTH)
            assert shown.sides[side] == dict(expected)
            crossed += len(symbol.keys[side]) > DEPTH
    assert 0 < crossed < 6_000


def known(shown, row):
    """Deletes of levels that were never shown are routine."""
    return row[1] in shown.sides[row[0]]


def test_topics_are_followed_and_left():
    dialect = Dialect(Market(["A", "B"]))
    one, two = Client(), Client()
    for client in (one, two):
        dialect.follow(client, Topic("book", "A", 10))
    dialect.follow(one, Topic("trade", "A"))
    assert dialect.followers == {("book", "A", 10): {one, two}, ("trade", "A", 0): {one}}
    dialect.unfollow(one, "book", "A")
    assert dialect.followers["book", "A", 10] == {two}
    dialect.leave(one)
    dialect.leave(two)
    assert not dialect.followers
    assert not one.wanted | two.wanted


def test_a_symbol_that_ended_is_not_known():
    market = Market(["A", "B"])
    dialect = Dialect(market)
    assert dialect.known("A") is market.symbols["A"]
    market.end("A")
    assert dialect.known("A") is dialect.known("C") is None
    assert dialect.whole(market.symbols["B"], 1) == [
        (side, *market.symbols["B"].levels(side, 1)[0]) for side in (BID, ASK)
    ]
