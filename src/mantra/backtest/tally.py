"""The tally of a run: orders, fills, fees, positions and PnL, read off the queues as it goes.

Any process can keep one: it is a consumer like all others, paces nobody, and adds up what it sees.
The status line and the final report are made from it, so both also work when nothing is recorded.

PnL of an instrument is cash + position × last price, in the quote asset: `cash` is what sells
brought minus what buys cost. Fees are kept apart, by asset, as they may be in either.
"""

from dataclasses import dataclass, field

import numpy as np

from mantra.icc import queue, queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages import amounts, enums
from mantra.messages.records import QUEUE_RECORDS
from mantra.messages.tables import Tables

BATCH = 4096
QUEUES = ("trades", "requests", "orders", "fills")


@dataclass
class Position:
    """What one model did in one instrument. Volumes and amounts in integer units."""

    bought: int = 0
    sold: int = 0
    cash: int = 0  # quote asset
    fills: int = 0
    maker_fills: int = 0
    fees: dict[int, int] = field(default_factory=dict)  # by asset id

    @property
    def volume(self) -> int:
        return self.bought - self.sold


def _count(into: dict[str, int], names: tuple[str, ...], values: np.ndarray) -> None:
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        into[names[value]] = into.get(names[value], 0) + int(count)


class Tally:
    """Adds up a run's queues; `update` reads what is new."""

    def __init__(self, run: str, tables: Tables):
        self.tables = tables
        self.requests = dict.fromkeys(enums.KINDS, 0)
        self.order_events = dict.fromkeys(enums.ORDER_EVENTS, 0)
        self.reasons: dict[str, int] = {}
        self.fills = 0
        self.positions: dict[tuple[int, int], Position] = {}  # by (model, instrument)
        self.last_prices: dict[int, int] = {}
        self._ends = []  # of each queue: its name, segment, consumer, and where to take over into
        for name in QUEUES:
            found = queue_segment.attach(run, name)
            consumer = queue_segment.consumer(found, "tally", from_oldest=True, shown=False)
            buffer = aligned_zeros(BATCH, QUEUE_RECORDS[name])
            buffer = aligned_zeros(BATCH, QUEUE_RECORDS[name])
            self._ends.append((name, found, consumer, buffer))

    @property
    def lost(self) -> int:
        """Messages this tally missed: its sums are that much short."""
        return sum(int(consumer["lost"][0]) for _, _, consumer, _ in self._ends)

    def update(self) -> None:
        """Take in all that is on the queues."""
        for name, _, consumer, buffer in self._ends:
            take = getattr(self, f"_take_{name}")
            while count := queue.consume_many(address_of(consumer), address_of(buffer), BATCH):
                take(buffer[:count])

    def _take_trades(self, trades: np.ndarray) -> None:
        for instrument in np.unique(trades["instrument"]):
            last = trades["price"][trades["instrument"] == instrument][-1]
            self.last_prices[int(instrument)] = int(last)

    def _take_requests(self, requests: np.ndarray) -> None:
        _count(self.requests, enums.KINDS, requests["kind"])

    def _take_orders(self, updates: np.ndarray) -> None:
        _count(self.order_events, enums.ORDER_EVENTS, updates["event"])
        _count(self.reasons, enums.REASONS, updates["reason"][updates["reason"] > 0])

    def _take_fills(self, fills: np.ndarray) -> None:
        self.fills += len(fills)
        for fill in fills:
            key = int(fill["model"]), int(fill["instrument"])
            position = self.positions.setdefault(key, Position())
            price, volume = int(fill["price"]), int(fill["volume"])
            position.fills += 1
            position.maker_fills += enums.LIQUIDITIES[fill["liquidity"]] == "maker"
            if fill["side"] == enums.BID:
                position.bought += volume
                position.cash -= self.worth(key[1], price, volume, amounts.UP)
            else:
                position.sold += volume
                position.cash += self.worth(key[1], price, volume, amounts.DOWN)
            asset = int(fill["fee_asset"])
            position.fees[asset] = position.fees.get(asset, 0) + int(fill["fee"])

    def worth(self, instrument: int, price: int, volume: int, rounding: int) -> int:
        """Price × volume in units of the quote asset."""
        row = address_of(self.tables.instruments[instrument : instrument + 1])
        return int(amounts.quote_amount(row, np.int64(price), np.int64(volume), np.int64(rounding)))

    def pnl(self, model: int, instrument: int) -> int | None:
        """Cash plus position at the last price, before fees; None if nothing traded yet."""
        position = self.positions[model, instrument]
        last = self.last_prices.get(instrument)
        if last is None:
            return None
        return position.cash + self.worth(instrument, last, position.volume, amounts.DOWN)

    def fees_in_quote(self, model: int, instrument: int) -> int | None:
        """All fees of a position in the quote asset: those in the base asset at the last price."""
        row, last = self.tables.instruments[instrument], self.last_prices.get(instrument)
        one = np.int64(10 ** int(row["volume_exponent"]))
        unit = int(amounts.base_amount(address_of(self.tables.instruments[instrument:]), one))
        total = 0
        for asset, fee in self.positions[model, instrument].fees.items():
            if asset == row["quote"]:
                total += fee
            elif last is None:
                return None
            else:
                total += self.worth(instrument, last, int(one), amounts.UP) * fee // unit
        return total
