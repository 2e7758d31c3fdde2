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
from mantra.exchanges.mock import accounts, layout, matching, orders, reports
from mantra.icc.memory import records_at
from mantra.messages import enums, tables
from mantra.messages.amounts import AMOUNT_MAX, base_amount


@compiled
def handle_request(exchange, request):
    """Answer a request of this venue with reports; one of another venue with none."""
    instrument = np.int64(request["instrument"])
    if not 0 <= instrument < exchange["instruments"]:
        if exchange["answers_unknown"]:
            refuse(exchange, request, np.int64(layout.NOBODY), enums.REASON_UNKNOWN_INSTRUMENT)
        return
    market = orders.market_of(exchange, instrument)
    if market["book"] == 0:
        return
    exchange["in_hand"] = layout.NOBODY
    slot = orders.find_order(exchange, request["order_id"])
    is_known = slot != layout.NOBODY and exchange["orders"][slot]["instrument"] == instrument
    if request["kind"] == enums.NEW:
        reason = new_order(exchange, market, slot, request)
    elif request["kind"] != enums.AMEND and request["kind"] != enums.CANCEL:
        reason = enums.REASON_MALFORMED
    elif not is_known:
        slot, reason = np.int64(layout.NOBODY), enums.REASON_UNKNOWN_ORDER
    elif request["kind"] == enums.AMEND:
        reason = amend_order(exchange, market, slot, request)
    else:
        orders.unlink_order(exchange, slot)
        end_order(exchange, market, slot, enums.CANCELED)
        return
    if reason != enums.REASON_NONE:
        refuse(exchange, request, slot, reason)
    elif exchange["in_hand"] != layout.NOBODY:
        take_and_rest(exchange, market, exchange["in_hand"])


@compiled
def refuse(exchange, request, slot, reason):
    """Report a refusal. An order that stays open is told with its own price and leaves."""
    told = exchange["refused"]
    told["order_id"], told["price"], told["leaves"] = request["order_id"], request["price"], 0
    told["instrument"], told["model"] = request["instrument"], request["model"]
    event = enums.REJECTED
    if request["kind"] == enums.CANCEL:
        event = enums.CANCEL_REJECTED
    elif request["kind"] == enums.AMEND:
        event = enums.AMEND_REJECTED
        if slot != layout.NOBODY:
            order = exchange["orders"][slot]
            told["price"], told["leaves"] = order["price"], order["leaves"]
    reports.report_update(exchange, told, event, reason)


@compiled
def check_order(market, side, order_type, price, volume, may_take):
    """REASON_NONE if an order of this volume in all is allowed. A market order has no price.

    Its notional is judged by the price at which it begins, where there is one.
    """
    facts = records_at(market["facts"], 1, tables.INSTRUMENT)[0]
    if order_type != enums.LIMIT:
        price = best_price(market["book"], 1 - side)
    elif not 0 < price <= PRICE_MAX or price % facts["tick_size"] != 0:
        return enums.REASON_BAD_PRICE
    if volume <= 0 or volume % facts["lot_size"] != 0 or volume < facts["min_volume"]:
        return enums.REASON_BAD_VOLUME
    notional = accounts.hold_of(market, enums.BID, price, volume)
    if price != 0 and notional < facts["min_notional"]:
        return enums.REASON_BAD_VOLUME
    if notional == AMOUNT_MAX or base_amount(market["facts"], volume) == AMOUNT_MAX:
        return enums.REASON_BAD_VOLUME
    if not matching.has_book(market):
        return enums.REASON_NO_BOOK
    if not may_take and matching.reaches(market, side, price):
        return enums.REASON_WOULD_TAKE
    return enums.REASON_NONE


