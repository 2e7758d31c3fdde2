"""Rows that were sent against rows that are sent now."""

import numpy as np

from mantra.messages.records import PUBLISHER_BITS

UNCOMPARED = ("published",)  # When, and by which id: both are of the run, not of the content.


def first_difference(recorded: np.ndarray, replayed: np.ndarray) -> int | None:
    """Index of the first row that differs, or that one side lacks; None if all are the same."""
    both = min(len(recorded), len(replayed))
    same = np.ones(both, bool)
    for name in recorded.dtype.names or ():
        if name not in UNCOMPARED:
            equal = recorded[name][:both] == replayed[name][:both]
            same &= equal if equal.ndim == 1 else equal.all(axis=1)
    if not same.all():
        return int(np.argmin(same))
    return None if len(recorded) == len(replayed) else both


def compare(stream: str, numbers: np.ndarray, recorded: np.ndarray, replayed: np.ndarray) -> dict:
    """What is to be said of one output: how many rows, and the first difference, if any.

    `numbers`: of the recorded rows, in the archive's stream.
    """
    result: dict = {"recorded": len(recorded), "replayed": len(replayed), "difference": None}
    at = first_difference(recorded, replayed)
    if at is None:
        return result
    result["difference"] = {
        "stream": stream,
        "output": at,  # of this actor's on this stream, counted from 0
        "archive_row": int(numbers[at]) if at < len(numbers) else None,
        "recorded": as_dict(recorded[at]) if at < len(recorded) else None,
        "replayed": as_dict(replayed[at]) if at < len(replayed) else None,
    }
    return result


def as_dict(row: np.void) -> dict:
    """A row's fields that mean something."""
    names = [n for n in row.dtype.names or () if n != "published" and not n.startswith("unused")]
    latency = {"latency_ticks": int(row["published"]) >> PUBLISHER_BITS}
    return {name: int(row[name]) for name in names} | latency


def tell(outcome: dict) -> str:
    """A difference as lines of text, the fields that differ in one line each."""
    difference = outcome["difference"]
    place = f"message {difference['output']} on [{difference['stream']}]"
    if difference["archive_row"] is not None:
        place += f" (row {difference['archive_row']} of that stream in the archive)"
    recorded, replayed = difference["recorded"], difference["replayed"]
    if recorded is None:
        return f"{place}: the recording ends before it; replayed: {replayed}"
    if replayed is None:
        return f"{place}: recorded, but the replay ends before it: {recorded}"
    names = [n for n in recorded if n != "latency_ticks" and recorded[n] != replayed[n]]
    lines = [f"  {n}: recorded {recorded[n]}, replayed {replayed[n]}" for n in names]
    return "\n".join([f"{place} differs:", *lines, f"  recorded: {recorded}"])
