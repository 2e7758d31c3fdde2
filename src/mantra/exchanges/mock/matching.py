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
from mantra.exchanges.mock import accounts, reports
from mantra.exchanges.mock.layout import LEVELS_MAX, NOBODY, ORDERS_MAX
from mantra.exchanges.mock.orders import close_order, unlink_order
from mantra.messages import enums
from mantra.messages.amounts import AMOUNT_MAX


@compiled
def has_book(market):
    """Whether the book can be matched against: complete, and nothing of it was lost."""
    return is_consistent(market["book"]) != 0 and market["lost"] == 0


@compiled
def reaches(market, side, price):
    """Whether the opposite side of the book has a level at or through `price` of an order."""
    opposite = best_price(market["book"], 1 - side)
    return opposite != 0 and (1 - 2 * side) * opposite <= (1 - 2 * side) * price


@compiled
def fill_order(exchange, market, order, price, volume, liquidity, trade_id):
    """Fill an order with `volume`, at most its leaves, and report it with both balances."""
    order["leaves"] -= volume
    fee, fee_asset = accounts.settle(exchange, market, order, price, volume, liquidity)
    for side in (enums.ASK, enums.BID):  # the base asset, then the quote asset
        reports.report_balance(exchange, accounts.asset_of(market, side), order["order_id"])
    reports.report_fill(exchange, order, price, volume, fee, fee_asset, liquidity, trade_id)


@compiled
def fill_resting(exchange, market, slot, volume, trade_id):
    """Fill a resting order at its own price; it leaves the table when nothing is left."""
    order = exchange["orders"][slot]
    fill_order(exchange, market, order, order["price"], volume, enums.MAKER, trade_id)
    if order["leaves"] == 0:
        unlink_order(exchange, slot)
        close_order(exchange, slot)


@compiled
def take_liquidity(exchange, market, order):
    """Let an order that does not rest take what it reaches, at most LEVELS_MAX levels."""
    side, book = np.int64(order["side"]), market["book"]
    for _ in range(LEVELS_MAX):
        price = best_price(book, 1 - side)
        beyond = order["price"] != 0 and (1 - 2 * side) * (price - order["price"]) > 0
        if order["leaves"] == 0 or price == 0 or beyond:
            return
        there = volume_at(book, 1 - side, price)
        volume = min(order["leaves"], there)
        apply_level(book, 1 - side, price, there - volume)
        fill_order(exchange, market, order, price, volume, enums.TAKER, market["sequence"])


@compiled
def market_cost(market, volume):
    """What buying `volume` costs, walking as `take_liquidity` will; AMOUNT_MAX if too much."""
    cost, price = np.int64(0), best_price(market["book"], enums.ASK)
    for _ in range(LEVELS_MAX):
        if volume == 0 or price == 0:
            break
        taken = min(volume, volume_at(market["book"], enums.ASK, price))
        amount = accounts.hold_of(market, enums.BID, price, taken)
        cost = cost + amount if amount <= AMOUNT_MAX - cost else np.int64(AMOUNT_MAX)
        volume -= taken
        price = next_price(market["book"], enums.ASK, price)
    return cost


@compiled
def match_book(exchange, market):
    """Fill the resting orders that the book reaches, after a group of updates."""
    orders, book = exchange["orders"], market["book"]
    market["touched"] = 0
    side = np.int64(enums.BID)
    for _ in range(ORDERS_MAX + LEVELS_MAX):  # Each round ends an order, a level, or a side.
        slot = np.int64(market["firsts"][side])
        if slot == NOBODY or not reaches(market, side, orders[slot]["price"]):
            side += 1
            if side > 1:
                return
            continue
        price = best_price(book, 1 - side)
        there = volume_at(book, 1 - side, price)
        volume = min(orders[slot]["leaves"], there)
        apply_level(book, 1 - side, price, there - volume)
        fill_resting(exchange, market, slot, volume, market["sequence"])
    market["touched"] = 1  # Not at the end: go on after the next group.


@compiled
def match_trade(exchange, market, trade):
    """Fill the resting orders that a trade reaches, with no more than its volume altogether."""
    side = 1 - np.int64(trade["side"])
    sign = 1 - 2 * side
    left, passed = trade["volume"], np.int64(0)  # passed: to others at the trade's own price
    slot = np.int64(market["firsts"][side])
    while slot != NOBODY and sign * trade["price"] <= sign * exchange["orders"][slot]["price"]:
        order = exchange["orders"][slot]
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
            fill_resting(exchange, market, slot, volume, trade["trade_id"])
        slot = following
