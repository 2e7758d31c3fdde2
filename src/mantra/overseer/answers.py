"""What the venues say: order updates, fills, balances, halts, last prices.

In:        the five inlets.
Out:       life-cycle events, positions, balances; rows marked to be looked at again.
Must not know: what will be sent then.

Order of reading: orders, fills, balances. A venue publishes the fill before the CANCELED that ends
the rest, and what it caused in the balances before or with either; so after a CANCELED was read
and the other two were drained, all that led to it is known. Only then the rows are looked at. If a
venue, or a queue, does not keep that order, nothing breaks: fills count when they come, and
reservations do not depend on it.

A reservation is ours from the sending of a NEW until the venue's own numbers account for the
order, so that nothing is counted twice for long, and never too little:

    resting order    until the first BALANCE_UPDATE that bears its id, of the asset it is paid in:
                     from there on `held` (and, after fills, `total`) contain it
    IOC, market      until there was such a BALANCE_UPDATE and the order has ended: a venue need not
                     hold for what it does at once, so one of several updates may be half the truth
    rejected         until the REJECTED; nothing was taken
    ended unfilled   the same, where CANCELED or EXPIRED says that all of its volume was left
    never named      until a request's time-out after its end; counted as `unsettled`

All of it lives on one queue, `balances`, whose updates come in the venue's order; so no delay of
another queue can make us spend twice.
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import records_at
from mantra.icc.queue import CONSUMER, DATA, EMPTY, SPED_PAST, show_progress
from mantra.messages.enums import (
    AMEND_REJECTED,
    AMENDED,
    CANCEL_REJECTED,
    CANCELED,
    EVENT_CONNECTED,
    EVENT_DISCONNECTED,
    EVENT_HALT,
    EVENT_OVERRUN,
    EVENT_RESUME,
    EXPIRED,
)
from mantra.overseer.ledger import begin_day, book_fill, mark_all
from mantra.overseer.lifecycle import (
    FINAL_FILL,
    FIRST_END,
    ILLEGAL,
    PARTIAL_FILL,
    event_of_update,
)
from mantra.overseer.limits import market_of, venue_of
from mantra.overseer.orders import (
    balance_of,
    counters_of,
    find_order,
    happen,
    release,
    tell,
    tell_unknown,
    wake,
    work,
)
from mantra.overseer.refusals import (
    LIFTED_BY_BALANCE,
    LIFTED_BY_FILL,
    LIFTED_BY_RESUME,
    LIFTED_BY_TRADE,
)
from mantra.overseer.state import (
    BALANCE_AT,
    CONTEXT,
    EVENT_AT,
    FILL_AT,
    ORDER,
    TRADE_AT,
    UPDATE_AT,
)
from mantra.telemetry.tracked import hold_timer, receive, start_timer, ticks_now

BATCH = 64  # messages of one queue in one step: an answer waits for at most so many others
TRADES_BATCH = 16

NEEDED = 1  # whether all messages of a queue have to be read, or the latest is enough
NOT_NEEDED = 0

TIMER_ORDERS = 0
TIMER_FILLS = 1
TIMER_BALANCES = 2
TIMER_EVENTS = 3
TIMER_SWEEP = 4
TIMER_TRADES = 5
TIMERS = ("orders", "fills", "balances", "events", "sweep", "trades")  # in the order of a step


@inlined
def take(context_address, inlet, target, needed):
    """`receive`; an overrun is told, and where every message is needed we are blind from then on.

    Blind: all is canceled and nothing sent, until a restart finds out at the venues what is so.
    """
    context = records_at(context_address, 1, CONTEXT)[0]
    lost_before = records_at(inlet, 1, CONSUMER)[0]["lost"]
    status = receive(context["track"], inlet, target)
    if status == SPED_PAST:
        lost = records_at(inlet, 1, CONSUMER)[0]["lost"] - lost_before
        if needed:
            context["blind"] = 1
            tell(context_address, np.int64(EVENT_OVERRUN), np.int64(-1), lost, np.int64(0))
    return status


@inlined
def end_step(context_address, timer, start, work):
    """End the timer of a piece of work; it is told at the end of the step, after the requests."""
    track = records_at(context_address, 1, CONTEXT)[0]["track"]
    hold_timer(track, timer, start, start_timer(track), work)


@inlined
def drain_orders(context_address):
    """Read what venues say of orders; how many messages."""
    context = records_at(context_address, 1, CONTEXT)[0]
    inlet, count, start = context["orders_in"], 0, np.int64(0)
    while count < BATCH:
        status = take(context_address, inlet, context_address + UPDATE_AT, np.int64(NEEDED))
        if status == EMPTY:
            break
        if count == 0:
            start = start_timer(context["track"])
        count += 1
        if status == DATA:
            apply_update(context_address)
    if count > 0:
        show_progress(inlet)
        end_step(context_address, np.int64(TIMER_ORDERS), start, count)
    return count


@inlined
def apply_update(context_address):
    """Apply the ORDER_UPDATE in hand."""
    context = records_at(context_address, 1, CONTEXT)[0]
    update = context["update"]
    order_address = find_order(context_address, update["order_id"])
    if order_address == 0:
        tell_unknown(context_address, update["order_id"], np.int64(-1))
        return
    order = records_at(order_address, 1, ORDER)[0]
    counters_of(context_address, order["model"])["updates"] += 1
    said = np.int64(update["event"])
    event = event_of_update(said, np.int64(update["reason"]))
    state = happen(context_address, order_address, event)
    if state == ILLEGAL:
        return
    if state >= FIRST_END:
        if said in (CANCELED, EXPIRED) and update["leaves"] == order["volume"]:
            if order["reserved"] > 0:  # Nothing was filled, so nothing was taken.
                settle(context_address, order_address)
        return
    if said == AMENDED:
        work(context_address, order_address, order["amend_volume"] - order["volume"])
        order["price"], order["volume"] = order["amend_price"], order["amend_volume"]
    elif said == AMEND_REJECTED:
        order["amend_refused"] = 1
    elif said == CANCEL_REJECTED:
        order["retry_at"] = ticks_now(context["track"]) + context["retry_ticks"]


@inlined
def drain_fills(context_address):
    """Read fills; how many messages."""
    context = records_at(context_address, 1, CONTEXT)[0]
    inlet, count, start = context["fills_in"], 0, np.int64(0)
    while count < BATCH:
        status = take(context_address, inlet, context_address + FILL_AT, np.int64(NEEDED))
        if status == EMPTY:
            break
        if count == 0:
            start = start_timer(context["track"])
        count += 1
        if status == DATA:
            apply_fill(context_address)
    if count > 0:
        wake(context_address, np.int64(LIFTED_BY_FILL))
        show_progress(inlet)
        end_step(context_address, np.int64(TIMER_FILLS), start, count)
    return count


@compiled
def apply_fill(context_address):
    """Apply the FILL in hand. The position moves whatever the order's state: money has moved."""
    context = records_at(context_address, 1, CONTEXT)[0]
    fill = context["fill"]
    order_address = find_order(context_address, fill["order_id"])
    model = np.int64(fill["model"])
    if order_address == 0:
        tell_unknown(context_address, fill["order_id"], np.int64(-1))
    else:
        order = records_at(order_address, 1, ORDER)[0]
        model = order["model"]
        event = PARTIAL_FILL if fill["leaves"] > 0 else FINAL_FILL
        if order["state"] < FIRST_END:
            work(context_address, order_address, -min(fill["volume"], order_left(order_address)))
        order["filled"] += fill["volume"]
        happen(context_address, order_address, np.int64(event))
    if (
        0 <= model < context["model_count"]
        and 0 <= fill["instrument"] < context["instrument_count"]
    ):
        counters_of(context_address, model)["fills"] += 1
        book_fill(context_address, model)


