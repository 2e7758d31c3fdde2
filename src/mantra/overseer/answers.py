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
from mantra.icc.memory import address_of, records_at
from mantra.icc.queue import CONSUMER, DATA, EMPTY, has_news, show_progress
from mantra.messages import enums, records
from mantra.overseer import ledger, lifecycle, limits, orders, refusals
from mantra.overseer.state import NOWHERE
from mantra.telemetry.tracked import hold_timer, receive, start_timer, ticks_now

BATCH = 64  # messages of one queue in one step: an answer waits for at most so many others
TRADES_BATCH = 16

TIMERS = ("orders", "fills", "balances", "events", "sweep", "trades")  # in the order of a step
TIMER_ORDERS, TIMER_FILLS, TIMER_BALANCES, TIMER_EVENTS, TIMER_SWEEP, TIMER_TRADES = range(6)


@inlined
def end_step(context, timer, start, work):
    """End the timer of a piece of work; it is told at the end of the step, after the requests."""
    hold_timer(context["track"], timer, start, start_timer(context["track"]), work)


@inlined
def drain(context, timer, inlet):
    """Read what a queue has, `timer` says which; how many messages.

    An overrun is told, and we are blind from then on: all is canceled and nothing sent, until a
    restart finds out at the venues what is so. Of trades the latest is enough, and nothing waits
    for them: a few a step.
    """
    if not has_news(inlet):
        return 0
    count, start = 0, np.int64(0)
    while count < (TRADES_BATCH if timer == TIMER_TRADES else BATCH):
        lost_before = records_at(inlet, 1, CONSUMER)[0]["lost"]
        status = receive(context["track"], inlet, address_of(context["message"]))
        if status == EMPTY:
            break
        if count == 0:
            start = start_timer(context["track"])
        count += 1
        if status == DATA:
            apply(context, timer)
        elif timer != TIMER_TRADES:
            context["blind"] = 1
            lost = records_at(inlet, 1, CONSUMER)[0]["lost"] - lost_before
            kind, nothing = np.int64(enums.EVENT_OVERRUN), np.int64(0)
            orders.tell(context, kind, np.int64(-1), lost, nothing)
    if count > 0:
        if timer == TIMER_FILLS:
            orders.wake(context, np.int64(refusals.LIFTED_BY_FILL))
        elif timer == TIMER_BALANCES:
            orders.wake(context, np.int64(refusals.LIFTED_BY_BALANCE))
        elif timer == TIMER_TRADES:
            orders.wake(context, np.int64(refusals.LIFTED_BY_TRADE))
        show_progress(inlet)
        end_step(context, timer, start, count)
    return count


@inlined
def apply(context, timer):
    """Apply the message in hand. `timer` is a constant where this is inlined."""
    if timer == TIMER_ORDERS:
        apply_update(context)
    elif timer == TIMER_FILLS:
        apply_fill(context)
    elif timer == TIMER_BALANCES:
        apply_balance(context)
    elif timer == TIMER_EVENTS:
        apply_event(context)
    else:
        apply_trade(context)


@inlined
def apply_update(context):
    """Apply the ORDER_UPDATE in hand."""
    update = records_at(address_of(context["message"]), 1, records.ORDER_UPDATE)[0]
    slot = orders.find_order(context, update["order_id"])
    if slot == NOWHERE:
        orders.tell_unknown(context, update["order_id"])
        return
    order = orders.order_at(context, slot)
    orders.counters_of(context, order["model"])["updates"] += 1
    said = np.int64(update["event"])
    event = lifecycle.event_of_update(said, np.int64(update["reason"]))
    state = orders.happen(context, order, event)
    if state >= lifecycle.FIRST_END:
        if said in (enums.CANCELED, enums.EXPIRED) and update["leaves"] == order["volume"]:
            if order["reserved"] > 0:  # Nothing was filled, so nothing was taken.
                settle(context, order)
    elif state == lifecycle.ILLEGAL:
        return
    elif said == enums.AMENDED:
        orders.work(context, order, order["amend_volume"] - order["volume"])
        order["price"], order["volume"] = order["amend_price"], order["amend_volume"]
    elif said == enums.AMEND_REJECTED:
        order["amend_refused"] = 1
    elif said == enums.CANCEL_REJECTED:
        order["retry_at"] = ticks_now(context["track"]) + context["retry_ticks"]


