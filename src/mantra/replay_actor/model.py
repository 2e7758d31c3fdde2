"""Replay of a ModelActor: [l2] [trades] [fills] in, its rows on [ideals] out.

Each call of the model left a TIMING, in order: of a group's end ("l2"), a trade, a fill. Its
ts_origin is that of the message that led to the call, which is how the message is found; its
detail is how many l2 messages were taken by then, as a trade or fill may come amid a group. That
is all there is to know, so nothing is assumed.
"""

import numpy as np

from mantra.archive import ArchiveError
from mantra.models.model_actor import TIMER_FILL, TIMER_L2, TIMER_TRADE, ModelActor
from mantra.replay_actor.bench import FEED_MAX, Bench
from mantra.replay_actor.compare import compare
from mantra.replay_actor.recording import Recording

INPUTS = ("l2", "trades", "fills")
QUEUE_OF_TIMER = {TIMER_TRADE: "trades", TIMER_FILL: "fills"}


def replay_model(recording: Recording, actor: ModelActor) -> tuple[dict, dict, list[str]]:
    """(messages fed by queue, what came of each output, notes)."""
    rows = {name: recording.rows(name) for name in INPUTS}
    ours = {name: np.isin(rows[name]["instrument"], actor.instruments) for name in INPUTS}
    ours["fills"] = rows["fills"]["model"] == actor.index
    rows = {name: rows[name][ours[name]] for name in INPUTS}
    timings = recording.timings
    ends = {}
    for timer, queue in QUEUE_OF_TIMER.items():
        ends[timer] = iter(_find_calls(rows[queue], timings[timings["timer"] == timer], queue))
    # How many levels of ours were taken at each call.
    levels = np.searchsorted(np.flatnonzero(ours["l2"]), timings["detail"], "left")
    calls = zip(recording.told("timer", "ts_stop"), levels.tolist(), strict=True)
    with Bench(recording, rows, ("ideals",), {}) as bench:
        for (timer, ticks), taken in calls:
            _feed_until(bench, "l2", taken, ticks)
            if timer != TIMER_L2:
                _feed_until(bench, QUEUE_OF_TIMER[timer], next(ends[timer]), ticks)
        bench.step(ticks)  # What was written last is published now.
    ideals = recording.rows("ideals")
    numbers = np.flatnonzero(ideals["model"] == actor.index)
    outcome = compare("ideals", numbers, ideals[numbers], bench.sent["ideals"])
    return bench.fed, {"ideals": outcome}, []


def _find_calls(rows: np.ndarray, timings: np.ndarray, queue: str) -> list[int]:
    """For each TIMING, how many of `rows` were taken when it was made."""
    origins = rows["ts_origin"].tolist()
    found, at = [], 0
    for number, origin in enumerate(timings["ts_origin"].tolist()):
        while at < len(origins) and origins[at] != origin:
            at += 1
        if at == len(origins):
            what = f"timing {number} of [{queue}] has an origin, {origin}, that no message of"
            why = "has behind the last one found: messages of the recording are missing"
            raise ArchiveError(f"{what} [{queue}] {why}")
        at += 1
        found.append(at)
    return found


def _feed_until(bench: Bench, queue: str, end: int, ticks: int) -> None:
    """Feed rows up to `end`, and let the actor take them all."""
    while bench.fed[queue] < end:
        bench.feed(queue, min(end, bench.fed[queue] + FEED_MAX))
        bench.step_until_idle(ticks)
