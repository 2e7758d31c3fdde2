"""What the exchange has to say about the message in hand, in the order in which it says it.

The functions that match know no queues: they write reports, and whoever called them sends these,
right after the message that caused them.
"""

from mantra.compiled import compiled
from mantra.exchanges.mock import layout
from mantra.exchanges.mock.accounts import account_of
from mantra.icc.memory import records_at
from mantra.messages.records import BALANCE_UPDATE, FILL, ORDER_UPDATE


@compiled
def due_at(ts_exchange):
    """When what leaves at `ts_exchange` arrives: at once. The place of a latency model.

    Such a model keeps reports, and requests in the same form, until the venue's time reaches this.
    """
    return ts_exchange


@compiled
def new_report(exchange, queue):
    """Address of the message of a new report."""
    assert exchange["waiting"] < layout.REPORTS_MAX, "more reports than one event can cause"
    address = exchange["reports"] + exchange["waiting"] * layout.REPORT_BYTES
    exchange["waiting"] += 1
    report = records_at(address, 1, layout.REPORT)[0]
    report["queue"] = queue
    report["due_at"] = due_at(exchange["ts_exchange"])
    return address + layout.MESSAGE_AT


@compiled
def report_update(exchange, order, event, reason):
    """An ORDER_UPDATE about an order."""
    update = records_at(new_report(exchange, layout.TO_ORDERS), 1, ORDER_UPDATE)[0]
    update["ts_exchange"] = exchange["ts_exchange"]
    update["order_id"] = order["order_id"]
    update["price"] = order["price"]
    update["leaves"] = order["leaves"]
    update["instrument"] = order["instrument"]
    update["model"] = order["model"]
    update["event"] = event
    update["reason"] = reason


@compiled
def report_fill(exchange, order, price, volume, fee, fee_asset, liquidity, trade_id):
    """A FILL of an order whose leaves are up to date."""
    fill = records_at(new_report(exchange, layout.TO_FILLS), 1, FILL)[0]
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
def report_balance(exchange, asset, order_id):
    """A BALANCE_UPDATE of an asset as it is now. `order_id`: what changed it, 0 for a snapshot."""
    account = account_of(exchange, asset)
    update = records_at(new_report(exchange, layout.TO_BALANCES), 1, BALANCE_UPDATE)[0]
    update["ts_exchange"] = exchange["ts_exchange"]
    update["total"] = account["total"]
    update["held"] = account["held"]
    update["order_id"] = order_id
    update["asset"] = asset
    update["venue"] = exchange["venue"]