@compiled
def apply_fill(context):
    """Apply the FILL in hand. The position moves whatever the order's state: money has moved."""
    fill = records_at(address_of(context["message"]), 1, records.FILL)[0]
    slot = orders.find_order(context, fill["order_id"])
    model = np.int64(fill["model"])
    if slot == NOWHERE:
        orders.tell_unknown(context, fill["order_id"])
    else:
        order = orders.order_at(context, slot)
        model = order["model"]
        event = lifecycle.PARTIAL_FILL if fill["leaves"] > 0 else lifecycle.FINAL_FILL
        if order["state"] < lifecycle.FIRST_END:
            left = max(order["volume"] - order["filled"], np.int64(0))
            orders.work(context, order, -min(fill["volume"], left))
        order["filled"] += fill["volume"]
        orders.happen(context, order, np.int64(event))
    if 0 <= model < context["model_count"]:
        if 0 <= fill["instrument"] < context["instrument_count"]:
            orders.counters_of(context, model)["fills"] += 1
            ledger.book_fill(context, model)


@inlined
def apply_balance(context):
    """Take over the BALANCE_UPDATE in hand; it may settle the order that caused it."""
    update = records_at(address_of(context["message"]), 1, records.BALANCE_UPDATE)[0]
    venue, asset = np.int64(update["venue"]), np.int64(update["asset"])
    if not (0 <= venue < context["venue_count"] and 0 <= asset < context["asset_count"]):
        return
    balance = orders.balance_of(context, venue, asset)
    balance["known"] = 1
    balance["total"], balance["held"] = update["total"], update["held"]
    slot = orders.find_order(context, update["order_id"])
    if slot == NOWHERE:
        return
    order = orders.order_at(context, slot)
    if order["venue"] != venue or order["asset"] != asset:
        return
    order["balance_seen"] = 1
    may_settle = order["ends_itself"] == 0 or order["state"] >= lifecycle.FIRST_END
    if order["reserved"] > 0 and may_settle:
        settle(context, order)


@inlined
def settle(context, order):
    """The venue's numbers account for an order: end its reservation."""
    if order["state"] >= lifecycle.FIRST_END:
        context["unsettled"] -= 1
    orders.release(context, order)


@compiled
def apply_event(context):
    """Halt or resume a venue, or one of its instruments. Other events are not for us."""
    event = records_at(address_of(context["message"]), 1, records.SYSTEM_EVENT)[0]
    halted = event["kind"] in (enums.EVENT_HALT, enums.EVENT_DISCONNECTED)
    resumed = event["kind"] in (enums.EVENT_RESUME, enums.EVENT_CONNECTED)
    if not ((halted or resumed) and 0 <= event["venue"] < context["venue_count"]):
        return
    if 0 <= event["instrument"] < context["instrument_count"]:
        limits.market_of(context, np.int64(event["instrument"]))["halted"] = halted
    else:
        limits.venue_of(context, np.int64(event["venue"]))["halted"] = halted
    orders.wake(context, np.int64(refusals.LIFTED_BY_RESUME))


@compiled
def apply_trade(context):
    """Take over the last price of the TRADE_UPDATE in hand."""
    trade = records_at(address_of(context["message"]), 1, records.TRADE_UPDATE)[0]
    if not 0 <= trade["instrument"] < context["instrument_count"] or trade["price"] <= 0:
        return
    ledger.begin_day(context, trade["ts_exchange"])
    market = limits.market_of(context, np.int64(trade["instrument"]))
    if market["last_price"] != trade["price"]:
        market["last_price"] = trade["price"]
        ledger.mark_all(context, np.int64(trade["instrument"]))
