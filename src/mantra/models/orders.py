"""What a model says: it wants an order in a row, or nothing there."""

from mantra.compiled import compiled
from mantra.messages.enums import GTC, LIMIT, MARKET


@compiled
def want(orders, row, side, price, volume, time_in_force=GTC):
    """Want a limit order in `row`: price and volume in the instrument's units."""
    order = orders[row]
    order["side"], order["price"], order["volume"] = side, price, volume
    order["type"], order["time_in_force"] = LIMIT, time_in_force


@compiled
def want_now(orders, row, side, price, volume, time_in_force):
    """Want an order in `row` anew, even if the same was wanted, done or refused before.

    For orders that end at once (IOC): each call is one more order. Price 0: a market order.
    """
    want(orders, row, side, price, volume, time_in_force)
    orders[row]["type"] = LIMIT if price > 0 else MARKET
    orders[row]["revision"] += 1


@compiled
def want_nothing(orders, row):
    """Want no order in `row`: what is live there is canceled."""
    orders[row]["volume"] = 0
