"""Requests: new, amend, cancel. Every refusal has its reason, and changes nothing.

Money first: a balance is told before the order update or fill that it goes with, so whoever reads
that an order has ended finds the money free. CANCELED and EXPIRED tell as leaves the volume that
ended unfilled.

A request is answered with ACCEPTED, AMENDED or CANCELED before any FILL that follows from it, or
with a refusal. The fill-versus-cancel race, seen from here: the order is no longer in the table, so
a cancel or amend of it is refused with UNKNOWN_ORDER, after the FILL whose leaves were 0.
"""

import numpy as np

from mantra.books.book import PRICE_MAX, best_price
from mantra.compiled import compiled
from mantra.exchanges.mock.accounts import (
    can_hold,
    held_asset,
    hold_of,
    instrument_at,
    set_hold,
)
from mantra.exchanges.mock.layout import EXCHANGE, NOBODY, ORDER, ORDERS_MAX, TO_ORDERS
from mantra.exchanges.mock.matching import has_book, market_cost, reaches, take_liquidity
from mantra.exchanges.mock.orders import (
    close_order,
    find_order,
    link_order,
    market_of,
    open_order,
    unlink_order,
)
from mantra.exchanges.mock.reports import new_report, report_balance, report_update
from mantra.icc.memory import records_at
from mantra.messages.amounts import AMOUNT_MAX, UP, base_amount, quote_amount
from mantra.messages.enums import (
    ACCEPTED,
    AMEND,
    AMEND_REJECTED,
    AMENDED,
    BID,
    CANCEL,
    CANCEL_REJECTED,
    CANCELED,
    EXPIRED,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NEW,
    POST_ONLY,
    REASON_BAD_PRICE,
    REASON_BAD_VOLUME,
    REASON_DUPLICATE_ID,
    REASON_MALFORMED,
    REASON_NO_BALANCE,
    REASON_NO_BOOK,
    REASON_NONE,
    REASON_TOO_MANY_ORDERS,
    REASON_UNKNOWN_INSTRUMENT,
    REASON_UNKNOWN_ORDER,
    REASON_WOULD_TAKE,
    REJECTED,
)
from mantra.messages.records import ORDER_REQUEST, ORDER_UPDATE
from mantra.messages.tables import INSTRUMENT


@compiled
def handle_request(exchange_address, request_address):
    """Answer a request of this venue with reports; one of another venue with none."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    request = records_at(request_address, 1, ORDER_REQUEST)[0]
    instrument = np.int64(request["instrument"])
    if not 0 <= instrument < exchange["instruments"]:
        if exchange["answers_unknown"]:
            refuse(exchange_address, request_address, np.int64(REASON_UNKNOWN_INSTRUMENT))
        return
    if market_of(exchange_address, instrument)["book"] == 0:
        return
    exchange["in_hand"] = NOBODY
    if request["kind"] == NEW:
        reason = new_order(exchange_address, request_address)
    elif request["kind"] == AMEND:
        reason = amend_order(exchange_address, request_address)
    elif request["kind"] == CANCEL:
        reason = cancel_order(exchange_address, request_address)
    else:
        reason = np.int64(REASON_MALFORMED)
    if reason != REASON_NONE:
        refuse(exchange_address, request_address, reason)
    elif exchange["in_hand"] != NOBODY:
        take_and_rest(exchange_address, exchange["in_hand"])


@compiled
def refuse(exchange_address, request_address, reason):
    """Report a refusal. An order that stays open is told with its own price and leaves."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    request = records_at(request_address, 1, ORDER_REQUEST)[0]
    update = records_at(new_report(exchange_address, np.int64(TO_ORDERS)), 1, ORDER_UPDATE)[0]
    update["ts_exchange"] = exchange["ts_exchange"]
    update["order_id"] = request["order_id"]
    update["price"] = request["price"]
    update["leaves"] = 0
    update["instrument"] = request["instrument"]
    update["model"] = request["model"]
    update["event"] = REJECTED
    update["reason"] = reason
    if request["kind"] == CANCEL:
        update["event"] = CANCEL_REJECTED
    elif request["kind"] == AMEND:
        update["event"] = AMEND_REJECTED
        slot = find_requested(exchange_address, request_address)
        if slot != NOBODY:
            order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
            update["price"], update["leaves"] = order["price"], order["leaves"]


