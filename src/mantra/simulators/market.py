"""The truth of a simulated venue: books that change, and trades, from a seed.

In:        symbols, a seed.
Out:       one Change after the other; each book as it stands.
Must not know: protocols. Numbers are integers; text is made of them by who speaks.

Prices walk: a change moves a few levels near the touch, a trade takes from it. No book crosses.
"""

import random
import time
from bisect import bisect_left, insort
from dataclasses import dataclass, field

BID, ASK = SIDES = 0, 1
SIGNS = (-1, 1)  # a price times its side's sign sorts best first
PRICE_EXPONENT, VOLUME_EXPONENT = 2, 5
LEVELS = 40  # a side, at the beginning
SPARE = 160  # so many more, and the worst go
MIDDLE = 1_000_000
REACH = 60  # ticks from the touch where levels change
TRADES_EVERY = 4
CHANGED_MAX = 5


def decimal(number: int, exponent: int) -> str:
    digits = f"{number:0{exponent + 1}d}"
    return f"{digits[:-exponent]}.{digits[-exponent:]}"


@dataclass
class Symbol:
    """A book, and the numbers a venue gives its messages."""

    name: str
    most: int = LEVELS + SPARE  # levels a side
    sides: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    keys: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))  # best first
    changes: int = 0  # number of the last change
    trades: int = 0
    ts_ns: int = 0  # of the last change
    listed: bool = True

    def best(self, side: int) -> int:
        return SIGNS[side] * self.keys[side][0]

    def levels(self, side: int, depth: int = 0) -> list[tuple[int, int]]:
        """(price, volume), best first."""
        book, sign = self.sides[side], SIGNS[side]
        return [(sign * key, book[sign * key]) for key in self.keys[side][: depth or None]]

    def set(self, side: int, price: int, volume: int) -> None:
        book, keys, key = self.sides[side], self.keys[side], SIGNS[side] * price
        if volume and price not in book:
            insort(keys, key)
        if volume:
            book[price] = volume
        elif book.pop(price, 0):
            del keys[bisect_left(keys, key)]

    def texts(self, level: tuple[int, int]) -> tuple[str, str]:
        """Price and volume as decimal text."""
        return decimal(level[0], PRICE_EXPONENT), decimal(level[1], VOLUME_EXPONENT)


@dataclass(frozen=True)
class Change:
    """Levels of one symbol that changed together, and the trade that came before, if any."""

    symbol: Symbol
    ts_ns: int
    levels: list[tuple[int, int, int]]  # side, price, volume; 0: gone
    trade: tuple[int, int, int] | None  # side of the taker, price, volume


class Market:
    """All symbols of a venue. One thread at a time.

    `reach` is how many ticks from the touch levels change; the first symbol has `deep` levels a
    side, if that is more than the others have.
    """

    def __init__(self, names: list[str], seed: int = 1, reach: int = REACH, deep: int = 0):
        self.dice, self.reach = random.Random(seed), reach
        self.symbols: dict[str, Symbol] = {}
        self.changing: list[Symbol] = []
        self._ts_ns = time.time_ns()
        for name in names:
            self.begin(name, LEVELS if self.symbols else max(deep, LEVELS))

    def begin(self, name: str, levels: int = LEVELS) -> Symbol:
        """A new symbol, or one that is listed again: its book begins anew."""
        self.end(name)
        old = self.symbols.get(name, Symbol(name))
        symbol = Symbol(name, levels + SPARE, changes=old.changes, trades=old.trades)
        symbol.ts_ns, self.symbols[name] = self._ts_ns, symbol
        self.changing.append(symbol)
        for side in SIDES:
            for key in range(1, levels + 1):
                symbol.set(side, MIDDLE + SIGNS[side] * key, self._volume())
        return symbol

    def end(self, name: str) -> None:
        """Nothing changes in it any more."""
        if name in self.symbols and self.symbols[name].listed:
            self.symbols[name].listed = False
            self.changing.remove(self.symbols[name])

    def _volume(self) -> int:
        return self.dice.randint(1, 5_000_000)

    def change(self, symbol: Symbol | None = None) -> Change:
        """Make the next change, of a symbol or of any, and apply it."""
        symbol = symbol or self.dice.choice(self.changing)
        levels: dict[tuple[int, int], int] = {}
        trade = None
        if self.dice.randrange(TRADES_EVERY) == 0:
            trade = self._trade(symbol, levels)
        for _ in range(self.dice.randint(1, CHANGED_MAX)):
            side = self.dice.randrange(2)
            # The best price that does not cross, and away from there.
            price = symbol.best(1 - side) + SIGNS[side] * (1 + self.dice.randrange(self.reach))
            gone = price in symbol.sides[side] and self.dice.random() < 0.5
            self._set(symbol, levels, side, price, 0 if gone else self._volume())
        for side in SIDES:
            if len(symbol.keys[side]) > symbol.most:
                self._set(symbol, levels, side, SIGNS[side] * symbol.keys[side][-1], 0)
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
        if not volume and len(symbol.sides[side]) <= 2:
            return  # a side never runs empty
        levels[side, price] = volume
        symbol.set(side, price, volume)
