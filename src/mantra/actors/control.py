"""The control segment of a run: its state, the kill switch, and a row per actor.

Written by the supervisor (state), by anyone with the right to (halted), and by each core's loop
(its actors' rows: loops are the heartbeat). Read by everybody, observers too.

     0          64                  128
     +----------+-------------------+---------------------------------------
     | segment  | CONTROL           | ACTOR_ROW × ACTORS_MAX, 128 bytes each
     +----------+-------------------+---------------------------------------
"""

import os
from dataclasses import dataclass

import numpy as np

from mantra.icc import shm
from mantra.icc.memory import CACHE_LINE, record_type

# The state of a run. Each includes the ones before: an actor compares with >=.
#   RUNNING    sources may send
#   CANCELING  no new orders; what is open is being canceled
#   STOPPING   cores end one after the other, recorders last
STARTING, RUNNING, CANCELING, STOPPING = range(4)
RUN_STATES = ("starting", "running", "canceling", "stopping")

# The state of an actor. DONE: a source without more data.
ABSENT, STARTED, DONE, ENDED, DIED = range(5)
ACTOR_STATES = ("absent", "started", "done", "ended", "died")

ACTORS_MAX = 64
SEGMENT = "control"

# halted      1: the kill switch is pulled; the Overseer cancels and sends nothing
# supervisor  process id
# actors      rows in use
CONTROL = record_type("i8 state halted supervisor actors", "(4,)i8 unused")

# core        -1: not pinned
# loops       the heartbeat: changes while the actor is stepped
# busy_loops  loops in which it did something
# work        messages handled
# pending     what is left to do: open orders, rows to replay; 0: done
# stop        1: the loop of this actor's core is to return
ACTOR_ROW = record_type(
    "S32 name",
    "i8 pid core state loops busy_loops work pending restarts overruns stop",
    "(2,)i8 unused",
)
assert CONTROL.itemsize == CACHE_LINE
assert ACTOR_ROW.itemsize == 2 * CACHE_LINE

CONTROL_AT = CACHE_LINE
ROWS_AT = 2 * CACHE_LINE
LAYOUT = shm.layout_hash("control", CONTROL, ACTOR_ROW, ACTORS_MAX)


@dataclass(frozen=True)
class Control:
    """The mapped control segment."""

    segment: shm.Segment

    @property
    def address(self) -> int:
        """Of the CONTROL record."""
        return self.segment.address + CONTROL_AT

    @property
    def record(self) -> np.void:
        return self.segment.records(CONTROL_AT, 1, CONTROL)[0]

    @property
    def rows(self) -> np.ndarray:
        """ACTOR_ROWs in use; the index is the actor's publisher id."""
        return self.segment.records(ROWS_AT, int(self.record["actors"]), ACTOR_ROW)

    def row_address(self, publisher: int) -> int:
        return self.segment.address + ROWS_AT + publisher * ACTOR_ROW.itemsize

    def names(self) -> list[str]:
        """Actor names by publisher id."""
        return [row["name"].decode() for row in self.rows]


def create(run: str, actors: list[str]) -> Control:
    """Make the control segment of a run. ValueError if there are too many actors."""
    if len(actors) > ACTORS_MAX:
        raise ValueError(f"{len(actors)} actors; {ACTORS_MAX} is the limit")
    size = ROWS_AT - CACHE_LINE + ACTORS_MAX * ACTOR_ROW.itemsize
    made = Control(shm.create(run, SEGMENT, size, LAYOUT))
    made.record["supervisor"], made.record["actors"] = os.getpid(), len(actors)
    for row, name in zip(made.rows, actors, strict=True):
        row["name"], row["core"] = name.encode(), -1
    made.segment.publish()
    return made


def attach(run: str, writable: bool = True) -> Control:
    """Map the control segment of a run. Raises SegmentError."""
    return Control(shm.attach(run, SEGMENT, LAYOUT, writable))
