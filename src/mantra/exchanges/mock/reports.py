"""What the exchange has to say about the message in hand, in the order in which it says it.

The functions that match know no queues: they write reports, and whoever called them sends these,
right after the message that caused them.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.mock.layout import (
    ACCOUNT,
    ACCOUNT_BYTES,
    EXCHANGE,
    MESSAGE_AT,
    ORDER,
    ORDERS_MAX,
    REPORT,
    REPORT_BYTES,
    REPORTS_MAX,
    TO_BALANCES,
    TO_FILLS,
    TO_ORDERS,
)
from mantra.icc.memory import records_at
from mantra.messages.enums import EXPIRED, REASON_NONE, REASON_UNFILLED
from mantra.messages.records import BALANCE_UPDATE, FILL, ORDER_UPDATE


@compiled
def due_at(ts_exchange):
    """When what leaves at `ts_exchange` arrives: at once. The place of a latency model.

    Such a model keeps reports, and requests in the same form, until the venue's time reaches this.
    """
    return ts_exchange


@compiled
def new_report(exchange_address, queue):
    """Address of the message of a new report."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    assert exchange["waiting"] < REPORTS_MAX, "more reports than one event can cause"
    address = exchange["reports"] + exchange["waiting"] * REPORT_BYTES
    exchange["waiting"] += 1
    report = records_at(address, 1, REPORT)[0]
    report["queue"] = queue
    report["due_at"] = due_at(exchange["ts_exchange"])
    return address + MESSAGE_AT


@compiled
def report_update(exchange_address, slot, event):
    """An ORDER_UPDATE about an order in the table. An order expires for want of a fill."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    update = records_at(new_report(exchange_address, np.int64(TO_ORDERS)), 1, ORDER_UPDATE)[0]
    update["ts_exchange"] = exchange["ts_exchange"]
    update["order_id"] = order["order_id"]
    update["price"] = order["price"]
    update["leaves"] = order["leaves"]
    update["instrument"] = order["instrument"]
    update["model"] = order["model"]
    update["event"] = event
    update["reason"] = REASON_UNFILLED if event == EXPIRED else REASON_NONE


@compiled
def report_fill(exchange_address, slot, price, volume, fee, fee_asset, liquidity, trade_id):
    """A FILL of an order whose leaves are up to date."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    fill = records_at(new_report(exchange_address, np.int64(TO_FILLS)), 1, FILL)[0]
    fill["ts_exchange"] = exchange["ts_exchange"]
    fill["order_id"] = order["order_id"]
    fill["price"] = price
    fill["volume"] = volume
    fill["leaves"] = order["leaves"]
    fill["fee"] = fee
    fill["trade_id"] = trade_id
    fill["instrument"] = order["instrument"]
    fill["fee_asset"] = fee_asset
    fill["model"] = order["model"]
    fill["side"] = order["side"]
    fill["liquidity"] = liquidity


@compiled
def report_balance(exchange_address, asset, order_id):
    """A BALANCE_UPDATE of an asset as it is now. `order_id`: what changed it, 0 for a snapshot."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    account = records_at(exchange["accounts"] + asset * ACCOUNT_BYTES, 1, ACCOUNT)[0]
    update = records_at(new_report(exchange_address, np.int64(TO_BALANCES)), 1, BALANCE_UPDATE)[0]
    update["ts_exchange"] = exchange["ts_exchange"]
    update["total"] = account["total"]
    update["held"] = account["held"]
    update["order_id"] = order_id
    update["asset"] = asset
    update["venue"] = exchange["venue"]
