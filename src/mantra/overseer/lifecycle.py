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
from mantra.messages import enums

# States, and their names. All from FILLED on are ends: the order does not come back.
NONE, NEW_SENT, OPEN, AMEND_SENT, CANCEL_SENT, UNKNOWN, CANCEL_SENT_BLIND, GONE = range(8)
FILLED, ENDED_CANCELED, ENDED_EXPIRED, ENDED_REJECTED = range(8, 12)
STATES: tuple[str, ...] = ("none", "new-sent", "open", "amend-sent", "cancel-sent", "unknown")
STATES += ("cancel-sent-blind", "gone", "filled", "canceled", "expired", "rejected")
FIRST_END = FILLED

# Events. The first seven are the venue's words, numbered as in ORDER_UPDATE. GONE_AT_VENUE: cancel
# or amend refused, as the venue does not have the order (any more).
GONE_AT_VENUE, PARTIAL_FILL, FINAL_FILL, SEND_NEW, SEND_AMEND, SEND_CANCEL, TIMEOUT = range(7, 14)
EVENTS: tuple[str, ...] = (*enums.ORDER_EVENTS, "gone", "partial fill", "final fill")
EVENTS += ("send new", "send amend", "send cancel", "timeout")

ILLEGAL = -1

# What may happen in each state, and where it leads.
ENDS = {enums.CANCELED: ENDED_CANCELED, enums.EXPIRED: ENDED_EXPIRED, FINAL_FILL: FILLED}
IN_FLIGHT = ENDS | {TIMEOUT: UNKNOWN}
LOST = {GONE_AT_VENUE: GONE}
UNHEARD = ENDS | LOST | {enums.REJECTED: ENDED_REJECTED}
LATE = (enums.ACCEPTED, enums.AMENDED, enums.AMEND_REJECTED, enums.CANCEL_REJECTED)
TRANSITIONS = {
    NONE: {SEND_NEW: NEW_SENT},
    NEW_SENT: IN_FLIGHT | {enums.ACCEPTED: OPEN, enums.REJECTED: ENDED_REJECTED},
    OPEN: ENDS | {SEND_AMEND: AMEND_SENT, SEND_CANCEL: CANCEL_SENT},
    AMEND_SENT: IN_FLIGHT | LOST | {enums.AMENDED: OPEN, enums.AMEND_REJECTED: OPEN},
    CANCEL_SENT: IN_FLIGHT | LOST | {enums.CANCEL_REJECTED: OPEN},
    # The answer may come yet.
    UNKNOWN: UNHEARD | dict.fromkeys(LATE, OPEN) | {SEND_CANCEL: CANCEL_SENT_BLIND},
    # The late answer to the first request may come before that to this one.
    CANCEL_SENT_BLIND: UNHEARD
    | dict.fromkeys(LATE, CANCEL_SENT_BLIND)
    | dict.fromkeys((TIMEOUT, enums.CANCEL_REJECTED), UNKNOWN),
    GONE: ENDS | {TIMEOUT: ENDED_CANCELED},  # no fill came: it had ended some other way
    FILLED: dict.fromkeys(LATE, FILLED),  # behind the final fill, on the other queue
    ENDED_CANCELED: {FINAL_FILL: FILLED},  # that was behind the CANCELED
}
# What may happen and changes nothing. A partial fill: also before the ACCEPTED is read, or behind
# the end. GONE_AT_VENUE: the answer to a cancel that crossed the end, or that was sent blindly.
STAYING = {
    PARTIAL_FILL: (*range(NEW_SENT, FILLED), ENDED_CANCELED, ENDED_EXPIRED),
    GONE_AT_VENUE: range(GONE, len(STATES)),
}


def _table() -> np.ndarray:
    table = np.full((len(STATES), len(EVENTS)), ILLEGAL, np.int8)
    for state, events in TRANSITIONS.items():
        table[state, list(events)] = list(events.values())
    for event, states in STAYING.items():
        table[states, event] = states
    return table


NEXT_STATE = _table()


@compiled
def next_state(state, event):
    """The state after an event, or ILLEGAL."""
    return np.int64(NEXT_STATE[state, event])


@compiled
def event_of_update(event, reason):
    """The life-cycle event of an ORDER_UPDATE's event and reason; ILLEGAL if there is none."""
    if event < enums.ACCEPTED or event > enums.EXPIRED:
        return np.int64(ILLEGAL)
    if reason == enums.REASON_UNKNOWN_ORDER:
        if event in (enums.CANCEL_REJECTED, enums.AMEND_REJECTED):
            return np.int64(GONE_AT_VENUE)
    return np.int64(event)
