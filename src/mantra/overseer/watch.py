"""What is looked at now and then: the run's state, what time does to orders, the counters.

In:        CONTROL, ticks.
Out:       rows to be looked at again, time-outs, COUNTERS rows.
Must not know: messages.
"""

import numpy as np

from mantra.actors.control import CANCELING, CONTROL
from mantra.compiled import compiled
from mantra.icc import atomics, seqlock_vector
from mantra.icc.memory import offsets, records_at
from mantra.messages.enums import EVENT_ORDER_TIMEOUT
from mantra.overseer import lifecycle, orders, state

STATE_AT, HALTED_AT = offsets(CONTROL, "state halted")
COUNTERS_BYTES = state.COUNTERS.itemsize


@compiled
def look_at_control(context):
    """Whether we trade: if that changed, every row is looked at again."""
    control = context["control"]
    halted = atomics.load_relaxed(control + HALTED_AT) != 0 or context["blind"] != 0
    stopped = halted or atomics.load_relaxed(control + STATE_AT) >= CANCELING
    if stopped == (context["mode"] != 0):
        return
    context["mode"] = np.int64(stopped)
    for model in range(context["model_count"]):
        orders.touch_model(context, model)


@compiled
def let_time_pass(context, now):
    """Time out what was not answered, and look again at what waited for time to pass."""
    for model in range(context["model_count"]):
        owner = orders.model_at(context, model)
        if owner["waiting"]:
            owner["waiting"], owner["dirty"] = 0, 1
        rows = records_at(owner["first_row"], owner["rows"], state.ROW)
        for row in range(owner["rows"]):
            if rows[row]["slot"] != state.NOWHERE:
                time_out(context, orders.order_at(context, rows[row]["slot"]), now)
    if context["unsettled"] > 0:
        for slot in range(state.CAPACITY):  # They ended long ago, and no balance names them.
            order = orders.order_at(context, slot)
            if order["state"] >= lifecycle.FIRST_END and order["reserved"] > 0:
                if now - order["sent_at"] > context["timeout_ticks"]:
                    orders.give_up_reservation(context, order)


@compiled
def time_out(context, order, now):
    """A request waited too long for its answer: the order is UNKNOWN from now on."""
    if now - order["sent_at"] <= context["timeout_ticks"] or order["state"] == lifecycle.UNKNOWN:
        return
    if order["state"] == lifecycle.OPEN:
        if order["ends_itself"]:  # It should have: the sweep cancels it.
            orders.touch_row(context, order["model"], order["row"])
        return
    orders.counters_of(context, order["model"])["timeouts"] += 1
    kind = np.int64(EVENT_ORDER_TIMEOUT)
    orders.tell(context, kind, order["venue"], order["order_id"], order["state"])
    orders.happen(context, order, np.int64(lifecycle.TIMEOUT))


@compiled
def show_open(context):
    """Let the supervisor see how many orders have not ended."""
    if context["open"] != context["shown_open"]:
        context["shown_open"] = context["open"]
        atomics.store_relaxed(context["pending"], context["open"])


@compiled
def show_counters(context):
    """Write the counters that changed to their vector."""
    context["changed"] = 0
    for index in range(context["model_count"] + 1):
        address = context["counters"] + index * COUNTERS_BYTES
        counters = records_at(address, 1, state.COUNTERS)[0]
        if counters["changed"]:
            counters["changed"] = 0
            if index < context["model_count"]:
                counters["open"] = orders.model_at(context, index)["open"]
            else:
                counters["open"] = context["open"]
            seqlock_vector.write_row(context["counters_out"], index, address)
