"""A random market for models: a desk and a naive book that hear the same, one event at a time."""

import random

from mantra.messages.enums import ASK, BID
from tests.books.naive import NaiveBook
from tests.models.desk import LOT, TICK, ModelDesk

MS = 1_000_000


class Walk:
    """Random groups, trades and fills around a price; `seed` decides all."""

    def __init__(self, desk: ModelDesk, seed: int):
        self.desk, self.random, self.book = desk, random.Random(seed), NaiveBook()
        self.now, self.price, self.position = 1_700_000_000_000 * MS, 1000, 0
        self.trades: list[tuple[int, int, int]] = []  # (ns, side, volume)

    def touch(self) -> tuple[int, int]:
        """Best bid and best ask; 0 where there is none."""
        bids, asks = self.book.ladder(BID), self.book.ladder(ASK)
        return bids[0][0] if bids else 0, asks[0][0] if asks else 0

    def group(self) -> None:
        """A few levels: new ones, changes, deletes; at times a side is empty or crossed."""
        chance = self.random
        self.price += chance.randint(-3, 3)
        rows = []
        for _ in range(chance.randint(1, 4)):
            side = chance.randint(BID, ASK)
            away = chance.choice((-1, 1, 1, 2, 3, 5, 8))
            price = (self.price - (1 - 2 * side) * away) * TICK
            rows.append((side, price, chance.choice((0, 10, 50, 400))))
        if chance.random() < 0.3:  # clear what the price has left behind
            for side in (BID, ASK):
                sign = 1 - 2 * side
                rows += [(side, p, 0) for p in self.book.sides[side] if sign * p > sign * self.mid]
        for side, price, volume in rows:
            self.book.apply_level(side, price, volume)
        self.desk.levels(rows, ts=self.now)

    @property
    def mid(self) -> int:
        return self.price * TICK

    def trade(self) -> None:
        side, volume = self.random.randint(BID, ASK), self.random.randint(1, 90)
        self.trades.append((self.now, side, volume))
        self.desk.trade(self.mid, volume, side, ts=self.now)

    def fill(self) -> None:
        side, volume = self.random.randint(BID, ASK), self.random.randint(1, 40) * LOT
        self.position += (1 - 2 * side) * volume
        self.desk.fill(volume, side)

    def step(self) -> str:
        """One event, after a random time; its name."""
        self.now += self.random.randint(0, 300) * MS
        what = self.random.choices(("group", "trade", "fill"), (6, 2, 1))[0]
        getattr(self, what)()
        self.desk.run()
        return what
