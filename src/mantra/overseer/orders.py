"""The table of orders: slots, what happens to an order, and what its end means for its row.

In:        ids, life-cycle events.
Out:       ORDERs found and changed; rows marked to be looked at again, or blocked.
Must not know: messages, limits.

When an order has ended, its row's ideal order is not simply sent again:

    filled               not until the model writes the row anew (any version)
    IOC, market: ended   the same, counted from the version it served: each version fires once
    rejected             not until the row's content or its `revision` differs
    canceled, expired    by the venue, unasked: the same as rejected
    canceled by us       free: the next ideal order is sent as it is then
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import address_of, records_at
from mantra.icc.seqlock_vector import row_version
from mantra.messages.enums import BID, EVENT_ORDER_ILLEGAL, EVENT_ORDER_UNKNOWN
from mantra.overseer import lifecycle, refusals, state
from mantra.overseer.lifecycle import FIRST_END, ILLEGAL
from mantra.telemetry.tracked import send, ticks_now

ORDER_BYTES = state.ORDER.itemsize
WORD = np.dtype("i8")


@compiled
def order_at(context, slot):
    """The ORDER in a slot."""
    return records_at(context["orders"] + slot * ORDER_BYTES, 1, state.ORDER)[0]


@compiled
def find_order(context, order_id):
    """Slot of the order with this id; NOWHERE: nobody here sent it, or its slot is used again."""
    slot = order_id & state.SLOT_MASK
    known = order_id >= state.CAPACITY and order_at(context, slot)["order_id"] == order_id
    return slot if known else np.int64(state.NOWHERE)


@compiled
def model_at(context, model):
    """The MODEL record of a model."""
    return records_at(context["models"], context["model_count"], state.MODEL)[model]


@compiled
def counters_of(context, model):
    """The COUNTERS of a model, about to be changed; of none of them for an index beyond."""
    count = context["model_count"]
    of = model if 0 <= model < count else count
    counters = records_at(context["counters"], count + 1, state.COUNTERS)[of]
    counters["changed"] = context["changed"] = 1
    return counters


@compiled
def position_of(context, model, instrument):
    """The POSITION of a model in an instrument."""
    number = model * context["instrument_count"] + instrument
    return records_at(context["positions"], number + 1, state.POSITION)[number]


@compiled
def balance_of(context, venue, asset):
    """The BALANCE of an asset at a venue."""
    number = venue * context["asset_count"] + asset
    return records_at(context["balances"], number + 1, state.BALANCE)[number]


@inlined
def take_slot(context, model, row):
    """Take a slot for an order of a row; the ORDER in it. OPEN_MAX sees that there is one."""
    ended = context["slots_given"] - context["slots_taken"]
    if ended > state.KEPT or context["slots_fresh"] == state.CAPACITY:
        at = context["slots_taken"] & state.SLOT_MASK
        slot = records_at(context["free_slots"], state.CAPACITY, WORD)[at]
        context["slots_taken"] += 1
    else:
        slot = context["slots_fresh"]
        context["slots_fresh"] += 1
    order = order_at(context, slot)
    if order["reserved"] > 0:  # It ended long ago and no balance of its venue ever named it.
        give_up_reservation(context, order)
    order["order_id"] = context["sequence"] * state.CAPACITY + slot
    context["sequence"] += 1
    order["state"] = lifecycle.NONE
    order["model"], order["row"] = model, row
    order["filled"] = order["balance_seen"] = order["amend_refused"] = order["retry_at"] = 0
    owner = model_at(context, model)
    owner["open"] += 1
    context["open"] += 1
    records_at(owner["first_row"], owner["rows"], state.ROW)[row]["slot"] = slot
    return order


@inlined
def happen(context, order, event):
    """Let an event happen to an order; its state after, or ILLEGAL: told, nothing changed."""
    before = order["state"]
    after = np.int64(ILLEGAL) if event == ILLEGAL else lifecycle.next_state(before, event)
    if after == ILLEGAL:
        counters_of(context, order["model"])["illegal"] += 1
        kind, detail = np.int64(EVENT_ORDER_ILLEGAL), before << 8 | (event & 0xFF)
        tell(context, kind, order["venue"], order["order_id"], detail)
        return after
    order["state"] = after
    if before < FIRST_END:
        if not lifecycle.SEND_NEW <= event <= lifecycle.SEND_CANCEL:  # Not our doing: it is news.
            touch_row(context, order["model"], order["row"])
        if after >= FIRST_END:
            end_order(context, order, before)
    return after


@compiled
def end_order(context, order, before):
    """An order has ended: free its row and slot, undo what it took, and say when to go on."""
    model = model_at(context, order["model"])
    row = records_at(model["first_row"], model["rows"], state.ROW)[order["row"]]
    after = order["state"]
    row["slot"], row["blocked"] = state.NOWHERE, state.FREE
    row["freed"] = records_at(context["track"], 1, WORD)[0]  # its origin word
    unasked = before in (lifecycle.NEW_SENT, lifecycle.OPEN, lifecycle.AMEND_SENT)
    if after == lifecycle.FILLED or (order["ends_itself"] and after == lifecycle.ENDED_EXPIRED):
        row["blocked"] = state.UNTIL_REWRITTEN
        row["blocked_version"] = order["row_version"]
        if not order["ends_itself"]:  # What was written before we knew of the fill is as old.
            row["blocked_version"] = row_version(model["cache"], order["row"])
    elif after in (lifecycle.ENDED_REJECTED, lifecycle.ENDED_EXPIRED) or unasked:
        row["blocked"] = state.UNTIL_CHANGED
        row["blocked_price"], row["blocked_volume"] = order["price"], order["volume"]
        row["blocked_terms"], row["blocked_revision"] = order["terms"], order["revision"]
    model["open"] -= 1
    context["open"] -= 1
    work(context, order, order["filled"] - order["volume"])
    slots = records_at(context["free_slots"], state.CAPACITY, WORD)
    slots[context["slots_given"] & state.SLOT_MASK] = order["order_id"] & state.SLOT_MASK
    context["slots_given"] += 1
    if order["reserved"] > 0:
        if after == lifecycle.ENDED_REJECTED or (order["ends_itself"] and order["balance_seen"]):
            release(context, order)
        else:
            order["sent_at"] = ticks_now(context["track"])
            context["unsettled"] += 1
    wake(context, np.int64(refusals.LIFTED_BY_END))


@compiled
def work(context, order, change):
    """Change the volume an order has working in the market."""
    position = position_of(context, order["model"], order["instrument"])
    if order["side"] == BID:
        position["working_bid"] += change
    else:
        position["working_ask"] += change


@compiled
def release(context, order):
    """End an order's reservation."""
    balance_of(context, order["venue"], order["asset"])["reserved"] -= order["reserved"]
    order["reserved"] = 0


