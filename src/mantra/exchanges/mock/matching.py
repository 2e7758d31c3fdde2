"""Matching: our orders against the market, never against each other.

The book of a MARKET is the market's, less what our orders have taken from it: a level taken from
is lowered in it, and so cannot be taken twice before the market says the level's volume again.

    taker   an order that crosses takes level by level, best first, at the levels' prices, up to
            its limit                                            trade_id: the book's sequence
    maker   a trade of an opposite aggressor at or through the order's price fills it at its own
            price, up to the trade's volume, which is shared out by price, then time, once
                                                                 trade_id: the trade's
    maker   a level of the opposite side at or through the order's price, at the end of a group,
            fills it at its own price, up to the level's volume  trade_id: the book's sequence

Why not more: see docs/decisions/006-mock-exchange-matching.md.
"""

import numpy as np

from mantra.books.book import apply_level, best_price, is_consistent, next_price, volume_at
from mantra.compiled import compiled
from mantra.exchanges.mock.accounts import instrument_at, settle
from mantra.exchanges.mock.layout import (
    EXCHANGE,
    LEVELS_MAX,
    NOBODY,
    ORDER,
    ORDERS_MAX,
)
from mantra.exchanges.mock.orders import close_order, first_order, market_of, unlink_order
from mantra.exchanges.mock.reports import report_balance, report_fill
from mantra.icc.memory import records_at
from mantra.messages.amounts import AMOUNT_MAX, UP, quote_amount
from mantra.messages.enums import BID, MAKER, TAKER
from mantra.messages.records import TRADE_UPDATE
from mantra.messages.tables import INSTRUMENT


@compiled
def has_book(exchange_address, instrument):
    """Whether the book can be matched against: complete, and nothing of it was lost."""
    market = market_of(exchange_address, instrument)
    return is_consistent(market["book"]) != 0 and market["lost"] == 0


@compiled
def reaches(exchange_address, instrument, side, price):
    """Whether the opposite side of the book has a level at or through `price` of an order."""
    opposite = best_price(market_of(exchange_address, instrument)["book"], 1 - side)
    return opposite != 0 and (1 - 2 * side) * opposite <= (1 - 2 * side) * price


@compiled
def fill_order(exchange_address, slot, price, volume, liquidity, trade_id):
    """Fill an order with `volume`, at most its leaves, and report it with both balances."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    order["leaves"] -= volume
    fee, fee_asset = settle(exchange_address, slot, price, volume, liquidity)
    facts_address = instrument_at(exchange_address, np.int64(order["instrument"]))
    facts = records_at(facts_address, 1, INSTRUMENT)[0]
    report_balance(exchange_address, np.int64(facts["base"]), order["order_id"])
    report_balance(exchange_address, np.int64(facts["quote"]), order["order_id"])
    report_fill(exchange_address, slot, price, volume, fee, fee_asset, liquidity, trade_id)


@compiled
def fill_resting(exchange_address, slot, volume, trade_id):
    """Fill a resting order at its own price; it leaves the table when nothing is left."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    fill_order(exchange_address, slot, order["price"], volume, np.int64(MAKER), trade_id)
    if order["leaves"] == 0:
        unlink_order(exchange_address, slot)
        close_order(exchange_address, slot)


@compiled
def take_liquidity(exchange_address, slot):
    """Let an order that does not rest take what it reaches, at most LEVELS_MAX levels."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    side = np.int64(order["side"])
    market = market_of(exchange_address, np.int64(order["instrument"]))
    for _ in range(LEVELS_MAX):
        price = best_price(market["book"], 1 - side)
        beyond = order["price"] != 0 and (1 - 2 * side) * (price - order["price"]) > 0
        if order["leaves"] == 0 or price == 0 or beyond:
            return
        there = volume_at(market["book"], 1 - side, price)
        volume = min(order["leaves"], there)
        apply_level(market["book"], 1 - side, price, there - volume)
        fill_order(exchange_address, slot, price, volume, np.int64(TAKER), market["sequence"])


@compiled
def market_cost(exchange_address, instrument, side, volume):
    """What `volume` costs by walking the book as `take_liquidity` will; AMOUNT_MAX if too much."""
    book = market_of(exchange_address, instrument)["book"]
    facts_address = instrument_at(exchange_address, instrument)
    cost = np.int64(0)
    price = best_price(book, 1 - side)
    for _ in range(LEVELS_MAX):
        if volume == 0 or price == 0:
            break
        taken = min(volume, volume_at(book, 1 - side, price))
        amount = quote_amount(facts_address, price, taken, np.int64(UP))
        cost = cost + amount if amount <= AMOUNT_MAX - cost else np.int64(AMOUNT_MAX)
        volume -= taken
        price = next_price(book, 1 - side, price)
    return cost


@compiled
def match_book(exchange_address, instrument):
    """Fill the resting orders that the book reaches, after a group of updates."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    orders = records_at(exchange["orders"], ORDERS_MAX, ORDER)
    market = market_of(exchange_address, instrument)
    market["touched"] = 0
    side = np.int64(BID)
    for _ in range(ORDERS_MAX + LEVELS_MAX):  # Each round ends an order, a level, or a side.
        slot = first_order(exchange_address, instrument, side)
        if slot == NOBODY or not reaches(exchange_address, instrument, side, orders[slot]["price"]):
            side += 1
            if side > 1:
                return
            continue
        price = best_price(market["book"], 1 - side)
        there = volume_at(market["book"], 1 - side, price)
        volume = min(orders[slot]["leaves"], there)
        apply_level(market["book"], 1 - side, price, there - volume)
        fill_resting(exchange_address, slot, volume, market["sequence"])
    market["touched"] = 1  # Not at the end: go on after the next group.


@compiled
def match_trade(exchange_address, trade_address):
    """Fill the resting orders that a trade reaches, with no more than its volume altogether."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    orders = records_at(exchange["orders"], ORDERS_MAX, ORDER)
    trade = records_at(trade_address, 1, TRADE_UPDATE)[0]
    instrument, side = np.int64(trade["instrument"]), 1 - np.int64(trade["side"])
    sign = 1 - 2 * side
    left, passed = trade["volume"], np.int64(0)  # passed: to others at the trade's own price
    slot = first_order(exchange_address, instrument, side)
    while slot != NOBODY and sign * trade["price"] <= sign * orders[slot]["price"]:
        order = orders[slot]
        following = np.int64(order["next"])
        if trade["price"] == order["price"]:
            ahead = min(max(order["queue_ahead"] - passed, 0), left)
            left -= ahead
            passed += ahead
            order["queue_ahead"] = max(order["queue_ahead"] - passed, 0)
        else:
            order["queue_ahead"] = 0  # The market has traded through all who stood there.
        volume = min(left, order["leaves"])
        if volume > 0:
            left -= volume
            fill_resting(exchange_address, slot, volume, trade["trade_id"])
        slot = following
