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
from mantra.exchanges.mock.layout import (
    ACCOUNT,
    ACCOUNT_BYTES,
    EXCHANGE,
    ORDER,
    ORDERS_MAX,
)
from mantra.icc.memory import records_at
from mantra.messages.amounts import (
    AMOUNT_MAX,
    DOWN,
    UP,
    base_amount,
    fee_amount,
    quote_amount,
)
from mantra.messages.enums import BID, MAKER
from mantra.messages.tables import INSTRUMENT

INSTRUMENT_BYTES = INSTRUMENT.itemsize


@compiled
def instrument_at(exchange_address, instrument):
    """Address of an instrument's record."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    return exchange["instrument_table"] + instrument * INSTRUMENT_BYTES


@compiled
def account_of(exchange_address, asset):
    """The ACCOUNT of an asset."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    return records_at(exchange["accounts"] + asset * ACCOUNT_BYTES, 1, ACCOUNT)[0]


@compiled
def held_asset(exchange_address, instrument, side):
    """The asset that an order holds."""
    facts = records_at(instrument_at(exchange_address, instrument), 1, INSTRUMENT)[0]
    return np.int64(facts["quote"] if side == BID else facts["base"])


@compiled
def hold_of(exchange_address, instrument, side, price, leaves):
    """What a limit order holds."""
    facts_address = instrument_at(exchange_address, instrument)
    if side == BID:
        return quote_amount(facts_address, price, leaves, np.int64(UP))
    return base_amount(facts_address, leaves)


@compiled
def can_hold(exchange_address, asset, amount):
    """Whether `amount` more of an asset can be held."""
    account = account_of(exchange_address, asset)
    return amount <= account["total"] - account["held"]


@compiled
def set_hold(exchange_address, slot, amount):
    """Change what an order holds to `amount`, which must be there. Whether anything changed."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    asset = held_asset(exchange_address, np.int64(order["instrument"]), np.int64(order["side"]))
    change = amount - order["held"]
    account_of(exchange_address, asset)["held"] += change
    order["held"] = amount
    return change != 0


@compiled
def _receive(exchange_address, asset, amount):
    account = account_of(exchange_address, asset)
    account["total"] = min(account["total"], AMOUNT_MAX - max(amount, 0)) + amount


@compiled
def settle(exchange_address, slot, price, volume, liquidity):
    """Move what a fill moves, after the order's leaves were lowered. The fee and its asset."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    instrument, side = np.int64(order["instrument"]), np.int64(order["side"])
    facts_address = instrument_at(exchange_address, instrument)
    facts = records_at(facts_address, 1, INSTRUMENT)[0]
    if side == BID:
        paid = quote_amount(facts_address, price, volume, np.int64(UP))
        got, got_asset = base_amount(facts_address, volume), np.int64(facts["base"])
    else:
        paid = base_amount(facts_address, volume)
        got = quote_amount(facts_address, price, volume, np.int64(DOWN))
        got_asset = np.int64(facts["quote"])
    if side == BID and order["price"] == 0:
        hold = order["held"] - paid  # A market bid holds the cost of the levels it will take.
    else:
        hold = hold_of(exchange_address, instrument, side, order["price"], order["leaves"])
        paid = min(paid, order["held"] - hold)
    set_hold(exchange_address, slot, hold)
    account_of(exchange_address, held_asset(exchange_address, instrument, side))["total"] -= paid
    fee_ppm = facts["maker_fee_ppm"] if liquidity == MAKER else facts["taker_fee_ppm"]
    fee = fee_amount(got, fee_ppm)
    _receive(exchange_address, got_asset, got - fee)
    return fee, got_asset
