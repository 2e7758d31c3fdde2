"""How snapshot and diffs become one book: the venues' build procedures as one state machine. Pure.

In:        the ids of each depth message and snapshot of one instrument, in the order received.
Out:       what to do with the message: DROP, APPLY, GAP or WAIT_SNAPSHOT.
Must not know: levels, books, where messages wait.

Rule 1: everything about the order of depth messages is in this file. Rule 2: it is two tables.

A depth message covers the ids first..last. To a book that stands at id `stand` it is

    OLD    last <= stand         all of it is in the book already
    NEXT   it goes on from `stand`: nothing between is missing
    AHEAD  something between is missing

by the ids that its venue gives; what it does not give is NO_ID:

    first, last             counted without holes: NEXT means first <= stand + 1
    first, last, previous   holes between; `previous` is the last id of the message before: NEXT
                            means previous == stand; and for the first message after a snapshot,
                            whose id lies somewhere within it, first <= stand <= last, OLD being
                            last < stand
    last                    rises, and nothing tells what is missing: NEXT means last > stand
    none                    always NEXT

    Binance spot            `U`, `u`. Its futures: `U`, `u`, `pu`
    Bitstamp                `microtimestamp` as last. It must rise; a gap shows as a crossed book
                            only, so the session also takes a snapshot now and then
    Kraken                  none: the snapshot comes first on the stream, and the checksum in each
                            message convicts a book that has missed one
    Coinbase, Bitfinex      none: snapshot as Kraken; what is missing shows in the number of the
                            message among all of its connection (DECODED.connection_id)

State WAITING has no base: messages are for the caller to keep until `take_snapshot`, and then to be
handed in again, oldest first. After GAP the state is WAITING and the message itself is one of those
to keep. In a recording without a snapshot the first message is handed in as one.

Sources: binance-spot-api-docs, "How to manage a local order book correctly"; for futures the page
of the same name in the USD-margined documentation; for the others <venue>/__init__.py.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.decoded import NO_ID
from mantra.icc.memory import record_type, records_at

# States: no base; a snapshot, and nothing after it yet.
WAITING, ANCHORED, FOLLOWING = range(3)
STATES = ("waiting", "anchored", "following")

# What a message is to the book.
OLD, NEXT, AHEAD = range(3)

# What to do with it.
DROP, APPLY, GAP, WAIT_SNAPSHOT = range(4)
ACTIONS = ("drop", "apply", "gap", "wait snapshot")

#               OLD            NEXT           AHEAD
ACTION = np.array(
    [
        [WAIT_SNAPSHOT, WAIT_SNAPSHOT, WAIT_SNAPSHOT],  # WAITING
        [DROP, APPLY, GAP],  # ANCHORED
        [DROP, APPLY, GAP],  # FOLLOWING
    ]
)
NEXT_STATE = np.array(
    [
        [WAITING, WAITING, WAITING],
        [ANCHORED, FOLLOWING, WAITING],
        [FOLLOWING, FOLLOWING, WAITING],
    ]
)

# state    zero is WAITING
# stand    the last id that is in the book
# missed   ids missing in the last gap; 0 where the venue leaves holes
BRIDGE = record_type("i8 state stand gaps missed")


@compiled
def relation(state, stand, first_id, last_id, previous_id):
    """What a message is to a book that stands at `stand`: OLD, NEXT, AHEAD."""
    if last_id == NO_ID:
        return np.int64(NEXT)
    if previous_id == NO_ID:
        if last_id <= stand:
            return np.int64(OLD)
        return np.int64(NEXT if first_id <= stand + 1 else AHEAD)
    if last_id < stand or (last_id == stand and state != ANCHORED):
        return np.int64(OLD)
    joins = previous_id == stand or (first_id <= stand and state == ANCHORED)
    return np.int64(NEXT if joins else AHEAD)


@compiled
def take_depth(bridge_address, first_id, last_id, previous_id):
    """Take a depth message's ids, each as the venue gives it or NO_ID; what to do with it."""
    bridge = records_at(bridge_address, 1, BRIDGE)[0]
    state, stand = bridge["state"], bridge["stand"]
    seen = relation(state, stand, first_id, last_id, previous_id)
    action = ACTION[state, seen]
    bridge["state"] = NEXT_STATE[state, seen]
    if action == APPLY:
        bridge["stand"] = last_id
    elif action == GAP:
        bridge["gaps"] += 1
        bridge["missed"] = first_id - stand - 1 if previous_id == NO_ID else 0
    return action


@compiled
def take_snapshot(bridge_address, last_id):
    """Take a snapshot's id: True if the book is to be replaced by it, False if it is older.

    A snapshot while the book follows its diffs is only good if it is newer: then diffs were lost
    unnoticed or are still to come, and those up to it will be OLD. One without an id came on the
    stream itself: it is as new as its place there.
    """
    bridge = records_at(bridge_address, 1, BRIDGE)[0]
    if bridge["state"] == FOLLOWING and NO_ID < last_id <= bridge["stand"]:
        return False
    bridge["state"], bridge["stand"] = ANCHORED, last_id
    return True
