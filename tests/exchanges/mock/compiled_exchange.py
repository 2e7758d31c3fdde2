"""The exchange under test with the interface of its naive twin: same calls, same tuples."""

import numpy as np

from mantra.exchanges.mock.layout import TO_BALANCES, TO_FILLS, TO_ORDERS
from mantra.exchanges.mock.market import lose_books, on_trade, on_update
from mantra.exchanges.mock.requests import handle_request
from mantra.exchanges.mock.state import ExchangeState, MockOptions
from mantra.icc.memory import aligned_zeros
from mantra.messages.records import (
    BALANCE_UPDATE,
    FILL,
    L2_UPDATE,
    ORDER_REQUEST,
    ORDER_UPDATE,
    TRADE_UPDATE,
)

IDS = ("instrument", "model", "ts_exchange")
FIELDS = {
    "order": ("order_id", "event", "reason", "price", "leaves", *IDS),
    "fill": (
        *("order_id", "price", "volume", "leaves", "fee", "fee_asset", "liquidity", "trade_id"),
        *("side", "ts_exchange"),
    ),
    "balance": ("asset", "total", "held", "order_id", "ts_exchange"),
}
KINDS = {
    TO_ORDERS: ("order", ORDER_UPDATE),
    TO_FILLS: ("fill", FILL),
    TO_BALANCES: ("balance", BALANCE_UPDATE),
}


def as_tuple(kind, message):
    """A message as the naive exchange says it."""
    return (kind, *(int(message[field]) for field in FIELDS[kind]))


def apply(exchange, update):
    on_update(exchange, update.__array_interface__["data"][0])


class CompiledExchange:
    def __init__(self, venue, tables, amounts, orders_max=1024):
        options = MockOptions(orders_max=orders_max)
        self.state = ExchangeState(venue, tables, amounts, options)
        self.records = {d: aligned_zeros(1, d) for d in (L2_UPDATE, TRADE_UPDATE, ORDER_REQUEST)}

    def _call(self, function, record, **fields):
        for name, value in fields.items():
            self.records[record][0][name] = value
        function(self.state.head, self.records[record][0])

    def update(self, instrument, side, price, volume, flags, sequence, ts):
        fields = {"instrument": instrument, "side": side, "price": price, "volume": volume}
        fields |= {"flags": flags, "sequence": sequence, "ts_exchange": ts}
        self._call(apply, L2_UPDATE, **fields)

    def trade(self, instrument, side, price, volume, trade_id, ts):
        fields = {"instrument": instrument, "side": side, "price": price, "volume": volume}
        self._call(on_trade, TRADE_UPDATE, **fields, trade_id=trade_id, ts_exchange=ts)

    def request(self, **request):
        self._call(handle_request, ORDER_REQUEST, **request)

    def lose(self):
        lose_books(self.state.head)

    def flush(self):
        said = []
        for report in self.state.reports[: int(self.state.head["waiting"])]:
            kind, record = KINDS[int(report["queue"])]
            raw = report["message"].tobytes()[: record.itemsize]
            said.append(as_tuple(kind, np.frombuffer(raw, record)[0]))
        self.state.head["waiting"] = 0
        return said

    @property
    def open_orders(self):
        """The records of the orders that rest, by walking every list."""
        for market in self.state.markets:
            for first in market["firsts"]:
                slot = first
                while slot >= 0:
                    yield self.state.head["orders"][slot]
                    slot = self.state.head["orders"][slot]["next"]