# ---------------------------------------------------------------- validation


@compiled
def fits_tick(exchange_address, instrument, price):
    """Whether a limit order may have this price."""
    facts = records_at(instrument_at(exchange_address, instrument), 1, INSTRUMENT)[0]
    return 0 < price <= PRICE_MAX and price % facts["tick_size"] == 0


@compiled
def fits_size(exchange_address, instrument, price, volume):
    """Whether an order may have this volume in all, at a price; 0: there is none to judge by."""
    facts_address = instrument_at(exchange_address, instrument)
    facts = records_at(facts_address, 1, INSTRUMENT)[0]
    if volume <= 0 or volume % facts["lot_size"] != 0 or volume < facts["min_volume"]:
        return False
    notional = quote_amount(facts_address, price, volume, np.int64(UP))
    if price != 0 and notional < facts["min_notional"]:
        return False
    return notional < AMOUNT_MAX and base_amount(facts_address, volume) < AMOUNT_MAX


@compiled
def check_new(exchange_address, request_address):
    """REASON_NONE if a new order is well formed and allowed, balance and room apart."""
    request = records_at(request_address, 1, ORDER_REQUEST)[0]
    instrument, side = np.int64(request["instrument"]), np.int64(request["side"])
    is_limit = request["type"] == LIMIT
    if not (
        request["order_id"] > 0
        and 0 <= side <= 1
        and (is_limit or request["type"] == MARKET)
        and GTC <= request["time_in_force"] <= POST_ONLY
    ):
        return np.int64(REASON_MALFORMED)
    if find_order(exchange_address, request["order_id"]) != NOBODY:
        return np.int64(REASON_DUPLICATE_ID)
    if is_limit and not fits_tick(exchange_address, instrument, request["price"]):
        return np.int64(REASON_BAD_PRICE)
    # A market order's notional is judged by the price at which it begins.
    book = market_of(exchange_address, instrument)["book"]
    price = request["price"] if is_limit else best_price(book, 1 - side)
    if not fits_size(exchange_address, instrument, price, request["volume"]):
        return np.int64(REASON_BAD_VOLUME)
    if not has_book(exchange_address, instrument):
        return np.int64(REASON_NO_BOOK)
    if is_limit and request["time_in_force"] == POST_ONLY:
        if reaches(exchange_address, instrument, side, price):
            return np.int64(REASON_WOULD_TAKE)
    return np.int64(REASON_NONE)


# ---------------------------------------------------------------- what is asked


@compiled
def new_order(exchange_address, request_address):
    """Accept an order, which is then in hand. Or the reason why not."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    request = records_at(request_address, 1, ORDER_REQUEST)[0]
    instrument, side = np.int64(request["instrument"]), np.int64(request["side"])
    volume = request["volume"]
    reason = check_new(exchange_address, request_address)
    if reason != REASON_NONE:
        return reason
    is_limit = request["type"] == LIMIT
    price = request["price"] if is_limit else np.int64(0)
    if side == BID and not is_limit:
        hold = market_cost(exchange_address, instrument, side, volume)
    else:
        hold = hold_of(exchange_address, instrument, side, price, volume)
    asset = held_asset(exchange_address, instrument, side)
    if not can_hold(exchange_address, asset, hold):
        return np.int64(REASON_NO_BALANCE)
    slot = open_order(exchange_address, request["order_id"])
    if slot == NOBODY:
        return np.int64(REASON_TOO_MANY_ORDERS)
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    order["price"], order["volume"], order["leaves"] = price, volume, volume
    order["held"], order["queue_ahead"] = 0, 0
    order["instrument"], order["side"] = instrument, side
    order["model"] = request["model"]
    order["time_in_force"] = request["time_in_force"] if is_limit else IOC
    changed = set_hold(exchange_address, slot, hold)
    if changed:
        report_balance(exchange_address, asset, order["order_id"])
    report_update(exchange_address, slot, np.int64(ACCEPTED))
    exchange["in_hand"] = slot
    return np.int64(REASON_NONE)


@compiled
def take_and_rest(exchange_address, slot):
    """Let an order take; what is left of it rests, or expires, or nothing is left."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    take_liquidity(exchange_address, slot)
    if order["leaves"] == 0:
        close_order(exchange_address, slot)
    elif order["time_in_force"] == IOC:
        end_order(exchange_address, slot, np.int64(EXPIRED))
    else:
        order["queue_ahead"] = 0  # The seam of a queue model: what stands there now is before us.
        link_order(exchange_address, slot)
        instrument, side = np.int64(order["instrument"]), np.int64(order["side"])
        if reaches(exchange_address, instrument, side, order["price"]):
            market_of(exchange_address, instrument)["touched"] = 1  # More than LEVELS_MAX levels.


