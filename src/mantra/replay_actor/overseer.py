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

import numpy as np

from mantra.actors.control import CANCELING
from mantra.messages import enums, records
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
    rows = {name: recording.rows(name) for name in INPUTS}
    foreign = rows["events"]["published"] & records.PUBLISHER_MASK != recording.publisher
    rows["events"] = rows["events"][foreign]  # Its own it has sent itself.
    with Bench(recording, rows, ("requests",), dict(actor.models)) as bench:
        rerun = _Rerun(bench, recording, actor, foreign)
        rerun.run(recording.told("timer", "work", "ts_start", "detail"), canceling)
    notes = []
    if rerun.unexplained:
        notes.append(f"{rerun.unexplained} recorded sweeps found nothing to look at in the replay")
    if elsewhere := _models_elsewhere(recording, actor):
        what = f"{', '.join(elsewhere)} had another core than {actor.name}"
        risk = "a row written amid a sweep may have been seen, and nothing recorded tells"
        notes.append(f"{what}: {risk}")
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
    is_cancel = requests["kind"] == enums.CANCEL
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


class _Rerun:
    def __init__(self, bench: Bench, recording: Recording, actor: Overseer, foreign: np.ndarray):
        """`foreign`: whether each recorded event was another's."""
        self.bench, self.foreign, self.unexplained = bench, foreign, 0
        self.context: np.void = actor.context[0]  # type: ignore[index]
        self.read = dict.fromkeys(INPUTS, 0)
        ideals = recording.rows("ideals")
        self.ideals = [ideals[ideals["model"] == model] for model in range(len(actor.models))]
        self.written = [0] * len(self.ideals)

    def run(self, timings: list[tuple], canceling: int) -> None:
        """`timings`: timer, work, start and detail of each."""
        self.context["check_at"] = NEVER
        sweeps = 0
        for at, (timer, work, start, _) in enumerate(timings):
            if at == canceling:
                self.bench.control["state"] = CANCELING
            if timer == TIMER_SWEEP:
                sweeps += 1
                self._write_ideals(timings[at : at + len(self.ideals)])
                self._sweep(start, sweeps)
            else:
                self._feed(TIMERS[timer], work)
                if at + 1 == len(timings) or timings[at + 1][0] <= timer:
                    self.bench.step(start)

    def _sweep(self, ticks: int, sweeps: int) -> None:
        """Step until as many sweeps are done as were recorded by now."""
        for _ in range(2):  # A first step that is full of answers sweeps in the next.
            self.bench.step(ticks)
            if self.bench.done(TIMER_SWEEP) + self.unexplained >= sweeps:
                return
        self.context["check_at"], self.context["steps"] = 0, STEPS_A_CHECK - 1
        self.bench.step(ticks)
        self.context["check_at"] = NEVER
        self.bench.step(ticks)
        self.unexplained += self.bench.done(TIMER_SWEEP) + self.unexplained < sweeps

    def _feed(self, queue: str, count: int) -> None:
        self.read[queue] += count
        end = self.read[queue]
        if queue == "events":
            end = int(self.foreign[:end].sum())
        self.bench.feed(queue, end)

    def _write_ideals(self, timings: list[tuple]) -> None:
        """Write what is there at a sweep, and at those of later models in the same step.

        Of all at once: a model may be looked at for another reason than its own new rows, and then
        sees these as well.
        """
        last = -1
        for timer, _, _, detail in timings:
            model, writes = detail >> MODEL_SHIFT, detail & WRITES_MASK
            if timer != TIMER_SWEEP or model <= last:
                return
            self.bench.write_ideals(self.ideals[model][self.written[model] : writes])
            self.written[model] = max(writes, self.written[model])
            last = model
