"""Arrays in the place of a run's queues: what a feed publishes, kept for whoever takes it.

In:        what an actor's Spine is asked for by a feed: a track, outlets by name.
Out:       the records published since the last time.
Must not know: who publishes, what becomes of the records.

An outlet is a producer of a ring in this process alone, whose number goes back to 0 when it is
emptied. Nobody else looks: empty it before a message comes that might not fit.
"""

import numpy as np

from mantra.icc.memory import address_of, aligned_zeros
from mantra.market_data.take import LEVELS_MAX
from mantra.messages.records import QUEUE_RECORDS
from mantra.telemetry.tracked import OUTLET, TRACK

CAPACITY = 2 * LEVELS_MAX  # a message more fits while it holds LEVELS_MAX or less


class Sink:
    """`clock`: address of the ticks that are now, for stamps."""

    def __init__(self, clock: int):
        self.track = aligned_zeros(1, TRACK)
        self.track["clock"] = clock
        self._rings: dict[str, np.ndarray] = {}
        self._outlets: dict[str, np.ndarray] = {}
        self._count = np.zeros(1, np.int64)

    @property
    def track_address(self) -> int:
        return address_of(self.track)

    def outlet(self, queue_name: str) -> np.ndarray:
        slot = np.dtype([("version", "i8"), ("record", QUEUE_RECORDS[queue_name])])
        ring, outlet = aligned_zeros(CAPACITY, slot), aligned_zeros(1, OUTLET)
        producer = outlet[0]["producer"]
        producer["slots"], producer["mask"] = address_of(ring), CAPACITY - 1
        producer["slot_bytes"], producer["words"] = slot.itemsize, slot["record"].itemsize // 8
        producer["count"] = address_of(self._count)
        self._rings[queue_name], self._outlets[queue_name] = ring, outlet
        return outlet

    def take(self, queue_name: str) -> np.ndarray:
        """What was published there since the last time: a view, good until more is published."""
        producer = self._outlets[queue_name]["producer"]
        count, producer["next"] = int(producer["next"][0]), 0
        return self._rings[queue_name]["record"][:count]
