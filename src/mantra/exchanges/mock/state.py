"""The memory of one exchange, made from the tables and the balances; owned by Python."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mantra.books.book import Book, new_book
from mantra.exchanges.mock.layout import (
    ACCOUNT,
    EXCHANGE,
    INDEX_SLOTS,
    KEY_EMPTY,
    MARKET,
    NOBODY,
    ORDER,
    ORDERS_MAX,
    REPORT,
    REPORTS_MAX,
)
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import to_units
from mantra.messages.tables import Tables


@dataclass(frozen=True)
class MockOptions:
    """What a mock venue is told beyond the tables.

    `orders_max`: open orders it allows, at most ORDERS_MAX. `answers_unknown`: it refuses requests
    for instruments that are in no table; with several exchanges in a run leave that to one.
    """

    orders_max: int = ORDERS_MAX
    answers_unknown: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.orders_max <= ORDERS_MAX:
            raise ValueError(f"orders_max {self.orders_max}: expected 1 to {ORDERS_MAX}")


def read_balances(tables: Tables, balances: Mapping[str, str | int]) -> dict[int, int]:
    """Amounts by asset id. Text is decimal, an int counts the asset's units.

    Raises LookupError for an unknown asset, ValueError for an amount that is not one.
    """
    amounts = {}
    for name, given in balances.items():
        asset = tables.asset(name)
        exponent = int(tables.assets[asset]["exponent"])
        amount = to_units(given, exponent) if isinstance(given, str) else int(given)
        if not 0 <= amount < 1 << 63:
            raise ValueError(f"balance of {name}: {given} is not in 0 to 2**63 - 1 units")
        amounts[asset] = amount
    return amounts


class ExchangeState:
    """Owner of an exchange's memory: keep it as long as `address` is in use."""

    def __init__(
        self, venue: int, tables: Tables, amounts: Mapping[int, int], options: MockOptions
    ) -> None:
        self.instruments = aligned_zeros(len(tables.instruments), tables.instruments.dtype)
        self.instruments[:] = tables.instruments
        self.accounts = aligned_zeros(len(tables.assets), ACCOUNT)
        for asset, amount in amounts.items():
            self.accounts[asset]["total"] = amount
        self.orders = aligned_zeros(ORDERS_MAX, ORDER)
        self.orders["next"] = [*range(1, ORDERS_MAX), NOBODY]
        self.index = aligned_zeros(INDEX_SLOTS, np.dtype("i8"))
        self.reports = aligned_zeros(REPORTS_MAX, REPORT)
        self.markets = aligned_zeros(len(self.instruments), MARKET)
        self.markets["keys"], self.markets["firsts"] = KEY_EMPTY, NOBODY
        self.books: dict[int, Book] = {
            int(row["id"]): new_book() for row in self.instruments if row["venue"] == venue
        }
        for instrument, book in self.books.items():
            self.markets[instrument]["book"] = book.address
        traded = self.instruments[self.instruments["venue"] == venue]
        self.assets = sorted({*amounts, *map(int, traded["base"]), *map(int, traded["quote"])})
        self._head = aligned_zeros(1, EXCHANGE)
        head = self._head[0]
        head["venue"] = venue
        head["orders_max"], head["answers_unknown"] = options.orders_max, options.answers_unknown
        head["instruments"], head["in_hand"] = len(self.instruments), NOBODY
        for part in ("orders", "index", "markets", "accounts", "reports"):
            head[part] = address_of(getattr(self, part))
        head["instrument_table"] = address_of(self.instruments)
        self.address = address_of(self._head)

    @property
    def head(self) -> np.void:
        """The EXCHANGE record."""
        return self._head[0]
