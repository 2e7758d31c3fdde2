"""Replay of the Overseer: ideal orders, answers, events and trades in, [requests] out.

Its TIMINGs say how many messages of each queue it read at once, and when it looked at a model's
rows, at which count of their writes. Rising timers are one step; its clock says when the step's
last piece of work began.

Assumed, as nothing is recorded of it:
* time passed (retries, time-outs) when a sweep is recorded that nothing else explains.
* the run was being canceled from the sweep on whose cancels no ideal order caused, up to the end.
  The kill switch of a run that then went on is not in the recording.
* a row was not written in the midst of a sweep, as it can be where models have a core of their own.
"""

from dataclasses import dataclass, field

import numpy as np

from mantra.actors.control import CANCELING
from mantra.messages.enums import CANCEL
from mantra.messages.records import PUBLISHER_MASK
from mantra.overseer.answers import TIMER_SWEEP, TIMERS
from mantra.overseer.overseer import MODEL_SHIFT, STEPS_A_CHECK, Overseer
from mantra.replay_actor.bench import Bench
from mantra.replay_actor.compare import compare
from mantra.replay_actor.recording import Recording

INPUTS = ("orders", "fills", "balances", "events", "trades")
NEVER = 1 << 62  # ticks
WRITES_MASK = (1 << MODEL_SHIFT) - 1


def replay_overseer(recording: Recording, actor: Overseer) -> tuple[dict, dict, list[str]]:
    """(messages fed by queue, what came of each output, notes)."""
    timings = recording.timings
    requests = recording.rows("requests")
    canceling, uncaused = _canceling_from(timings, requests)
    with Bench(recording, INPUTS, ("requests",), dict(actor.models)) as bench:
        rerun = _Rerun(bench, recording, actor, canceling)
        rerun.run(timings)
    notes = []
    if rerun.unexplained:
        notes.append(f"{rerun.unexplained} recorded sweeps found nothing to look at in the replay")
    if elsewhere := _models_elsewhere(recording, actor):
        notes.append(
            f"{', '.join(elsewhere)} had another core than {actor.name}: a row written amid "
            "a sweep may have been seen, and nothing recorded tells"
        )
    replayed = bench.sent["requests"]
    compared = requests.copy()
    # A cancel that no ideal order caused begins an origin of its own: a moment, not an inheritance.
    compared["ts_origin"][uncaused] = 0
    of_both = uncaused[uncaused < len(replayed)]
    replayed["ts_origin"][of_both] = 0
    outcome = compare("requests", np.arange(len(requests)), compared, replayed)
    return bench.fed | {"ideals": sum(rerun.written)}, {"requests": outcome}, notes


def _models_elsewhere(recording: Recording, actor: Overseer) -> list[str]:
    """Models that did not share the Overseer's core; the map made by default lets all share it."""
    lines = [set(line["actors"]) for line in recording.metadata["config"].get("cores", [])]
    shared = next((line for line in lines if actor.name in line), None)
    return [] if shared is None else [name for name, _ in actor.models if name not in shared]


def _canceling_from(timings: np.ndarray, requests: np.ndarray) -> tuple[int, np.ndarray]:
    """Index of the first TIMING at which the run was canceled; which requests began an origin."""
    sweeps = np.flatnonzero(timings["timer"] == TIMER_SWEEP)
    sweep_of = np.repeat(sweeps, timings["work"][sweeps])[: len(requests)]
    requests = requests[: len(sweep_of)]
    is_cancel = requests["kind"] == CANCEL
    uncaused = is_cancel & (requests["ts_origin"] >= timings["ts_start"][sweep_of])
    others = np.flatnonzero(~is_cancel)
    last_other = others[-1] if len(others) else -1
    at_the_end = np.flatnonzero(uncaused & (np.arange(len(requests)) > last_other))
    if not len(at_the_end):
        return len(timings), np.flatnonzero(uncaused)
    first = int(sweep_of[at_the_end[0]])
    # The step that saw it looked at all models, in order: those before had nothing open.
    for _ in range(int(requests["model"][at_the_end[0]])):
        if first > 0 and timings["timer"][first - 1] == TIMER_SWEEP:
            first -= 1
    return first, np.flatnonzero(uncaused)


@dataclass
class _Rerun:
    bench: Bench
    recording: Recording
    actor: Overseer
    canceling: int
    unexplained: int = 0
    rows: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {name: self.recording.rows(name) for name in INPUTS}
        self.read = dict.fromkeys(INPUTS, 0)
        ideals = self.recording.rows("ideals")
        self.ideals = [ideals[ideals["model"] == model] for model in range(len(self.actor.models))]
        self.written = [0] * len(self.ideals)

    def run(self, timings: np.ndarray) -> None:
        context = self.actor.context[0]  # type: ignore[index]
        context["check_at"] = NEVER
        kinds, works = timings["timer"].tolist(), timings["work"].tolist()
        starts, details = timings["ts_start"].tolist(), timings["detail"].tolist()
        sweeps = 0
        for at, (timer, start) in enumerate(zip(kinds, starts, strict=True)):
            if at == self.canceling:
                self.bench.control["state"] = CANCELING
            if timer == TIMER_SWEEP:
                sweeps += 1
                self._write_ideals(kinds, details, at)
                self._sweep(start, sweeps, context)
            else:
                self._feed(TIMERS[timer], works[at])
                if at + 1 == len(kinds) or kinds[at + 1] <= timer:
                    self.bench.step(start)

    def _sweep(self, ticks: int, sweeps: int, context: np.void) -> None:
        """Step until as many sweeps are done as were recorded by now."""
        for _ in range(2):  # A first step that is full of answers sweeps in the next.
            self.bench.step(ticks)
            if self.bench.done(TIMER_SWEEP) + self.unexplained >= sweeps:
                return
        context["check_at"], context["steps"] = 0, STEPS_A_CHECK - 1
        self.bench.step(ticks)
        context["check_at"] = NEVER
        self.bench.step(ticks)
        self.unexplained += self.bench.done(TIMER_SWEEP) + self.unexplained < sweeps

    def _feed(self, queue: str, count: int) -> None:
        first = self.read[queue]
        rows = self.rows[queue][first : first + count]
        self.read[queue] += len(rows)
        if queue == "events":  # Its own it has sent itself.
            rows = rows[rows["published"] & PUBLISHER_MASK != self.recording.publisher]
        self.bench.feed(queue, rows)

    def _write_ideals(self, kinds: list[int], details: list[int], at: int) -> None:
        """Write what is there at a sweep, and at those of later models in the same step.

        Of all at once: a model may be looked at for another reason than its own new rows, and then
        sees these as well.
        """
        last = -1
        while at < len(kinds) and kinds[at] == TIMER_SWEEP and details[at] >> MODEL_SHIFT > last:
            last, writes = details[at] >> MODEL_SHIFT, details[at] & WRITES_MASK
            self.bench.write_ideals(self.ideals[last][self.written[last] : writes])
            self.written[last] = max(writes, self.written[last])
            at += 1