@compiled
def new_order(exchange, market, slot, request):
    """Accept an order, which is then in hand. Or the reason why not."""
    side, volume = np.int64(request["side"]), request["volume"]
    order_type = np.int64(request["type"])
    is_limit = order_type == enums.LIMIT
    if not (0 <= side <= 1 and (is_limit or order_type == enums.MARKET)):
        return enums.REASON_MALFORMED
    if request["order_id"] <= 0 or not enums.GTC <= request["time_in_force"] <= enums.POST_ONLY:
        return enums.REASON_MALFORMED
    if slot != layout.NOBODY:
        return enums.REASON_DUPLICATE_ID
    time_in_force = np.int64(request["time_in_force"] if is_limit else enums.IOC)
    may_take = time_in_force != enums.POST_ONLY
    reason = check_order(market, side, order_type, request["price"], volume, may_take)
    if reason != enums.REASON_NONE:
        return reason
    price = request["price"] if is_limit else np.int64(0)
    if side == enums.BID and not is_limit:
        hold = matching.market_cost(market, volume)
    else:
        hold = accounts.hold_of(market, side, price, volume)
    if not accounts.can_hold(exchange, accounts.asset_of(market, side), hold):
        return enums.REASON_NO_BALANCE
    slot = orders.open_order(exchange, request["order_id"])
    if slot == layout.NOBODY:
        return enums.REASON_TOO_MANY_ORDERS
    order = exchange["orders"][slot]
    order["price"], order["volume"], order["leaves"] = price, volume, volume
    order["held"], order["queue_ahead"] = 0, 0
    order["instrument"], order["side"] = request["instrument"], side
    order["model"], order["time_in_force"] = request["model"], time_in_force
    tell_order(exchange, market, order, hold, enums.ACCEPTED)
    exchange["in_hand"] = slot
    return enums.REASON_NONE


@compiled
def amend_order(exchange, market, slot, request):
    """Change price and total volume (what is filled included) of an open order; 0 leaves either.

    The order keeps its id. Another price or more volume loses its place: it is in hand, may take,
    and rests behind the others of its price. Or the reason why not.
    """
    order = exchange["orders"][slot]
    side = np.int64(order["side"])
    price = request["price"] if request["price"] != 0 else order["price"]
    volume = request["volume"] if request["volume"] != 0 else order["volume"]
    leaves = volume - (order["volume"] - order["leaves"])
    moves = price != order["price"] or volume > order["volume"]
    may_take = not moves or order["time_in_force"] != enums.POST_ONLY
    asked = volume if leaves > 0 else np.int64(0)  # Less than is filled is no volume.
    reason = check_order(market, side, enums.LIMIT, price, asked, may_take)
    if reason != enums.REASON_NONE:
        return reason
    hold = accounts.hold_of(market, side, price, leaves)
    if not accounts.can_hold(exchange, accounts.asset_of(market, side), hold - order["held"]):
        return enums.REASON_NO_BALANCE
    if moves:
        orders.unlink_order(exchange, slot)
        exchange["in_hand"] = slot
    order["price"], order["volume"], order["leaves"] = price, volume, leaves
    tell_order(exchange, market, order, hold, enums.AMENDED)
    return enums.REASON_NONE


@compiled
def take_and_rest(exchange, market, slot):
    """Let an order take; what is left of it rests, or expires, or nothing is left."""
    order = exchange["orders"][slot]
    matching.take_liquidity(exchange, market, order)
    if order["leaves"] == 0:
        orders.close_order(exchange, slot)
    elif order["time_in_force"] == enums.IOC:
        end_order(exchange, market, slot, enums.EXPIRED)
    else:
        order["queue_ahead"] = 0  # The seam of a queue model: what stands there now is before us.
        orders.link_order(exchange, slot)
        if matching.reaches(market, np.int64(order["side"]), order["price"]):
            market["touched"] = 1  # More than LEVELS_MAX levels.


@compiled
def end_order(exchange, market, slot, event):
    """End an order that does not rest: release its hold, report, free its slot."""
    tell_order(exchange, market, exchange["orders"][slot], np.int64(0), event)
    orders.close_order(exchange, slot)


@compiled
def tell_order(exchange, market, order, hold, event):
    """Let an order hold this much, and report both. An order expires for want of a fill."""
    if accounts.set_hold(exchange, market, order, hold):
        asset = accounts.asset_of(market, np.int64(order["side"]))
        reports.report_balance(exchange, asset, order["order_id"])
    reason = enums.REASON_UNFILLED if event == enums.EXPIRED else enums.REASON_NONE
    reports.report_update(exchange, order, event, reason)