@compiled
def end_order(exchange_address, slot, event):
    """End an order that does not rest: release its hold, report, free its slot."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    if set_hold(exchange_address, slot, np.int64(0)):
        instrument, side = np.int64(order["instrument"]), np.int64(order["side"])
        asset = held_asset(exchange_address, instrument, side)
        report_balance(exchange_address, asset, order["order_id"])
    report_update(exchange_address, slot, event)
    close_order(exchange_address, slot)


@compiled
def find_requested(exchange_address, request_address):
    """Slot of the open order that a request names, by id and instrument, or NOBODY."""
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    request = records_at(request_address, 1, ORDER_REQUEST)[0]
    slot = find_order(exchange_address, request["order_id"])
    if slot != NOBODY:
        order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
        if order["instrument"] != request["instrument"]:
            return np.int64(NOBODY)
    return slot


@compiled
def cancel_order(exchange_address, request_address):
    """Cancel an open order. Or the reason why not."""
    slot = find_requested(exchange_address, request_address)
    if slot == NOBODY:
        return np.int64(REASON_UNKNOWN_ORDER)
    unlink_order(exchange_address, slot)
    end_order(exchange_address, slot, np.int64(CANCELED))
    return np.int64(REASON_NONE)


@compiled
def amend_order(exchange_address, request_address):
    """Change price and total volume (what is filled included) of an open order; 0 leaves either.

    The order keeps its id. Another price or more volume loses its place: it is in hand, may take,
    and rests behind the others of its price. Or the reason why not.
    """
    exchange = records_at(exchange_address, 1, EXCHANGE)[0]
    request = records_at(request_address, 1, ORDER_REQUEST)[0]
    slot = find_requested(exchange_address, request_address)
    if slot == NOBODY:
        return np.int64(REASON_UNKNOWN_ORDER)
    order = records_at(exchange["orders"], ORDERS_MAX, ORDER)[slot]
    instrument, side = np.int64(order["instrument"]), np.int64(order["side"])
    price = request["price"] if request["price"] != 0 else order["price"]
    volume = request["volume"] if request["volume"] != 0 else order["volume"]
    leaves = volume - (order["volume"] - order["leaves"])
    if not fits_tick(exchange_address, instrument, price):
        return np.int64(REASON_BAD_PRICE)
    if leaves <= 0 or not fits_size(exchange_address, instrument, price, volume):
        return np.int64(REASON_BAD_VOLUME)
    if not has_book(exchange_address, instrument):
        return np.int64(REASON_NO_BOOK)
    moves = price != order["price"] or volume > order["volume"]
    if moves and order["time_in_force"] == POST_ONLY:
        if reaches(exchange_address, instrument, side, price):
            return np.int64(REASON_WOULD_TAKE)
    hold = hold_of(exchange_address, instrument, side, price, leaves)
    asset = held_asset(exchange_address, instrument, side)
    if not can_hold(exchange_address, asset, hold - order["held"]):
        return np.int64(REASON_NO_BALANCE)
    if moves:
        unlink_order(exchange_address, slot)
    order["price"], order["volume"], order["leaves"] = price, volume, leaves
    changed = set_hold(exchange_address, slot, hold)
    if changed:
        report_balance(exchange_address, asset, order["order_id"])
    report_update(exchange_address, slot, np.int64(AMENDED))
    if moves:
        exchange["in_hand"] = slot
    return np.int64(REASON_NONE)
