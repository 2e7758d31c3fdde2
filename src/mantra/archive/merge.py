"""Several streams in order of time, without loading them: what a replay walks.

Within a stream the order of arrival is kept, whatever the stamps say: a row's place is given by
the highest stamp of its stream so far. Of rows at the same place, the stream named first comes
first. Memory: a block or two a stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Chunks = Iterator[tuple[list[np.ndarray], np.ndarray]]


@dataclass
class Source:
    """One stream: the rows at hand, their places, and where more come from."""

    blocks: Iterator[np.ndarray]
    time_column: str
    rows: np.ndarray
    places: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    highest: int = -(1 << 63)
    ended: bool = False

    def refill(self) -> None:
        """Have rows at hand, unless there are none any more."""
        while not len(self.rows) and not self.ended:
            block = next(self.blocks, None)
            if block is None:
                self.ended = True
                return
            stamps = np.ascontiguousarray(block[self.time_column])
            self.places = np.maximum(np.maximum.accumulate(stamps), self.highest)
            self.highest = int(self.places[-1])
            self.rows = block

    def take(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        rows, places = self.rows[:count], self.places[:count]
        self.rows, self.places = self.rows[count:], self.places[count:]
        return rows, places


def interleaved(sources: list[Source]) -> Chunks:
    """Chunks of (rows of each source, order): order[k] is the source of the chunk's k-th row.

    Compiled code walks `order` (int8) and takes the next row of the source it names. A source's
    rows in a chunk may be none.
    """
    while True:
        for source in sources:
            source.refill()
        alive = [i for i, source in enumerate(sources) if len(source.rows)]
        if not alive:
            return
        # Up to here every stream's rows are at hand; at this very place only those of streams up
        # to the one that ends there: it may have more of them in its next block.
        limit, ending = min((int(sources[i].places[-1]), i) for i in alive)
        parts = []
        for i, source in enumerate(sources):
            edge: Any = "right" if i <= ending else "left"
            parts.append(source.take(int(np.searchsorted(source.places, limit, edge))))
        places = np.concatenate([places for _, places in parts])
        owners = np.repeat(np.arange(len(sources), dtype=np.int8), [len(rows) for rows, _ in parts])
        yield [rows for rows, _ in parts], owners[np.argsort(places, kind="stable")]