@compiled
def order_left(order_address):
    """The volume of an order that is not filled."""
    order = records_at(order_address, 1, ORDER)[0]
    return max(order["volume"] - order["filled"], np.int64(0))


@inlined
def drain_balances(context_address):
    """Read balances; how many messages."""
    context = records_at(context_address, 1, CONTEXT)[0]
    inlet, count, start = context["balances_in"], 0, np.int64(0)
    while count < BATCH:
        status = take(context_address, inlet, context_address + BALANCE_AT, np.int64(NEEDED))
        if status == EMPTY:
            break
        if count == 0:
            start = start_timer(context["track"])
        count += 1
        if status == DATA:
            apply_balance(context_address)
    if count > 0:
        wake(context_address, np.int64(LIFTED_BY_BALANCE))
        show_progress(inlet)
        end_step(context_address, np.int64(TIMER_BALANCES), start, count)
    return count


@inlined
def apply_balance(context_address):
    """Take over the BALANCE_UPDATE in hand; it may settle the order that caused it."""
    context = records_at(context_address, 1, CONTEXT)[0]
    update = context["balance"]
    if not 0 <= update["venue"] < context["venue_count"]:
        return
    if not 0 <= update["asset"] < context["asset_count"]:
        return
    balance = balance_of(context_address, np.int64(update["venue"]), np.int64(update["asset"]))
    balance["known"] = 1
    balance["total"], balance["held"] = update["total"], update["held"]
    order_address = find_order(context_address, update["order_id"])
    if order_address == 0:
        return
    order = records_at(order_address, 1, ORDER)[0]
    if order["venue"] != update["venue"] or order["asset"] != update["asset"]:
        return
    order["balance_seen"] = 1
    if order["reserved"] > 0 and (order["ends_itself"] == 0 or order["state"] >= FIRST_END):
        settle(context_address, order_address)


