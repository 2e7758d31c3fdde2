"""The order book of one instrument: what everybody else calls.

A book is an int64 address; compiled code passes it on and calls these functions, all of which take
and return int64. `side` is BID or ASK. Prices and volumes are the instrument's integer units; 0
stands for "none". Queries say what the levels are now, inside a group too: whether they are worth
acting on is `is_consistent`.

    with new_book() as book:
        apply_update(book.address, address_of_an_L2_UPDATE)
        best_price(book.address, BID)

One writer; readers in the same thread. The memory is the process's own.
"""

import weakref
from typing import NamedTuple, Self

import numpy as np

from mantra.books import layout, table, window
from mantra.books.side import clear_side, close_side, open_side, set_level, side_bytes
from mantra.compiled import compiled
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.messages import enums, records

# What apply_update says.
#   REFUSED     not a level: counted, nothing changed
#   IN_GROUP    more of the group is to come
#   CONSISTENT  the group is complete
REFUSED, IN_GROUP, CONSISTENT = -1, 0, 1

PRICE_MAX = 1 << 60  # Differences of prices, and steps beyond them, stay inside int64.
VOLUME_MAX = (1 << 63) - 1  # sums of volumes stop here


class Counters(NamedTuple):
    """What a book has seen since it was made."""

    updates: int  # levels applied, deletes of unknown levels included
    groups: int  # completed
    crossed: int  # of them with best bid > best ask
    locked: int  # of them with best bid = best ask
    refused: int  # levels refused: unknown side, price or volume out of range


class Book:
    """Owner of a book's memory: keep it as long as `address` is in use."""

    def __init__(self, levels: int):
        self._head = aligned_zeros(1, layout.BOOK)
        self.address = address_of(self._head)
        for side in (enums.BID, enums.ASK):
            open_side(self._head["sides"][0, side], 1 - 2 * side, levels)
        self.close = weakref.finalize(self, _close, self._head)  # once, at the latest when dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def counters(self) -> Counters:
        return Counters(*(int(self._head[0][name]) for name in Counters._fields))

    @property
    def size(self) -> int:
        """Bytes held."""
        return layout.BOOK.itemsize + sum(side_bytes(side) for side in self._head["sides"][0])


def _close(head: np.ndarray) -> None:
    for side in head["sides"][0]:
        close_side(side)


def new_book(levels: int = 32) -> Book:
    """An empty book with room for `levels` a side; it grows by itself. Tick sizes it learns.

    Raises MemoryError, here and on growing.
    """
    return Book(levels)


@compiled
def side_of(book, side):
    """The SIDE record of a side."""
    return records_at(book + layout.SIDES_OFFSET + side * layout.SIDE_BYTES, 1, layout.SIDE)[0]


# ---------------------------------------------------------------- writing


@compiled
def apply_level(book, side, price, volume):
    """Set a level to an absolute `volume`, 0 deletes (an unknown one too). REFUSED or IN_GROUP.

    Knows nothing of groups: consistency is as it was.
    """
    head = records_at(book, 1, layout.BOOK)[0]
    if (side & ~1) != 0 or price <= 0 or price > PRICE_MAX or volume < 0:
        head["refused"] += 1
        return REFUSED
    head["updates"] += 1
    set_level(side_of(book, side), price, volume)
    return IN_GROUP


@compiled
def prefetch_update(book, update_address):
    """Ask for the memory that `apply_update` of this record needs; nothing waits.

    Of thousands of books none is near, and the lines of a group's levels can come side by side.
    """
    update = records_at(update_address, 1, records.L2_UPDATE)[0]
    side = side_of(book, np.int64(update["side"]) & 1)
    table.prefetch_bucket(side, update["price"])
    window.prefetch_bit(side, update["price"])


