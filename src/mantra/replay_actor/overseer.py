"""Replay of the Overseer: ideal orders, answers, events and trades in, [requests] out.

Its TIMINGs say how many orders, fills and balances it read at once, and when it looked at a
model's rows. Rising timers are one step (orders, fills, balances, sweeps); its clock says when the
step's last piece of work began.

Assumed, as nothing is recorded of it:
* rows, events and trades were there when their stamps say so. For rows that is exact where the
  models share the Overseer's core; trades and events change only limits, collars and halts.
* time passed (retries, time-outs) when a sweep is recorded that nothing else explains.
* the run was being canceled from the sweep on whose cancels no ideal order caused, up to the end.
  The kill switch of a run that then went on is not in the recording.
"""

from dataclasses import dataclass, field

import numpy as np

from mantra.actors.control import CANCELING
from mantra.messages.enums import CANCEL
from mantra.messages.records import PUBLISHER_MASK
from mantra.overseer.answers import TIMER_BALANCES, TIMER_FILLS, TIMER_ORDERS, TIMER_SWEEP
from mantra.overseer.overseer import STEPS_A_CHECK, Overseer
from mantra.replay_actor.bench import FEED_MAX, Bench
from mantra.replay_actor.compare import compare
from mantra.replay_actor.recording import Recording, published_at

INPUTS = ("orders", "fills", "balances", "events", "trades")
QUEUE_OF_TIMER = {TIMER_ORDERS: "orders", TIMER_FILLS: "fills", TIMER_BALANCES: "balances"}
NEVER = 1 << 62  # ticks
TRADES_A_STEP = 16


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
    replayed = bench.sent["requests"]
    compared = requests.copy()
    # A cancel that no ideal order caused begins an origin of its own: a moment, not an inheritance.
    compared["ts_origin"][uncaused] = 0
    of_both = uncaused[uncaused < len(replayed)]
    replayed["ts_origin"][of_both] = 0
    outcome = compare("requests", np.arange(len(requests)), compared, replayed)
    return bench.fed | {"ideals": rerun.ideals_at}, {"requests": outcome}, notes


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
    ideals_at: int = 0  # written so far
    unexplained: int = 0
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    stamps: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {name: self.recording.rows(name) for name in INPUTS}
        events = self.rows["events"]  # Its own it sends itself.
        others = events["published"] & PUBLISHER_MASK != self.recording.publisher
        self.rows["events"] = events[others]
        ideals = self.recording.rows("ideals")
        order = np.argsort(published_at(ideals), kind="stable")
        self.ideals = ideals[order]
        self.ideal_stamps = published_at(self.ideals)
        self.stamps = {name: _rising(published_at(self.rows[name])) for name in ("events", "trades")}

    def run(self, timings: np.ndarray) -> None:
        context = self.actor.context[0]  # type: ignore[index]
        context["check_at"] = NEVER
        kinds, starts = timings["timer"].tolist(), timings["ts_start"].tolist()
        works = timings["work"].tolist()
        sweeps = 0
        for at, (timer, start) in enumerate(zip(kinds, starts, strict=True)):
            if at == 0 or kinds[at - 1] >= timer:
                self._feed_what_was_there(start)
            if at == self.canceling:
                self.bench.control["state"] = CANCELING
            if timer != TIMER_SWEEP:
                self._feed_answers(QUEUE_OF_TIMER[timer], works[at])
                if at + 1 == len(kinds) or kinds[at + 1] <= timer:
                    self.bench.step(start)
                continue
            sweeps += 1
            self._write_ideals(start)
            self._sweep(start, sweeps, context)

    def _sweep(self, ticks: int, sweeps: int, context: np.void) -> None:
        """Step until as many sweeps are done as were recorded by now."""
        self.bench.step(ticks)
        if self.bench.done(TIMER_SWEEP) >= sweeps - self.unexplained:
            return
        self.bench.step(ticks)  # The first was full of answers: then it sweeps in the next.
        if self.bench.done(TIMER_SWEEP) >= sweeps - self.unexplained:
            return
        context["check_at"], context["steps"] = 0, STEPS_A_CHECK - 1
        self.bench.step(ticks)
        context["check_at"] = NEVER
        self.bench.step(ticks)
        self.unexplained += self.bench.done(TIMER_SWEEP) < sweeps - self.unexplained

    def _feed_answers(self, queue: str, count: int) -> None:
        first = self.bench.fed[queue]
        self.bench.feed(queue, self.rows[queue][first : first + count])

    def _feed_what_was_there(self, ticks: int) -> None:
        """Events and trades up to a moment, read before anything else."""
        fed = False
        for queue, stamps in self.stamps.items():
            end = int(np.searchsorted(stamps, ticks, "right"))
            while self.bench.fed[queue] < end:
                first = self.bench.fed[queue]
                fed = True
                self.bench.feed(queue, self.rows[queue][first : min(end, first + FEED_MAX)])
                if end - first > TRADES_A_STEP:
                    while self.bench.step(ticks) > 0:
                        pass
        if fed:
            self.bench.step(ticks)

    def _write_ideals(self, ticks: int) -> None:
        end = int(np.searchsorted(self.ideal_stamps, ticks, "right"))
        self.bench.write_ideals(self.ideals[self.ideals_at : end])
        self.ideals_at = max(end, self.ideals_at)


def _rising(stamps: np.ndarray) -> np.ndarray:
    """Several producers' stamps: a message is read when those before it are."""
    return np.maximum.accumulate(stamps) if len(stamps) else stamps
