"""Balances: what is owned, what is held for open orders, and what a fill moves. Exact.

    bid   holds price × leaves of the quote asset     gets base,  pays the fee from it
    ask   holds leaves of the base asset              gets quote, pays the fee from it

The fee is taken from what is received, as Binance does without its own coin: so a hold never needs
a fee on top. Holds and payments round up, receipts down, fees up (messages/amounts.py).

The hold of a limit order is always that of its leaves, rounded once. A fill releases the difference
and pays at most that: so a limit order filled in a hundred pieces at its price pays exactly price ×
volume, rounded up once, and what is held is never more than what is owned.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.mock.layout import ACCOUNT
from mantra.icc.memory import records_at
from mantra.messages import amounts, enums, tables


@compiled
def account_of(exchange, asset):
    """The ACCOUNT of an asset."""
    return records_at(exchange["accounts"], asset + 1, ACCOUNT)[asset]


@compiled
def asset_of(market, side):
    """The asset that an order of a side holds; one of the other side is paid in it."""
    facts = records_at(market["facts"], 1, tables.INSTRUMENT)[0]
    return np.int64(facts["quote"] if side == enums.BID else facts["base"])


@compiled
def hold_of(market, side, price, leaves):
    """What a limit order holds."""
    if side == enums.BID:
        return amounts.quote_amount(market["facts"], price, leaves, amounts.UP)
    return amounts.base_amount(market["facts"], leaves)


@compiled
def can_hold(exchange, asset, amount):
    """Whether `amount` more of an asset can be held."""
    account = account_of(exchange, asset)
    return amount <= account["total"] - account["held"]


@compiled
def set_hold(exchange, market, order, amount):
    """Change what an order holds to `amount`, which must be there. Whether anything changed."""
    change = amount - order["held"]
    account_of(exchange, asset_of(market, np.int64(order["side"])))["held"] += change
    order["held"] = amount
    return change != 0


@compiled
def settle(exchange, market, order, price, volume, liquidity):
    """Move what a fill moves, after the order's leaves were lowered. The fee and its asset."""
    side = np.int64(order["side"])
    facts = records_at(market["facts"], 1, tables.INSTRUMENT)[0]
    paid = hold_of(market, side, price, volume)
    if side == enums.BID:
        got = amounts.base_amount(market["facts"], volume)
    else:
        got = amounts.quote_amount(market["facts"], price, volume, amounts.DOWN)
    if side == enums.BID and order["price"] == 0:
        hold = order["held"] - paid  # A market bid holds the cost of the levels it will take.
    else:
        hold = hold_of(market, side, order["price"], order["leaves"])
        paid = min(paid, order["held"] - hold)
    set_hold(exchange, market, order, hold)
    account_of(exchange, asset_of(market, side))["total"] -= paid
    fee_ppm = facts["maker_fee_ppm"] if liquidity == enums.MAKER else facts["taker_fee_ppm"]
    fee = amounts.fee_amount(got, fee_ppm)
    got -= fee
    asset = asset_of(market, 1 - side)
    account = account_of(exchange, asset)
    account["total"] = min(account["total"], amounts.AMOUNT_MAX - max(got, 0)) + got
    return fee, asset
