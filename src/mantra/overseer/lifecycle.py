"""The life-cycle of an order: everything about order state lives here, as one table.

In:        a state, and what happened: to be sent by us, or said by the venue.
Out:       the next state, or ILLEGAL: then nothing is changed, and the caller counts and tells it.
Must not know: prices, balances, models.

Two rules shape the table.

1.  An order has at most one request in flight. The states *_SENT wait for its answer; nothing but
    the venue's answer, a final fill or the passing of time ends the waiting.
2.  What a venue says arrives on two queues, `orders` and `fills`, and neither waits for the other:
    a fill may be read before the ACCEPTED that came first, and a CANCELED before the fill that
    came first. So a partial fill before ACCEPTED leaves NEW_SENT; a filled order takes the answers
    that come late; a canceled one takes the fills that come late.

GONE: the venue refused a cancel or amend because it no longer has the order. Its last fill is on
the way on the other queue. A cancel sent again would meet the same answer for ever.

UNKNOWN: no answer in time. The order may be live or not: all that is sent for it is a cancel,
blindly, until the venue says what became of it.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.messages.enums import (
    ACCEPTED,
    AMEND_REJECTED,
    AMENDED,
    CANCEL_REJECTED,
    CANCELED,
    EXPIRED,
    ORDER_EVENTS,
    REASON_UNKNOWN_ORDER,
    REJECTED,
)

# States. All from FILLED on are ends: the order does not come back.
NONE = 0
NEW_SENT = 1
OPEN = 2
AMEND_SENT = 3
CANCEL_SENT = 4
UNKNOWN = 5
CANCEL_SENT_BLIND = 6
GONE = 7
FILLED = 8
ENDED_CANCELED = 9
ENDED_EXPIRED = 10
ENDED_REJECTED = 11
STATES = (
    "none",
    "new-sent",
    "open",
    "amend-sent",
    "cancel-sent",
    "unknown",
    "cancel-sent-blind",
    "gone",
    "filled",
    "canceled",
    "expired",
    "rejected",
)
FIRST_END = FILLED

# Events. The first seven are the venue's words, numbered as in ORDER_UPDATE.
GONE_AT_VENUE = 7  # cancel or amend refused: the venue does not have the order (any more)
PARTIAL_FILL = 8
FINAL_FILL = 9
SEND_NEW = 10
SEND_AMEND = 11
SEND_CANCEL = 12
TIMEOUT = 13
EVENTS = (
    *ORDER_EVENTS,
    "gone",
    "partial fill",
    "final fill",
    "send new",
    "send amend",
    "send cancel",
    "timeout",
)

ILLEGAL = -1

# What may happen in each state, and where it leads.
TRANSITIONS = {
    NONE: {SEND_NEW: NEW_SENT},
    NEW_SENT: {
        ACCEPTED: OPEN,
        REJECTED: ENDED_REJECTED,
        CANCELED: ENDED_CANCELED,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: NEW_SENT,  # its ACCEPTED is still to be read
        FINAL_FILL: FILLED,
        TIMEOUT: UNKNOWN,
    },
    OPEN: {
        SEND_AMEND: AMEND_SENT,
        SEND_CANCEL: CANCEL_SENT,
        CANCELED: ENDED_CANCELED,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: OPEN,
        FINAL_FILL: FILLED,
    },
    AMEND_SENT: {
        AMENDED: OPEN,
        AMEND_REJECTED: OPEN,
        GONE_AT_VENUE: GONE,
        CANCELED: ENDED_CANCELED,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: AMEND_SENT,
        FINAL_FILL: FILLED,
        TIMEOUT: UNKNOWN,
    },
    CANCEL_SENT: {
        CANCELED: ENDED_CANCELED,
        CANCEL_REJECTED: OPEN,
        GONE_AT_VENUE: GONE,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: CANCEL_SENT,
        FINAL_FILL: FILLED,
        TIMEOUT: UNKNOWN,
    },
    UNKNOWN: {  # the answer may come yet
        ACCEPTED: OPEN,
        REJECTED: ENDED_REJECTED,
        AMENDED: OPEN,
        AMEND_REJECTED: OPEN,
        CANCELED: ENDED_CANCELED,
        CANCEL_REJECTED: OPEN,
        GONE_AT_VENUE: GONE,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: UNKNOWN,
        FINAL_FILL: FILLED,
        SEND_CANCEL: CANCEL_SENT_BLIND,
    },
    CANCEL_SENT_BLIND: {  # the late answer to the first request may come before that to this one
        ACCEPTED: CANCEL_SENT_BLIND,
        REJECTED: ENDED_REJECTED,
        AMENDED: CANCEL_SENT_BLIND,
        AMEND_REJECTED: CANCEL_SENT_BLIND,
        CANCELED: ENDED_CANCELED,
        CANCEL_REJECTED: UNKNOWN,
        GONE_AT_VENUE: GONE,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: CANCEL_SENT_BLIND,
        FINAL_FILL: FILLED,
        TIMEOUT: UNKNOWN,
    },
    GONE: {
        CANCELED: ENDED_CANCELED,
        GONE_AT_VENUE: GONE,
        EXPIRED: ENDED_EXPIRED,
        PARTIAL_FILL: GONE,
        FINAL_FILL: FILLED,
        TIMEOUT: ENDED_CANCELED,  # no fill came: it had ended some other way
    },
    FILLED: {  # answers that were behind the final fill, on the other queue
        ACCEPTED: FILLED,
        AMENDED: FILLED,
        AMEND_REJECTED: FILLED,
        CANCEL_REJECTED: FILLED,
        GONE_AT_VENUE: FILLED,
    },
    ENDED_CANCELED: {  # fills that were behind the CANCELED; the answer to a cancel that crossed it
        GONE_AT_VENUE: ENDED_CANCELED,
        PARTIAL_FILL: ENDED_CANCELED,
        FINAL_FILL: FILLED,
    },
    ENDED_EXPIRED: {
        GONE_AT_VENUE: ENDED_EXPIRED,
        PARTIAL_FILL: ENDED_EXPIRED,
    },
    ENDED_REJECTED: {GONE_AT_VENUE: ENDED_REJECTED},  # the answer to a blind cancel
}


def _table() -> np.ndarray:
    table = np.full((len(STATES), len(EVENTS)), ILLEGAL, np.int8)
    for state, events in TRANSITIONS.items():
        for event, following in events.items():
            table[state, event] = following
    return table


NEXT_STATE = _table()


@compiled
def next_state(state, event):
    """The state after an event, or ILLEGAL."""
    return np.int64(NEXT_STATE[state, event])


@compiled
def event_of_update(event, reason):
    """The life-cycle event of an ORDER_UPDATE's event and reason; ILLEGAL if there is none."""
    if event < ACCEPTED or event > EXPIRED:
        return np.int64(ILLEGAL)
    if reason == REASON_UNKNOWN_ORDER and event in (CANCEL_REJECTED, AMEND_REJECTED):
        return np.int64(GONE_AT_VENUE)
    return np.int64(event)


def diagram() -> str:
    """docs/ORDER_LIFECYCLE.md, whole: drawn from the table, so it cannot drift from it."""
    lines = [
        "# The life-cycle of an order",
        "",
        "Generated from `src/mantra/overseer/lifecycle.py` by its function `diagram`: edit the",
        "table there. What is not drawn is illegal: counted, told as an event, never applied.",
        "",
        "```mermaid",
        "stateDiagram-v2",
    ]
    for state, events in TRANSITIONS.items():
        by_target: dict[int, list[str]] = {}
        for event, following in events.items():
            by_target.setdefault(following, []).append(EVENTS[event])
        for following, names in by_target.items():
            lines.append(f"    {_node(state)} --> {_node(following)}: {', '.join(names)}")
    ends = [f"    {_node(state)} --> [*]" for state in range(FIRST_END, len(STATES))]
    return "\n".join([*lines, *ends, "```", ""])


def _node(state: int) -> str:
    return "[*]" if state == NONE else STATES[state].replace("-", "_")
