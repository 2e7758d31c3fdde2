"""What sources share: their phases, and how far they may go on so that nobody loses a message.

A live venue never waits. A replay does: it stays within LEAD messages, and within half a ring, of
the slowest consumer that asked for it (`spine.inlet(name, paces=True)`).

The cursors of those consumers are read only when the room known of is used up: while they keep up
their cache lines stay theirs. Who paces is collected in Python's turn: at the start, and again when
a source finds no room for BLOCKED_CALLS calls, for a consumer that died never moves.
"""

import numpy as np

from mantra.actors.control import ACTOR_ROW, CONTROL
from mantra.compiled import compiled
from mantra.icc import shm
from mantra.icc.atomics import load_acquire
from mantra.icc.memory import CACHE_LINE, record_type, records_at
from mantra.icc.queue_segment import CONSUMERS_AT, CONSUMERS_MAX, COUNT_AT, Queue

# Phases of a source. WAITING: for the run to begin.
WAITING, BEGINNING, SENDING, OVER = range(4)

# Words a source looks at and sets: the run's state, its own state, what it has left.
STATE_AT = CONTROL.fields["state"][1]  # type: ignore[index]
ROW_STATE_AT = ACTOR_ROW.fields["state"][1]  # type: ignore[index]
PENDING_AT = ACTOR_ROW.fields["pending"][1]  # type: ignore[index]

LEAD = 256
BLOCKED_CALLS = 1 << 20

# count     address of the queue's message count
# limit     messages it may be ahead
# slowest   the slowest cursor as last seen
# blocked   calls in a row that found no room
# paced_by  consumers
# cursors   addresses of their cursors
ROOM = record_type("i8 count limit slowest blocked paced_by", f"({CONSUMERS_MAX},)i8 cursors")


def set_room(room: np.void, queue: Queue, lead: int = LEAD) -> None:
    """Fill a ROOM: its limit, and the living consumers that pace. Call again to look anew."""
    room["count"] = queue.segment.address + COUNT_AT
    room["limit"] = max(1, min(lead, queue.capacity // 2))
    first = queue.segment.address + CONSUMERS_AT
    cursors = [
        first + index * CACHE_LINE
        for index, line in enumerate(queue.consumers)
        if line["paces"] and shm.process_alive(int(line["process"]))
    ]
    room["paced_by"], room["blocked"] = len(cursors), 0
    room["cursors"][: len(cursors)] = cursors


@compiled
def has_room(room_address, messages):
    """Whether so many messages, or the limit if they are more, can be published now."""
    room = records_at(room_address, 1, ROOM)[0]
    ahead_max = room["limit"] - min(messages, room["limit"])
    count = load_acquire(room["count"])
    if count - room["slowest"] <= ahead_max:
        return True
    slowest = count
    for i in range(room["paced_by"]):
        slowest = min(slowest, load_acquire(room["cursors"][i]))
    room["slowest"] = slowest
    if count - slowest <= ahead_max:
        room["blocked"] = 0
        return True
    room["blocked"] += 1
    return False
