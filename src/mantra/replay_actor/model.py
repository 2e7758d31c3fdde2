"""Replay of a ModelActor: [l2] [trades] [fills] in, its rows on [ideals] out.

Each call of the model left a TIMING, in order: of a group's end ("l2"), a trade, a fill. Its
ts_origin is that of the message that led to the call, which is how the message is found.

Assumed: where a group was half taken when a fill or trade called the model, what the next "l2"
TIMING says of how much of the group was there before (its `work` counts the messages since). That
is all of the truth unless the group came in three pieces or more; such calls are counted.
"""

import numpy as np

from mantra.archive import ArchiveError
from mantra.messages.enums import LAST
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
    }
    # Ours that were taken before the drain in which a group ended.
    of_groups = timings[timings["timer"] == TIMER_L2]
    drain_began = ours["l2"][ends[TIMER_L2] - 1] + 1 - of_groups["work"]
    before = np.searchsorted(ours["l2"], drain_began, "left")
    with Bench(recording, INPUTS, ("ideals",)) as bench:
        unsure = _run(bench, timings, rows, ends, before)
    notes = []
    if unsure:
        notes.append(f"{unsure} calls found a group half taken; how much of it is an inference")
    ideals = recording.rows("ideals")
    numbers = np.flatnonzero(ideals["model"] == actor.index)
    return bench.fed, {"ideals": compare("ideals", numbers, ideals[numbers], bench.sent["ideals"])}, notes


def _find_calls(rows: np.ndarray, timings: np.ndarray, queue: str) -> np.ndarray:
    """For each TIMING, how many of `rows` were taken when it was made."""
    candidates = np.arange(len(rows))
    if queue == "l2":
        candidates = candidates[rows["flags"] & LAST != 0]
    origins = rows["ts_origin"][candidates].tolist()
    found, at = [], 0
    for number, origin in enumerate(timings["ts_origin"].tolist()):
        while at < len(origins) and origins[at] != origin:
            at += 1
        if at == len(origins):
            raise ArchiveError(
                f"timing {number} of [{queue}] has an origin, {origin}, that no message of "
                f"[{queue}] has behind the last one found: messages of the recording are missing"
            )
        found.append(int(candidates[at]) + 1)
        at += 1
    return np.array(found, np.int64)


def _run(bench: Bench, timings: np.ndarray, rows: dict, ends: dict, before: np.ndarray) -> int:
    """Feed call by call; how many calls found a group half taken."""
    calls = dict.fromkeys(QUEUE_OF_TIMER, 0)
    unsure = 0
    for timer, ticks in zip(timings["timer"].tolist(), timings["ts_stop"].tolist(), strict=True):
        group = calls[TIMER_L2]
        if timer != TIMER_L2 and group < len(before) and before[group] > bench.fed["l2"]:
            unsure += 1
            _feed_until(bench, "l2", rows["l2"], int(before[group]), ticks)
        queue = QUEUE_OF_TIMER[timer]
        _feed_until(bench, queue, rows[queue], int(ends[timer][calls[timer]]), ticks)
        calls[timer] += 1
    bench.step(int(timings["ts_stop"][-1]))  # What was written last is published now.
    return unsure


def _feed_until(bench: Bench, queue: str, rows: np.ndarray, end: int, ticks: int) -> None:
    """Feed rows up to `end`, and let the actor take them all."""
    while bench.fed[queue] < end:
        first = bench.fed[queue]
        bench.feed(queue, rows[first : min(end, first + FEED_MAX)])
        while bench.step(ticks) > 0:
            pass
