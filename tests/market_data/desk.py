"""A feed in a run of its own, with all it publishes read back."""

from typing import ClassVar

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.stepper import Stepper
from mantra.compiled import duty_cycle
from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many
from mantra.market_data.feed import Feed
from mantra.messages.enums import EVENTS
from mantra.messages.records import QUEUE_RECORDS
from mantra.messages.tables import Tables

ROOM = 1 << 16


@duty_cycle
def idle_step(context_address):
    """The desk feeds; the actor only owns the queues."""
    return context_address * 0


class Publisher(Actor):
    writes: ClassVar = ("l2", "trades", "events")
    step = idle_step

    def on_start(self, spine):
        self.context, self.spine = aligned_zeros(1, np.dtype("i8")), spine


class FeedDesk:
    """`symbols`: venue -> symbol -> (price exponent, volume exponent). A context manager."""

    def __init__(self, symbols: dict[str, dict[str, tuple[int, int]]], connections: int = 2):
        self.tables = Tables()
        asset = self.tables.add_asset("?", 18)
        for name, instruments in symbols.items():
            venue = self.tables.add_venue(name)
            for symbol, (price, volume) in instruments.items():
                facts = {"price_exponent": price, "volume_exponent": volume}
                self.tables.add_instrument(venue, symbol, asset, asset, **facts)
        self._connections = connections
        self._stepper = Stepper([Publisher("market-data")], {"l2": ROOM, "trades": ROOM})
        self._read = {}

    def __enter__(self):
        self._stepper.__enter__()
        spine = self._stepper.actors[0].spine
        self.feed = Feed(spine, self.tables, self._connections)
        for name in ("l2", "trades", "events"):
            queue = queue_segment.attach(self._stepper.run, name, QUEUE_RECORDS[name])
            consumer = queue_segment.consumer(queue, "desk", from_oldest=True, shown=False)
            self._read[name] = queue, consumer
        return self

    def __exit__(self, *exception):
        self._stepper.__exit__(*exception)

    def told(self, name: str) -> np.ndarray:
        """What was published on a queue since the last look. Nothing may be lost."""
        rows = aligned_zeros(ROOM, QUEUE_RECORDS[name])
        count = consume_many(address_of(self._read[name][1]), address_of(rows), ROOM)
        assert self._read[name][1][0]["lost"] == 0
        return rows[:count]

    def events(self) -> list[str]:
        """Names of the events since the last look."""
        return [EVENTS[row["kind"]] for row in self.told("events")]
