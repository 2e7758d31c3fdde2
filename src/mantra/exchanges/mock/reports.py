"""What the exchange has to say about the message in hand, in the order in which it says it.

The functions that match know no queues: they write reports, and whoever called them sends these,
right after the message that caused them.
"""

from mantra.compiled import compiled
from mantra.exchanges.mock import accounts, layout
from mantra.icc.memory import address_of, records_at
from mantra.messages.records import BALANCE_UPDATE, FILL, ORDER_UPDATE


@compiled
def new_report(exchange, queue):
    """Address of the message of a new report.

    It is due, that is it arrives, at once: the place of a latency model. Such a model keeps
    reports, and requests in the same form, until the venue's time reaches `due_at`.
    """
    assert exchange["waiting"] < layout.REPORTS_MAX, "more reports than one event can cause"
    report = records_at(exchange["reports"], layout.REPORTS_MAX, layout.REPORT)[exchange["waiting"]]
    exchange["waiting"] += 1
    report["queue"], report["due_at"] = queue, exchange["ts_exchange"]
    return address_of(report["message"])


@compiled
def report_update(exchange, order, event, reason):
    """An ORDER_UPDATE about an order."""
    update = records_at(new_report(exchange, layout.TO_ORDERS), 1, ORDER_UPDATE)[0]
    update["ts_exchange"], update["order_id"] = exchange["ts_exchange"], order["order_id"]
    update["price"], update["leaves"] = order["price"], order["leaves"]
    update["instrument"], update["model"] = order["instrument"], order["model"]
    update["event"], update["reason"] = event, reason


@compiled
def report_fill(exchange, order, price, volume, fee, fee_asset, liquidity, trade_id):
    """A FILL of an order whose leaves are up to date."""
    fill = records_at(new_report(exchange, layout.TO_FILLS), 1, FILL)[0]
    fill["ts_exchange"], fill["order_id"] = exchange["ts_exchange"], order["order_id"]
    fill["price"], fill["volume"], fill["leaves"] = price, volume, order["leaves"]
    fill["fee"], fill["fee_asset"] = fee, fee_asset
    fill["trade_id"], fill["liquidity"] = trade_id, liquidity
    fill["instrument"], fill["side"] = order["instrument"], order["side"]
    fill["model"] = order["model"]


@compiled
def report_balance(exchange, asset, order_id):
    """A BALANCE_UPDATE of an asset as it is now. `order_id`: what changed it, 0 for a snapshot."""
    account = accounts.account_of(exchange, asset)
    update = records_at(new_report(exchange, layout.TO_BALANCES), 1, BALANCE_UPDATE)[0]
    update["ts_exchange"], update["order_id"] = exchange["ts_exchange"], order_id
    update["total"], update["held"] = account["total"], account["held"]
    update["asset"], update["venue"] = asset, exchange["venue"]