@compiled
def give_up_reservation(context, order):
    """End the reservation of an ended order that its venue's balances never named."""
    release(context, order)
    context["unsettled"] -= 1
    counters_of(context, order["model"])["unsettled"] += 1


@compiled
def touch_row(context, model, row):
    """Have a row looked at again."""
    owner = model_at(context, model)
    records_at(owner["first_row"], owner["rows"], state.ROW)[row]["dirty"] = 1
    owner["dirty"] = 1


@compiled
def touch_model(context, model):
    """Have all rows of a model looked at again."""
    for row in range(model_at(context, model)["rows"]):
        touch_row(context, model, row)


@compiled
def wake(context, lifted):
    """Have the rows looked at again whose reason of refusal may be gone: bits by reason."""
    if context["refused_rows"] == 0:
        return
    for model in range(context["model_count"]):
        owner = model_at(context, model)
        rows = records_at(owner["first_row"], owner["rows"], state.ROW)
        for row in range(owner["rows"]):
            if rows[row]["refused"] and (lifted >> rows[row]["refused"]) & 1:
                touch_row(context, model, row)


@compiled
def tell(context, kind, venue, value, detail):
    """Publish a SYSTEM_EVENT."""
    event = context["event_sent"]
    event["kind"], event["venue"], event["instrument"] = kind, venue, -1
    event["value"], event["detail"] = value, detail
    send(context["track"], context["events_out"], address_of(context["event_sent"]))


@compiled
def tell_unknown(context, order_id):
    """Something was said of an order that nobody here sent."""
    nobody = np.int64(-1)
    counters_of(context, nobody)["unknown"] += 1
    tell(context, np.int64(EVENT_ORDER_UNKNOWN), nobody, order_id, np.int64(0))
