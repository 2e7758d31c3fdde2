"""What sources share: phases, context and end; how far they may go so that nobody loses a message.

A live venue never waits. A replay does: it stays within LEAD messages, and within half a ring, of
the slowest consumer that asked for it (`spine.inlet(name, paces=True)`).

The cursors of those consumers are read only when the room known of is used up: while they keep up
their cache lines stay theirs. Who paces is collected in Python's turn: at the start, and again when
a source finds no room for BLOCKED_CALLS calls, for a consumer that died never moves.
"""

import numpy as np

from mantra.actors import actor, control
from mantra.actors.spine import Spine
from mantra.compiled import compiled
from mantra.icc import atomics, shm
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, offsets, record_type
from mantra.icc.queue_segment import CONSUMERS_AT, CONSUMERS_MAX, COUNT_AT, Queue
from mantra.messages import enums, records
from mantra.telemetry.tracked import originate, send

# Phases of a source. WAITING: for the run to begin.
WAITING, BEGINNING, SENDING, OVER = range(4)

# Words a source looks at and sets: the run's state, its own state, what it has left.
[STATE_AT] = offsets(control.CONTROL, "state")
ROW_STATE_AT, PENDING_AT = offsets(control.ACTOR_ROW, "state pending")

LEAD = 256
BLOCKED_CALLS = 1 << 20

# count     address of the queue's message count
# limit     messages it may be ahead
# slowest   the slowest cursor as last seen
# blocked   calls in a row that found no room
# paced_by  consumers
# cursors   addresses of their cursors
ROOM = record_type("i8 count limit slowest blocked paced_by", f"({CONSUMERS_MAX},)i8 cursors")

L2, TRADES, EVENTS = np.arange(3)  # outlets, int64; the first two are streams of messages

# What the contexts of sources begin with.
#
# row          address of the ACTOR_ROW
# sent         messages
# ts_exchange  of the message sent last
# rooms        by stream
SOURCE: list = ["i8 phase track control row sent ts_exchange", "(3,)i8 outlets"]
SOURCE += [("rooms", ROOM, (2,)), ("event", records.SYSTEM_EVENT)]


class Source(actor.Actor):
    """Base of actors that send market data. `lead`: messages they may be ahead, on each queue."""

    writes = ("l2", "trades", "events")
    timers = ("lag",)
    is_source = True
    lead = LEAD

    def make_context(self, spine: Spine, record: np.dtype) -> np.void:
        """The context, a `record` that begins with SOURCE, as far as sources share it."""
        self.context = aligned_zeros(1, record)
        context = self.context[0]
        context["track"], context["row"] = spine.track_address, spine.row_address
        context["control"] = spine.control.address
        context["outlets"] = [address_of(spine.outlet(name)) for name in self.writes]
        self._queues = [spine.queue(name) for name in self.writes[:EVENTS]]
        return context

    def on_call(self) -> None:
        """Look which consumers pace: all have attached when a run begins."""
        assert self.context is not None
        context = self.context[0]
        for room, queue in zip(context["rooms"], self._queues, strict=True):
            set_room(room, queue, self.lead)
        if context["phase"] == WAITING:
            context["phase"] = BEGINNING


def set_room(room: np.void, queue: Queue, lead: int = LEAD) -> None:
    """Fill a ROOM: its limit, and the living consumers that pace. Call again to look anew."""
    room["count"] = queue.segment.address + COUNT_AT
    room["limit"] = max(1, min(lead, queue.capacity // 2))
    first = queue.segment.address + CONSUMERS_AT
    lines = enumerate(queue.consumers)
    paces = [i for i, line in lines if line["paces"] and shm.process_alive(int(line["process"]))]
    room["paced_by"], room["blocked"] = len(paces), 0
    room["cursors"][: len(paces)] = [first + index * CACHE_LINE for index in paces]


@compiled
def has_room(room, messages):
    """Whether so many messages, or the limit if they are more, can be published now."""
    ahead_max = room["limit"] - min(messages, room["limit"])
    count = atomics.load_acquire(room["count"])
    if count - room["slowest"] <= ahead_max:
        return True
    slowest = count
    for i in range(room["paced_by"]):
        slowest = min(slowest, atomics.load_acquire(room["cursors"][i]))
    room["slowest"] = slowest
    if count - slowest <= ahead_max:
        room["blocked"] = 0
        return True
    room["blocked"] += 1
    return False


@compiled
def is_blocked(context):
    """Whether a source found no room for so long that who paces is to be collected anew."""
    return context["rooms"][L2]["blocked"] + context["rooms"][TRADES]["blocked"] >= BLOCKED_CALLS


@compiled
def end(context):
    """Nothing is left: say so to those who read events, and to who runs the actor."""
    context["phase"] = OVER
    event = context["event"]
    event["ts_exchange"], event["value"] = context["ts_exchange"], context["sent"]
    event["kind"], event["instrument"], event["venue"] = enums.EVENT_END_OF_DATA, -1, -1
    originate(context["track"])
    send(context["track"], context["outlets"][EVENTS], address_of(event))
    atomics.store_relaxed(context["row"] + PENDING_AT, 0)
    atomics.store_relaxed(context["row"] + ROW_STATE_AT, control.DONE)
