"""A book and its naive twin, fed alike and asked alike."""

from mantra.books.book import (
    apply_level,
    apply_update,
    best_price,
    best_volume,
    is_consistent,
    level_price,
    level_volume,
    levels,
    next_price,
    price_for,
    volume_at,
    volume_to,
)
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE
from tests.books.naive import NaiveBook


class Both:
    """A book and its naive twin, fed alike."""

    def __init__(self, owner):
        self.owner, self.book, self.naive = owner, owner.address, NaiveBook()
        self.update = aligned_zeros(1, L2_UPDATE)

    def level(self, side, price, volume):
        said = apply_level(self.book, side, price, volume)
        assert said == self.naive.apply_level(side, price, volume)

    def send(self, side, price, volume, flags):
        update = self.update[0]
        update["side"], update["price"], update["volume"] = side, price, volume
        update["flags"] = flags
        said = apply_update(self.book, address_of(self.update))
        assert said == self.naive.apply_update(side, price, volume, flags)
        return said

    def group(self, rows, snapshot=False):
        flags = [SNAPSHOT if snapshot else 0] * len(rows)
        flags[0] |= FIRST
        flags[-1] |= LAST
        for row, flag in zip(rows, flags, strict=True):
            self.send(*row, flag)

    def assert_same(self, probes=()):
        """Every level in order, and every question at the probes and around the touch."""
        assert is_consistent(self.book) == self.naive.consistent
        assert self.owner.counters == self.naive.counters
        for side in (BID, ASK):
            ladder = self.naive.ladder(side)
            assert walk(self.book, side) == ladder
            assert levels(self.book, side) == len(ladder)
            best = ladder[0] if ladder else (0, 0)
            assert (best_price(self.book, side), best_volume(self.book, side)) == best
            for n in {-1, 0, 1, len(ladder) // 2, len(ladder) - 1, len(ladder)}:
                level = ladder[n] if 0 <= n < len(ladder) else (0, 0)
                assert (level_price(self.book, side, n), level_volume(self.book, side, n)) == level
            for price in (*probes, best[0], best[0] + 1, best[0] - 1):
                self.assert_same_at(side, price)

    def assert_same_at(self, side, price):
        assert volume_at(self.book, side, price) == self.naive.volume_at(side, price)
        assert next_price(self.book, side, price) == self.naive.next_price(side, price)
        total = volume_to(self.book, side, price)
        assert total == self.naive.volume_to(side, price)
        for volume in (1, total, total + 1):
            assert price_for(self.book, side, volume) == self.naive.price_for(side, volume)


def walk(book, side):
    """[(price, volume)] from the best, as a mock exchange walks."""
    ladder, price = [], best_price(book, side)
    while price:
        ladder.append((price, volume_at(book, side, price)))
        price = next_price(book, side, price)
    return ladder
