"""The truth of a simulated venue: books that change, and trades, from a seed.

In:        symbols with their decimals, a seed.
Out:       one Change after the other; each book as it stands.
Must not know: protocols. Numbers are integers; text is made of them by who speaks.

Prices walk: a change moves a few levels near the touch, a trade takes from it. No book crosses.
"""

import random
import time
from dataclasses import dataclass, field

from mantra.messages.decimals import format_decimal

BID, ASK = 0, 1
LEVELS = 40  # a side, at the beginning
MIDDLE = 1_000_000
REACH = 60  # ticks from the touch where levels change
TRADES_EVERY = 4
CHANGED_MAX = 5


@dataclass
class Symbol:
    """A book, and the numbers a venue gives its messages."""

    name: str
    price_exponent: int = 2
    volume_exponent: int = 5
    sides: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    changes: int = 0  # number of the last change
    trades: int = 0
    ts_ns: int = 0  # of the last change

    def best(self, side: int) -> int:
        return max(self.sides[BID]) if side == BID else min(self.sides[ASK])

    def levels(self, side: int, depth: int = 0) -> list[tuple[int, int]]:
        """(price, volume), best first."""
        found = sorted(self.sides[side].items(), reverse=side == BID)
        return found[:depth] if depth else found

    def texts(self, level: tuple[int, int]) -> tuple[str, str]:
        """Price and volume as decimal text."""
        price, volume = level
        return (
            format_decimal(price, self.price_exponent),
            format_decimal(volume, self.volume_exponent),
        )


@dataclass(frozen=True)
class Change:
    """Levels of one symbol that changed together, and the trade that came before, if any."""

    symbol: Symbol
    ts_ns: int
    levels: list[tuple[int, int, int]]  # side, price, volume; 0: gone
    trade: tuple[int, int, int] | None  # side of the taker, price, volume


class Market:
    """All symbols of a venue. One thread at a time."""

    def __init__(self, names: list[str], seed: int = 1):
        self.dice = random.Random(seed)
        self.symbols = {name: Symbol(name) for name in names}
        self._names, self._ts_ns = names, time.time_ns()
        for symbol in self.symbols.values():
            for side, sign in ((BID, -1), (ASK, 1)):
                for distance in range(1, LEVELS + 1):
                    symbol.sides[side][MIDDLE + sign * distance] = self._volume()

    def _volume(self) -> int:
        return self.dice.randint(1, 5_000_000)

    def change(self) -> Change:
        """Make the next change, and apply it."""
        symbol = self.symbols[self.dice.choice(self._names)]
        levels: dict[tuple[int, int], int] = {}
        trade = None
        if self.dice.randrange(TRADES_EVERY) == 0:
            trade = self._trade(symbol, levels)
        for _ in range(self.dice.randint(1, CHANGED_MAX)):
            side = self.dice.randrange(2)
            sign = 1 - 2 * side
            limit = symbol.best(1 - side) - sign  # the best price that does not cross
            price = limit - sign * self.dice.randrange(REACH)
            gone = price in symbol.sides[side] and self.dice.random() < 0.5
            self._set(symbol, levels, side, price, 0 if gone else self._volume())
        symbol.changes += 1
        # No two in the same microsecond: it is all that some venues number their changes by.
        self._ts_ns = symbol.ts_ns = max(time.time_ns(), self._ts_ns + 1_000)
        changed = [(side, price, volume) for (side, price), volume in levels.items()]
        return Change(symbol, symbol.ts_ns, changed, trade)

    def _trade(self, symbol: Symbol, levels: dict) -> tuple[int, int, int]:
        taker = self.dice.randrange(2)
        price = symbol.best(1 - taker)
        resting = symbol.sides[1 - taker][price]
        volume = self.dice.randint(1, resting)
        self._set(symbol, levels, 1 - taker, price, resting - volume)
        symbol.trades += 1
        return taker, price, volume

    def _set(self, symbol: Symbol, levels: dict, side: int, price: int, volume: int) -> None:
        book = symbol.sides[side]
        if not volume and len(book) <= 2:
            return  # a side never runs empty
        levels[side, price] = volume
        if volume:
            book[price] = volume
        else:
            book.pop(price, None)
