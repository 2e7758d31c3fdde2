"""The memory of one exchange, made from the tables and the balances; owned by Python."""

from collections.abc import Mapping
from dataclasses import dataclass

from mantra.books.book import Book, new_book
from mantra.exchanges.mock import layout
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import to_units
from mantra.messages.tables import Tables


@dataclass(frozen=True)
class MockOptions:
    """What a mock venue is told beyond the tables.

    `orders_max`: open orders it allows, at most ORDERS_MAX. `answers_unknown`: it refuses requests
    for instruments that are in no table; with several exchanges in a run leave that to one.
    """

    orders_max: int = layout.ORDERS_MAX
    answers_unknown: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.orders_max <= layout.ORDERS_MAX:
            raise ValueError(f"orders_max {self.orders_max}: expected 1 to {layout.ORDERS_MAX}")


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
    """Owner of an exchange's memory: keep it as long as `address`, of its EXCHANGE, is in use."""

    def __init__(
        self, venue: int, tables: Tables, amounts: Mapping[int, int], options: MockOptions
    ) -> None:
        self.instruments = aligned_zeros(len(tables.instruments), tables.instruments.dtype)
        self.instruments[:] = tables.instruments
        self.accounts = aligned_zeros(len(tables.assets), layout.ACCOUNT)
        self.reports = aligned_zeros(layout.REPORTS_MAX, layout.REPORT)
        self.markets = aligned_zeros(len(self.instruments), layout.MARKET)
        self.markets["keys"], self.markets["firsts"] = layout.KEY_EMPTY, layout.NOBODY
        self.books: list[Book] = []
        assets = set(amounts)
        for market, facts in zip(self.markets, self.instruments, strict=True):
            if facts["venue"] == venue:
                self.books.append(new_book())
                market["book"] = self.books[-1].address
                market["facts"] = facts.__array_interface__["data"][0]
                assets |= {int(facts["base"]), int(facts["quote"])}
        for asset, amount in amounts.items():
            self.accounts[asset]["total"] = amount
        self.assets = sorted(assets)
        memory = aligned_zeros(1, layout.EXCHANGE)
        self.head, self.address = memory[0], address_of(memory)
        self.head["venue"], self.head["instruments"] = venue, len(self.instruments)
        self.head["orders_max"] = options.orders_max
        self.head["answers_unknown"] = options.answers_unknown
        self.head["orders"]["next"] = [*range(1, layout.ORDERS_MAX), layout.NOBODY]
        for part in ("markets", "accounts", "reports"):
            self.head[part] = address_of(getattr(self, part))
