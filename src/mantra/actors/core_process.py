"""One core of the map: a pinned process that runs the loop over its actors.

Forked from the supervisor, so everything is compiled and loaded already. A child ignores SIGINT
(the terminal sends it to all; the supervisor decides) and ends cleanly on SIGTERM, which the
kernel also sends when the supervisor dies.
"""

import ctypes
import gc
import os
import signal
import sys
import traceback
from dataclasses import dataclass

import numpy as np

from mantra.actors import core_loop, spine
from mantra.actors.actor import Actor
from mantra.actors.control import ENDED, STARTED, attach
from mantra.icc.memory import address_of, aligned_zeros

PR_SET_PDEATHSIG = 1
EXIT_FAILED = 70  # EX_SOFTWARE


@dataclass
class CoreLine:
    """One line of the core map."""

    actors: list[Actor]
    core: int | None = None  # None: not pinned
    idle: int = core_loop.SPIN
    on_death: str = "halt"  # or "restart"

    @property
    def label(self) -> str:
        return "+".join(actor.name for actor in self.actors)


def run_core_process(run: str, line: CoreLine, ticks_per_second: float, timings: bool) -> None:
    """Body of the process: start the line's actors, loop, stop them. Exits, never returns."""
    status = 0
    try:
        _settle(line)
        spines = [spine.Spine(run, actor, timings) for actor in line.actors]
        for actor, given in zip(line.actors, spines, strict=True):
            actor.on_start(given)
        _loop(run, line, spines, ticks_per_second)
    except BaseException:
        traceback.print_exc()
        status = EXIT_FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _settle(line: CoreLine) -> None:
    """Make the process what it is to be: signals, core, no garbage collection pauses."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if line.core is not None:
        os.sched_setaffinity(0, {line.core})
    gc.collect()
    gc.freeze()
    gc.disable()


def _loop(run: str, line: CoreLine, spines: list[spine.Spine], ticks_per_second: float) -> None:
    control = attach(run)
    rows = [control.rows[given.publisher] for given in spines]
    core = core_record(line, spines, ticks_per_second)

    def stop(*_: object) -> None:
        rows[0]["stop"] = 1

    signal.signal(signal.SIGTERM, stop)
    for row in rows:
        row["pid"], row["core"] = os.getpid(), -1 if line.core is None else line.core
        row["state"] = STARTED
    supervisor = int(control.record["supervisor"])
    while True:
        why = core_loop.run_core(address_of(core))
        if why == core_loop.STOP:
            break
        if why >= 0:
            line.actors[why].on_call()
        elif os.getppid() != supervisor:
            stop()
    for actor, row in zip(line.actors, rows, strict=True):
        actor.on_stop()
        row["state"] = ENDED


def core_record(line: CoreLine, spines: list[spine.Spine], ticks_per_second: float) -> np.ndarray:
    """The CORE record of a line whose actors have started. ValueError if it has too many."""
    if len(line.actors) > core_loop.ACTORS_PER_CORE:
        limit = f"{core_loop.ACTORS_PER_CORE} is the limit"
        raise ValueError(f"core line {line.label!r} has {len(line.actors)} actors; {limit}")
    core = aligned_zeros(1, core_loop.CORE)
    record, count = core[0], len(line.actors)
    record["count"], record["idle"] = count, line.idle
    record["check_ticks"] = int(core_loop.CHECK_S * ticks_per_second)
    record["steps"][:count] = [actor.step.address for actor in line.actors]
    record["contexts"][:count] = [actor.context_address for actor in line.actors]
    record["rows"][:count] = [given.row_address for given in spines]
    return core
