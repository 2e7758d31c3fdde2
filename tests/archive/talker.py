"""An actor that says what a test tells it to, for recorders to record."""

from typing import ClassVar

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.spine import Spine
from mantra.compiled import compiled, duty_cycle
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.messages.records import QUEUE_RECORDS
from mantra.telemetry.tracked import originate, send, start_timer, stop_timer

SENDS = ("balances", "fills", "l2", "orders", "requests", "trades")
TALKER = np.dtype([("track", "i8"), ("unused", "i8")], align=True)


@compiled
def say(track_address, outlet_address, message_address, timed):
    """One message of a new origin; and one timing, if `timed`."""
    originate(track_address)
    start = start_timer(track_address)
    send(track_address, outlet_address, message_address)
    if timed:
        stop_timer(track_address, 0, start, 1)


@duty_cycle
def do_nothing(context_address):
    return np.int64(records_at(context_address, 1, TALKER)[0]["unused"])


class Talker(Actor):
    """Says what a test tells it to, on any queue."""

    writes: ClassVar[tuple[str, ...]] = SENDS
    timers: ClassVar[tuple[str, ...]] = ("talk",)
    step = do_nothing

    def on_start(self, spine: Spine) -> None:
        self.context = aligned_zeros(1, TALKER)
        self.spine = spine
        self.outlets = {queue: spine.outlet(queue) for queue in SENDS}
        self.sent: dict[str, list[np.void]] = {queue: [] for queue in SENDS}

    def talk(self, queue: str, count: int, timed: bool = True) -> None:
        message = aligned_zeros(1, QUEUE_RECORDS[queue])
        for _ in range(count):
            message[QUEUE_RECORDS[queue].names[2]] = len(self.sent[queue])
            outlet, track = address_of(self.outlets[queue]), self.spine.track_address
            say(track, outlet, address_of(message), int(timed))
            self.sent[queue].append(message[0].copy())
