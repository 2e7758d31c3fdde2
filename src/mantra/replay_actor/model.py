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
QUEUE_OF_TIMER = {TIMER_L2: "l2", TIMER_TRADE: "trades", TIMER_FILL: "fills"}


def replay_model(recording: Recording, actor: ModelActor) -> tuple[dict, dict, list[str]]:
    """(messages fed by queue, what came of each output, notes)."""
    inputs = {name: recording.rows(name) for name in INPUTS}
    ours = {
        name: np.flatnonzero(np.isin(inputs[name]["instrument"], actor.instruments))
        for name in ("l2", "trades")
    }
    ours["fills"] = np.flatnonzero(inputs["fills"]["model"] == actor.index)
    rows = {name: inputs[name][ours[name]] for name in INPUTS}
    timings = recording.timings
    ends = {
        timer: _find_calls(rows[queue], timings[timings["timer"] == timer], queue)
        for timer, queue in QUEUE_OF_TIMER.items()
        if timer != TIMER_L2
    }
    # How many levels of ours were taken at each call.
    levels = np.searchsorted(ours["l2"], timings["detail"], "left")
    with Bench(recording, INPUTS, ("ideals",)) as bench:
        _run(bench, timings, rows, ends, levels)
    ideals = recording.rows("ideals")
    numbers = np.flatnonzero(ideals["model"] == actor.index)
    outcome = compare("ideals", numbers, ideals[numbers], bench.sent["ideals"])
    return bench.fed, {"ideals": outcome}, []


def _find_calls(rows: np.ndarray, timings: np.ndarray, queue: str) -> np.ndarray:
    """For each TIMING, how many of `rows` were taken when it was made."""
    origins = rows["ts_origin"].tolist()
    found, at = [], 0
    for number, origin in enumerate(timings["ts_origin"].tolist()):
        while at < len(origins) and origins[at] != origin:
            at += 1
        if at == len(origins):
            raise ArchiveError(
                f"timing {number} of [{queue}] has an origin, {origin}, that no message of "
                f"[{queue}] has behind the last one found: messages of the recording are missing"
            )
        at += 1
        found.append(at)
    return np.array(found, np.int64)


def _run(bench: Bench, timings: np.ndarray, rows: dict, ends: dict, levels: np.ndarray) -> None:
    """Feed call by call."""
    calls = dict.fromkeys(QUEUE_OF_TIMER, 0)
    for timer, ticks, taken in zip(
        timings["timer"].tolist(), timings["ts_stop"].tolist(), levels.tolist(), strict=True
    ):
        _feed_until(bench, "l2", rows["l2"], taken, ticks)
        if timer != TIMER_L2:
            queue = QUEUE_OF_TIMER[timer]
            _feed_until(bench, queue, rows[queue], int(ends[timer][calls[timer]]), ticks)
            calls[timer] += 1
    bench.step(int(timings["ts_stop"][-1]))  # What was written last is published now.


def _feed_until(bench: Bench, queue: str, rows: np.ndarray, end: int, ticks: int) -> None:
    """Feed rows up to `end`, and let the actor take them all."""
    while bench.fed[queue] < end:
        first = bench.fed[queue]
        bench.feed(queue, rows[first : min(end, first + FEED_MAX)])
        while bench.step(ticks) > 0:
            pass
