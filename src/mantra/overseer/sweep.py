"""Desired against live: what each row of a model's OrderCache asks for, and what is sent for it.

In:        rows of ideal orders, their live orders, the limits' verdict.
Out:       OrderRequests: NEW, AMEND, CANCEL; refusals, counted.
Must not know: how a venue answers.

    live order         ideal order           sent
    -----------------  --------------------  ------------------------------------------------
    none               none                  nothing
    none               wanted                NEW, unless blocked (orders.py) or refused (limits.py)
    waits for answer   any                   nothing: a request in flight is never repeated
    open               the same              nothing, however much of it is filled
    open               different             AMEND where it may be, else CANCEL; NEW when it is gone
    open               none                  CANCEL
    IOC, market        any                   nothing: it ends by itself, or is canceled in the end
    unknown            any                   CANCEL, blindly
    any open           while halted          CANCEL

The same: price, volume, instrument, side, type and time in force as last sent or amended. The
volume is the order's original one: a partly filled order is kept until the model writes another
volume or price.

An AMEND is sent only if it raises neither volume nor cost. What raises them goes by CANCEL and
NEW: no message says which BALANCE_UPDATE accounts for an amend, so nobody could say when our own
reservation for it ends.
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import address_of, records_at
from mantra.icc.seqlock_vector import BUSY, row_version, try_read_row, writes
from mantra.messages.enums import AMEND, CANCEL, IOC, LIMIT, MARKET, NEW
from mantra.overseer import lifecycle, limits, orders, refusals, state
from mantra.telemetry.tracked import originate, send

TYPE_SHIFT = 8 * 5  # of the bytes in the word of the terms
TIME_IN_FORCE_SHIFT = 8 * 6
WORD = np.dtype("i8")


@inlined
def sweep_model(context, model, now):
    """Look at the rows of a model that changed, or are to be looked at again; requests sent."""
    owner = orders.model_at(context, model)
    cache = owner["cache"]
    owner["writes"] = writes(cache)  # Before the rows: what is written meanwhile is seen next time.
    owner["dirty"] = 0
    rows = records_at(owner["first_row"], owner["rows"], state.ROW)
    sent = 0
    for index in range(owner["rows"]):
        row = rows[index]
        if row_version(cache, index) == row["version"] and row["dirty"] == 0:
            continue
        version = try_read_row(cache, index, address_of(context["ideal"]))
        if version == BUSY:
            row["dirty"] = owner["dirty"] = 1
            continue
        row["version"], row["dirty"] = version, 0
        sent += serve_row(context, model, index, row, now)
    return sent


@inlined
def serve_row(context, model, index, row, now):
    """Send what the row in hand asks for; 1 if a request was sent."""
    owner = orders.model_at(context, model)
    # The later of the two that a request waited for: the ideal order, the end of the last one.
    records_at(context["track"], 1, WORD)[0] = max(context["ideal"]["ts_origin"], row["freed"])
    stopped = context["mode"] != 0 or owner["halted"] != 0
    wanted = context["ideal"]["volume"] != 0
    if row["slot"] == state.NOWHERE:
        if not wanted or blocked(context, row):
            forget_refusal(context, row)
            return 0
        return try_new(context, model, index, row, now)
    order = orders.order_at(context, row["slot"])
    if order["state"] == lifecycle.OPEN:
        if order["ends_itself"]:
            if now - order["sent_at"] <= context["timeout_ticks"]:
                return 0
        elif wanted and not stopped:
            if is_same(context, order["price"], order["volume"], order["terms"]):
                order["revision"] = context["ideal"]["revision"]
                forget_refusal(context, row)
                return 0
    elif order["state"] != lifecycle.UNKNOWN:
        return 0
    if now < order["retry_at"]:
        row["dirty"] = owner["waiting"] = 1
        return 0
    if stopped:
        originate(context["track"])  # No ideal order is the cause.
    elif wanted and may_amend(context, order):
        order["amend_price"] = context["ideal"]["price"]
        order["amend_volume"] = context["ideal"]["volume"]
        if limits.refusal_of_rate(context, model, now) == refusals.RATE:
            note_refusal(context, model, row, np.int64(refusals.RATE))
            return 0
        request(context, order, np.int64(AMEND), now)
        return 1
    request(context, order, np.int64(CANCEL), now)
    return 1


@inlined
def terms_in_hand(context):
    """Instrument, side, type and time in force of the ideal order in hand, as one word."""
    return records_at(address_of(context["ideal"]) + state.TERMS_AT, 1, WORD)[0] & state.TERMS_MASK


@inlined
def is_same(context, price, volume, terms):
    """Whether this is what the ideal order in hand asks for."""
    ideal = context["ideal"]
    same = ideal["price"] == price and ideal["volume"] == volume
    return same and terms_in_hand(context) == terms


@inlined
def blocked(context, row):
    """Whether the ideal order in hand was done or refused already, and not asked for again."""
    if row["blocked"] == state.FREE:
        return False
    if row["blocked"] == state.UNTIL_REWRITTEN:
        still = row["version"] <= row["blocked_version"]
    else:
        price, volume, terms = row["blocked_price"], row["blocked_volume"], row["blocked_terms"]
        revision = context["ideal"]["revision"]
        still = is_same(context, price, volume, terms)
        still = still and revision == row["blocked_revision"]
    if not still:
        row["blocked"] = state.FREE
    return still


@inlined
def try_new(context, model, index, row, now):
    """Send the ideal order in hand as a new order, or count why not; 1 if sent."""
    reason = limits.refusal(context, model, now)
    if reason != refusals.NONE:
        note_refusal(context, model, row, reason)
        return 0
    forget_refusal(context, row)
    ideal = context["ideal"]
    order = orders.take_slot(context, model, index)
    order["price"], order["volume"] = ideal["price"], ideal["volume"]
    order["terms"], order["revision"] = terms_in_hand(context), ideal["revision"]
    order["instrument"], order["side"] = ideal["instrument"], ideal["side"]
    order["venue"] = limits.instrument_in_hand(context)["venue"]
    order["ends_itself"] = ideal["type"] == MARKET or ideal["time_in_force"] == IOC
    order["cost"] = order["reserved"] = context["cost"]
    order["asset"], order["row_version"] = context["cost_asset"], row["version"]
    row["blocked"] = state.FREE
    orders.work(context, order, order["volume"])
    balance = orders.balance_of(context, order["venue"], order["asset"])
    balance["reserved"] += order["reserved"]
    request(context, order, np.int64(NEW), now)
    return 1


@compiled
def may_amend(context, order):
    """Whether the order can be made the ideal order in hand by an AMEND."""
    ideal = context["ideal"]
    if order["state"] != lifecycle.OPEN or order["amend_refused"]:
        return False
    if limits.venue_of(context, order["venue"])["amends"] == 0:
        return False
    if terms_in_hand(context) != order["terms"] or ideal["type"] != LIMIT:
        return False
    if not order["filled"] < ideal["volume"] <= order["volume"]:
        return False
    verdict = limits.refusal_of_state(context, order["model"])
    if verdict not in (refusals.NONE, refusals.OPEN_ORDERS):
        return False
    if limits.refusal_of_price(context, order["model"]) != refusals.NONE:
        return False
    limits.set_cost(context)
    return context["cost"] <= order["cost"]


@inlined
def request(context, order, kind, now):
    """Send a request for an order: from here on it waits for the answer."""
    message = context["request"]
    message["order_id"], message["kind"] = order["order_id"], kind
    message["model"], message["row"] = order["model"], order["row"]
    message["instrument"], message["side"] = order["instrument"], order["side"]
    message["type"] = order["terms"] >> TYPE_SHIFT & 0xFF
    message["time_in_force"] = order["terms"] >> TIME_IN_FORCE_SHIFT & 0xFF
    message["price"], message["volume"] = order["price"], order["volume"]
    event = np.int64(lifecycle.SEND_NEW)
    if kind == AMEND:
        event = np.int64(lifecycle.SEND_AMEND)
        message["price"], message["volume"] = order["amend_price"], order["amend_volume"]
    elif kind == CANCEL:
        event = np.int64(lifecycle.SEND_CANCEL)
        limits.charge(context, order["model"], order["venue"], now)
    elif message["type"] == MARKET:
        message["price"] = 0
    order["sent_at"] = now
    orders.happen(context, order, event)
    send(context["track"], context["requests"], address_of(context["request"]))
    orders.counters_of(context, order["model"])["requests"][kind] += 1


@compiled
def note_refusal(context, model, row, reason):
    """The row's ideal order is not sent: count why, once for each version of the row."""
    if row["refused"] == refusals.NONE:
        context["refused_rows"] += 1
    if row["refused"] != reason or row["refused_version"] != row["version"]:
        orders.counters_of(context, model)["refused"][reason] += 1
    row["refused"], row["refused_version"] = reason, row["version"]
    if reason == refusals.RATE:
        row["dirty"] = orders.model_at(context, model)["waiting"] = 1


@inlined
def forget_refusal(context, row):
    """Nothing is refused in this row any more."""
    if row["refused"] != refusals.NONE:
        row["refused"] = refusals.NONE
        context["refused_rows"] -= 1
