"""The loop of one core: compiled, over the actors that share it, each in turn.

Python is entered when an actor asks for it (CALL_PYTHON), and every CHECK_S to see signals and
whether the supervisor lives; a few µs each.
"""

import numpy as np
from numba import types

from mantra.actors import actor, control
from mantra.compiled import call_step, compiled
from mantra.icc.atomics import cpu_pause, load_relaxed, store_relaxed
from mantra.icc.memory import address_of, aligned_zeros, offsets, record_type, records_at
from mantra.telemetry.tsc import read_tsc

# What to do when no actor of the core found work.
#   PAUSE  spares a hyper-threaded sibling and power; wakes as fast
#   YIELD  lets other processes of this core run
#   SLEEP  gives the core away; wakes after SLEEP_US at the earliest
SPIN, PAUSE, YIELD, SLEEP = range(4)
IDLE_STRATEGIES = ("spin", "pause", "yield", "sleep")
SLEEP_US = 50

ACTORS_PER_CORE = 16
CHECK_S = 0.2
CHECK_EVERY = 512  # loops between two looks at the clock

# Why the loop returned; an actor's index means that it asks for Python's turn.
CHECK, STOP = -1, -2

# count  actors
# idle   an idle strategy
# next   actor to go on with after Python's turn
# rows   addresses of the ACTOR_ROWs
CORE = record_type("i8 count idle check_ticks next", f"({ACTORS_PER_CORE},)i8 steps contexts rows")

STOP_AT, LOOPS_AT, BUSY_LOOPS_AT, WORK_AT = offsets(control.ACTOR_ROW, "stop loops busy_loops work")

_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_usleep = types.ExternalFunction("usleep", types.int32(types.uint32))


@compiled
def run_core(core_address):
    """Step the core's actors in turn; returns which one asks for Python, or CHECK, or STOP."""
    core = records_at(core_address, 1, CORE)[0]
    deadline = read_tsc() + core["check_ticks"]
    loops = 0
    stop = core["rows"][0] + STOP_AT
    while load_relaxed(stop) == 0:
        asked = step_actors(core_address)
        if asked >= 0:
            return asked
        loops += 1
        if loops % CHECK_EVERY == 0 and read_tsc() > deadline:
            return np.int64(CHECK)
    return np.int64(STOP)


@compiled
def step_actors(core_address):
    """Each actor one step, from where the core left off; the index of one that asks, or -1."""
    core = records_at(core_address, 1, CORE)[0]
    work = 0
    first = core["next"]
    core["next"] = 0
    for index in range(first, core["count"]):
        done = call_step(core["steps"][index], core["contexts"][index])
        row = core["rows"][index]
        store_relaxed(row + LOOPS_AT, load_relaxed(row + LOOPS_AT) + 1)
        if done == actor.CALL_PYTHON:
            core["next"] = index + 1
            return index
        if done > 0:
            store_relaxed(row + BUSY_LOOPS_AT, load_relaxed(row + BUSY_LOOPS_AT) + 1)
            store_relaxed(row + WORK_AT, load_relaxed(row + WORK_AT) + done)
            work += done
    if work == 0:
        idle(core["idle"])
    return np.int64(-1)


@compiled
def idle(strategy):
    if strategy == PAUSE:
        cpu_pause()
    elif strategy == YIELD:
        _sched_yield()
    elif strategy == SLEEP:
        _usleep(np.uint32(SLEEP_US))


def warm_up() -> None:
    """Compile the loop, or load it, before it is needed: a core of no actors, told to stop."""
    core, row = aligned_zeros(1, CORE), aligned_zeros(1, control.ACTOR_ROW)
    core["rows"][0, 0], row["stop"] = address_of(row), 1
    run_core(address_of(core))