@inlined
def settle(context_address, order_address):
    """The venue's numbers account for an order: end its reservation."""
    if records_at(order_address, 1, ORDER)[0]["state"] >= FIRST_END:
        records_at(context_address, 1, CONTEXT)[0]["unsettled"] -= 1
    release(context_address, order_address)


@compiled
def drain_events(context_address):
    """Read halts and resumes; how many messages."""
    context = records_at(context_address, 1, CONTEXT)[0]
    inlet, count, start = context["events_in"], 0, np.int64(0)
    while count < BATCH:
        status = take(context_address, inlet, context_address + EVENT_AT, np.int64(NEEDED))
        if status == EMPTY:
            break
        if count == 0:
            start = start_timer(context["track"])
        count += 1
        if status == DATA:
            apply_event(context_address)
    if count > 0:
        show_progress(inlet)
        end_step(context_address, np.int64(TIMER_EVENTS), start, count)
    return count


@compiled
def apply_event(context_address):
    """Halt or resume a venue, or one of its instruments. Other events are not for us."""
    context = records_at(context_address, 1, CONTEXT)[0]
    event = context["event"]
    kind = event["kind"]
    if kind in (EVENT_HALT, EVENT_DISCONNECTED):
        halted = np.int64(1)
    elif kind in (EVENT_RESUME, EVENT_CONNECTED):
        halted = np.int64(0)
    else:
        return
    if not 0 <= event["venue"] < context["venue_count"]:
        return
    if 0 <= event["instrument"] < context["instrument_count"]:
        market_of(context_address, np.int64(event["instrument"]))["halted"] = halted
    else:
        venue_of(context_address, np.int64(event["venue"]))["halted"] = halted
    wake(context_address, np.int64(LIFTED_BY_RESUME))


@compiled
def drain_trades(context_address):
    """Read last prices, a few a step: nothing waits for them. Being sped past does no harm."""
    context = records_at(context_address, 1, CONTEXT)[0]
    inlet, count, start = context["trades_in"], 0, np.int64(0)
    while count < TRADES_BATCH:
        status = take(context_address, inlet, context_address + TRADE_AT, np.int64(NOT_NEEDED))
        if status == EMPTY:
            break
        if count == 0:
            start = start_timer(context["track"])
        count += 1
        if status == DATA:
            apply_trade(context_address)
    if count > 0:
        wake(context_address, np.int64(LIFTED_BY_TRADE))
        show_progress(inlet)
        end_step(context_address, np.int64(TIMER_TRADES), start, count)
    return count


@compiled
def apply_trade(context_address):
    """Take over the last price of the TRADE_UPDATE in hand."""
    context = records_at(context_address, 1, CONTEXT)[0]
    trade = context["trade"]
    if not 0 <= trade["instrument"] < context["instrument_count"] or trade["price"] <= 0:
        return
    begin_day(context_address, trade["ts_exchange"])
    market = market_of(context_address, np.int64(trade["instrument"]))
    if market["last_price"] != trade["price"]:
        market["last_price"] = trade["price"]
        mark_all(context_address, np.int64(trade["instrument"]))
