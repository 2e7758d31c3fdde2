"""Slow and clear twins of what the archive does fast."""

import numpy as np


def in_range(rows: np.ndarray, start: int | None, end: int | None) -> np.ndarray:
    """The rows of [start, end), one by one."""
    keep = []
    for row in rows:
        stamp = int(row["ts_origin"])
        if (start is None or stamp >= start) and (end is None or stamp < end):
            keep.append(row)
    return np.array(keep, rows.dtype)


def merged(streams: list[np.ndarray]) -> list[tuple[int, int]]:
    """(stream, row) of all rows in order: by the highest stamp of the stream so far."""
    places = []
    for number, rows in enumerate(streams):
        highest = None
        for at, row in enumerate(rows):
            stamp = int(row["ts_origin"])
            highest = stamp if highest is None else max(highest, stamp)
            places.append((highest, number, at))
    return [(number, at) for _, number, at in sorted(places)]