@compiled
def apply_update(book, update_address):
    """Apply one L2_UPDATE record: REFUSED, IN_GROUP or CONSISTENT.

    FIRST of a SNAPSHOT clears both sides; LAST makes the book consistent and looks whether it is
    crossed or locked, which is counted and left as it is. A refused level is left out, its flags
    count. Price 0 with volume 0 is no level but carries flags: the whole of an empty snapshot.
    """
    head = records_at(book, 1, layout.BOOK)[0]
    update = records_at(update_address, 1, records.L2_UPDATE)[0]
    flags = np.int64(update["flags"])
    if flags & (enums.FIRST | enums.SNAPSHOT) == enums.FIRST | enums.SNAPSHOT:
        clear(book)
    status = IN_GROUP
    if update["price"] != 0 or update["volume"] != 0:
        status = apply_level(book, np.int64(update["side"]), update["price"], update["volume"])
    if flags & enums.LAST == 0:
        head["consistent"] = 0
        return status
    head["consistent"] = 1
    head["groups"] += 1
    bid, ask = best_price(book, np.int64(enums.BID)), best_price(book, np.int64(enums.ASK))
    if bid >= ask and ask != 0:
        head["crossed"] += int(bid > ask)
        head["locked"] += int(bid == ask)
    return CONSISTENT if status == IN_GROUP else status


@compiled
def clear(book):
    """Delete all levels of both sides; the book is not consistent until a group completes."""
    records_at(book, 1, layout.BOOK)[0]["consistent"] = 0
    for side in range(2):
        clear_side(side_of(book, side))


# ---------------------------------------------------------------- asking


@compiled
def is_consistent(book):
    """1 after a complete group, 0 before the first and inside one."""
    return records_at(book, 1, layout.BOOK)[0]["consistent"]


@compiled
def levels(book, side):
    """How many levels a side has."""
    return side_of(book, side)["levels"]


@compiled
def best_price(book, side):
    """Price of the best level, 0 if there is none."""
    head = side_of(book, side)
    return window.price_of(head, head["touch"]) if head["levels"] > 0 else np.int64(0)


@compiled
def best_volume(book, side):
    """Volume of the best level, 0 if there is none."""
    return volume_at(book, side, best_price(book, side))


@compiled
def volume_at(book, side, price):
    """Volume at `price`, 0 if there is no level."""
    return table.find(side_of(book, side), price)


@compiled
def next_price(book, side, price):
    """Price of the next level worse than `price` (a level or not), 0 if there is none.

    A walk from the best: `price = best_price(book, side)`, then `next_price` until it is 0.
    """
    return window.next_worse(side_of(book, side), min(max(price, 0), PRICE_MAX + 1))


@compiled
def level_price(book, side, n):
    """Price of the n-th level from the best, which is level 0; 0 if there are not so many."""
    if n < 0 or n >= levels(book, side):
        return np.int64(0)
    price = best_price(book, side)
    for _ in range(n):
        price = next_price(book, side, price)
    return price


@compiled
def level_volume(book, side, n):
    """Volume of the n-th level from the best, 0 if there are not so many."""
    return volume_at(book, side, level_price(book, side, n))


@compiled
def volume_to(book, side, price):
    """Volume of all levels from the best to `price` inclusive; at most VOLUME_MAX."""
    sign = 1 - 2 * side
    total = np.int64(0)
    reached = best_price(book, side)
    while reached != 0 and reached * sign >= price * sign:
        total = _add(total, volume_at(book, side, reached))
        reached = next_price(book, side, reached)
    return total


@compiled
def price_for(book, side, volume):
    """Price of the level where the volume from the best reaches `volume`; 0 if it never does."""
    total = np.int64(0)
    price = best_price(book, side)
    while price != 0:
        total = _add(total, volume_at(book, side, price))
        if total >= volume:
            return price
        price = next_price(book, side, price)
    return np.int64(0)


@compiled
def _add(total, volume):
    return total + volume if volume <= VOLUME_MAX - total else np.int64(VOLUME_MAX)
