"""Toy actors: a counter that sends numbers, a summer that adds them up, and some that misbehave."""

import os
from typing import ClassVar

import numpy as np

from mantra.actors.actor import CALL_PYTHON, Actor
from mantra.actors.control import ACTOR_ROW, CONTROL, DONE, RUNNING
from mantra.compiled import duty_cycle
from mantra.icc.atomics import load_acquire, store_release
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.icc.queue import DATA, show_progress
from mantra.messages.records import L2_UPDATE
from mantra.telemetry.tracked import originate, receive, send, start_timer, stop_timer

STATE_AT = ACTOR_ROW.fields["state"][1]
PENDING_AT = ACTOR_ROW.fields["pending"][1]
RUN_STATE_AT = CONTROL.fields["state"][1]

COUNTER = np.dtype(
    [
        ("track", "i8"),
        ("outlet", "i8"),
        ("control", "i8"),
        ("row", "i8"),
        ("next", "i8"),
        ("count", "i8"),
        ("message", L2_UPDATE),
    ],
    align=True,
)
MESSAGE_AT = COUNTER.fields["message"][1]


@duty_cycle
def step_counter(context_address):
    """Send the next number, once the run is RUNNING."""
    context = records_at(context_address, 1, COUNTER)[0]
    if load_acquire(context["control"] + RUN_STATE_AT) < RUNNING:
        return 0
    if context["next"] == context["count"]:
        store_release(context["row"] + STATE_AT, DONE)
        return 0
    start = start_timer(context["track"])
    originate(context["track"])
    context["message"]["price"] = context["next"]
    send(context["track"], context["outlet"], context_address + MESSAGE_AT)
    stop_timer(context["track"], 0, start, 1)
    context["next"] += 1
    return 1


class Counter(Actor):
    """A source: sends 0, 1, 2, … `count` - 1."""

    writes: ClassVar = ("l2",)
    timers: ClassVar = ("send",)
    is_source = True
    step = step_counter

    def __init__(self, name, count):
        super().__init__(name)
        self.count = count

    def on_start(self, spine):
        self.context = aligned_zeros(1, COUNTER)
        context = self.context[0]
        context["track"], context["count"] = spine.track_address, self.count
        context["control"], context["row"] = spine.control.address, spine.row_address
        context["outlet"] = address_of(spine.outlet("l2"))


SUMMER = np.dtype(
    [
        ("track", "i8"),
        ("inlet", "i8"),
        ("row", "i8"),
        ("sum", "i8"),
        ("message", L2_UPDATE),
    ],
    align=True,
)
SUMMER_MESSAGE_AT = SUMMER.fields["message"][1]


@duty_cycle
def step_summer(context_address):
    """Add up what is there; the sum is shown as `pending`, for tests to see."""
    context = records_at(context_address, 1, SUMMER)[0]
    work = 0
    message = context_address + SUMMER_MESSAGE_AT
    while receive(context["track"], context["inlet"], message) == DATA:
        context["sum"] += context["message"]["price"]
        work += 1
    if work:
        show_progress(context["inlet"])
    return work


class Summer(Actor):
    """Adds up the numbers; writes the sum to a file at the end."""

    reads: ClassVar = ("l2",)
    step = step_summer

    def __init__(self, name, path=None):
        super().__init__(name)
        self.path = path

    def on_start(self, spine):
        self.context = aligned_zeros(1, SUMMER)
        context = self.context[0]
        context["track"] = spine.track_address
        context["inlet"] = address_of(spine.inlet("l2"))

    def on_stop(self):
        if self.path:
            self.path.write_text(f"{int(self.context['sum'][0])}")


class LastSummer(Summer):
    """A summer that is stopped after all others, as a recorder is."""

    stops_last = True


@duty_cycle
def step_caller(context_address):
    """Ask for Python's turn, three times."""
    context = records_at(context_address, 1, SUMMER)[0]
    if context["sum"] == 3:
        return 0
    context["sum"] += 1
    return CALL_PYTHON


class Caller(Summer):
    """Counts its turns in Python."""

    reads: ClassVar = ()
    step = step_caller

    def on_start(self, spine):
        self.context = aligned_zeros(1, SUMMER)
        self.calls = 0

    def on_call(self):
        self.calls += 1

    def on_stop(self):
        if self.path:
            self.path.write_text(f"{self.calls}")


class FailsToStart(Summer):
    """An actor that cannot start."""

    def on_start(self, spine):
        raise RuntimeError("no such exchange")


class Holder(Caller):
    """Has something pending that never ends."""

    def on_start(self, spine):
        super().on_start(spine)
        store_release(spine.row_address + PENDING_AT, 1)


class DiesAtFirst(Caller):
    """Exits in its first turn in Python, unless the file is there: then it lives on."""

    def on_call(self):
        if not self.path.exists():
            self.path.write_text("died once")
            os._exit(3)

    def on_stop(self):
        pass
