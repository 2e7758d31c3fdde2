"""Runs actors in the caller's thread, one step at a time: for tests, and for replaying one actor.

with Stepper([venue, model, overseer]) as stepper:
    stepper.step()                 # each actor once, in order
    stepper.run_until_idle()
"""

import os
from itertools import count

from mantra.actors import control, spine
from mantra.actors.actor import CALL_PYTHON, Actor

_runs = count()


class Stepper:
    """A run of its own, without processes. A context manager: shared memory goes at the end."""

    def __init__(
        self, actors: list[Actor], capacities: dict[str, int] | None = None, timings: bool = True
    ):
        self.run = f"step-{os.getpid()}-{next(_runs)}"
        self.actors = actors
        self._capacities, self._timings = capacities, timings
        self.control: control.Control
        self.spines: list[spine.Spine] = []

    def __enter__(self) -> "Stepper":
        spine.build(self.run, self.actors, self._capacities)
        try:
            self.control = control.attach(self.run)
            self.spines = [spine.Spine(self.run, actor, self._timings) for actor in self.actors]
            for actor, given in zip(self.actors, self.spines, strict=True):
                actor.on_start(given)
        except BaseException:
            spine.unlink(self.run)
            raise
        self.control.record["state"] = control.RUNNING
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            for actor in self.actors:
                actor.on_stop()
        finally:
            spine.unlink(self.run)

    def step(self) -> int:
        """Each actor one step, in order; the work done. Python's turn is given where asked for."""
        work = 0
        for actor in self.actors:
            done = actor.step(actor.context_address)
            if done == CALL_PYTHON:
                actor.on_call()
                done = 1
            work += done
        return work

    def run_until_idle(self, steps_max: int = 1_000_000) -> int:
        """Step until no actor finds work; the work done. RuntimeError if that never happens."""
        total = 0
        for _ in range(steps_max):
            work = self.step()
            total += work
            if work == 0:
                return total
        raise RuntimeError(f"actors still busy after {steps_max:,} steps")

    def sources_done(self) -> bool:
        """Whether every source has sent all it has."""
        states = self.control.rows["state"][[actor.is_source for actor in self.actors]]
        return bool((states == control.DONE).all())
