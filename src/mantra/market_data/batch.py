"""The step of the handler: one poll of all sockets, and every message that it brought. Compiled.

In:        a CONTEXT: connections, the feed.
Out:       messages taken (take.py), frames kept as they came (raw.py), NOTEs for Python's turn.
Must not know: what Python does about a note.
"""

import numpy as np

from mantra.actors.actor import CALL_PYTHON
from mantra.compiled import duty_cycle
from mantra.exchanges.decoded import DECODED
from mantra.icc.memory import record_type, records_at
from mantra.market_data import raw, take
from mantra.market_data.take import CONTROL, NOTHING
from mantra.telemetry.tracked import start_timer, stop_timer
from mantra.telemetry.tsc import read_tsc
from mantra.transport.frames import BINARY, MESSAGE, POLL
from mantra.transport.poll import poll

TIMER_MESSAGES = 0

# What a message asks of Python: which of the batch, of what instrument, why it was refused.
NOTE = record_type("i8 what message instrument status")

# pool        address of the POLL; of the FEED, the DECODED
# todo        address of NOTEs, one for each message of a batch
# count next  messages of the batch in hand, and how many of them are handled
# deadline    ticks of Python's next turn
CONTEXT = record_type("i8 track pool feed decoded todo todo_count count next deadline")


@duty_cycle
def handle(context_address):
    """One poll of all sockets, and every message that it brought."""
    context = records_at(context_address, 1, CONTEXT)[0]
    start = start_timer(context["track"])
    if context["next"] == context["count"]:
        if context["todo_count"] > 0 or read_tsc() > context["deadline"]:
            return CALL_PYTHON
        count = poll(context["pool"], np.int64(0))
        if count <= 0:
            return np.int64(CALL_PYTHON if count < 0 else 0)
        context["count"], context["next"] = count, 0
    batch = records_at(context["pool"], 1, POLL)[0]
    feed = records_at(context["feed"], 1, take.FEED)[0]
    messages = records_at(batch["batch"], context["count"], MESSAGE)
    notes = records_at(context["todo"], context["count"], NOTE)
    result = records_at(context["decoded"], 1, DECODED)[0]
    todo, first = np.int64(NOTHING), context["next"]
    while context["next"] < context["count"] and todo != CONTROL:
        message = messages[context["next"]]
        context["next"] += 1
        if message["kind"] > BINARY:
            continue
        text, length, read_at = message["address"], message["length"], message["ts_received"]
        connection = message["connection"]
        link_at = feed["connections"] + connection * take.CONNECTION_BYTES
        link = records_at(link_at, 1, take.CONNECTION)[0]
        link["messages"] += 1
        link["bytes"] += message["length"]
        link["received"] = message["ts_received"]
        if link["raw"] != 0:
            raw.keep(link["raw"], raw.FRAME, link["serial"], text, length, read_at)
        unnamed = np.int64(0)
        todo = take.take_message(context["feed"], connection, text, length, read_at, unnamed)
        if todo != NOTHING:
            note = notes[context["todo_count"]]
            note["what"], note["message"] = todo, context["next"] - 1
            note["instrument"], note["status"] = result["instrument"], result["status"]
            context["todo_count"] += 1
    done = context["next"] - first
    stop_timer(context["track"], np.int64(TIMER_MESSAGES), start, done)
    return np.int64(CALL_PYTHON if batch["events"] + context["todo_count"] > 0 else done)
