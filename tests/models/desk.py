"""Helpers of the models' tests: a model on its actor, and a script for everything it hears."""

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.stepper import Stepper
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import DATA, publish, try_consume
from mantra.icc.seqlock_vector import try_read_row
from mantra.messages.enums import BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import IDEAL_ORDER, QUEUE_RECORDS, SYSTEM_EVENT
from mantra.messages.tables import Tables
from mantra.models.contract import load_model
from mantra.models.model_actor import ModelActor

TICK, LOT = 10, 3  # not 1, so that a factor forgotten shows


def some_tables() -> Tables:
    """Three instruments of one venue, ticks of 10 and lots of 3 units."""
    tables = Tables()
    usdt, venue = tables.add_asset("USDT"), tables.add_venue("north")
    for name in ("BTC", "ETH", "XRP"):
        scales = {"price_exponent": 2, "volume_exponent": 2}
        sizes = {"tick_size": "0.10", "lot_size": "0.03"}
        asset = tables.add_asset(name)
        tables.add_instrument(venue, f"{name}USDT", asset, usdt, **scales, **sizes)
    return tables


class Script(Actor):
    """Does nothing: the test speaks through its outlets and listens at its inlet."""

    reads = ("events",)
    writes = ("l2", "trades", "fills")

    def __init__(self, model):
        super().__init__("script")
        self.model = model

    def step(self, context_address):
        return 0

    def on_start(self, spine):
        self.context = aligned_zeros(1, np.dtype("i8"))
        self.outlets = {name: spine.outlet(name) for name in self.writes}
        self.events = spine.inlet("events")
        self.cache = spine.vector("cache-model", IDEAL_ORDER)


class ModelDesk:
    """One model under test. A context manager."""

    def __init__(self, model, instruments=(0,), parameters=None, index=0, capacities=None):
        self.tables = some_tables()
        self.actor = ModelActor(
            "model", index, load_model(str(model)), list(instruments), self.tables, parameters
        )
        self.script = Script(self.actor)
        self.stepper = Stepper([self.script, self.actor], capacities)
        self.clock = 0

    def __enter__(self):
        self.stepper.__enter__()
        return self

    def __exit__(self, *exception):
        self.stepper.__exit__(*exception)

    def run(self):
        return self.stepper.run_until_idle(1000)

    def say(self, queue, **fields):
        message = aligned_zeros(1, QUEUE_RECORDS[queue])
        for field, value in fields.items():
            message[field] = value
        publish(address_of(self.script.outlets[queue]), address_of(message))

    def levels(self, rows, instrument=0, snapshot=False, ts=0):
        """A group of (side, price, volume)."""
        flags = [SNAPSHOT * snapshot] * len(rows)
        flags[0] |= FIRST
        flags[-1] |= LAST
        for (side, price, volume), flag in zip(rows, flags, strict=True):
            self.level(side, price, volume, flag, instrument, ts)

    def level(self, side, price, volume, flags, instrument=0, ts=0):
        facts = {"side": side, "price": price, "volume": volume, "flags": flags}
        self.say("l2", instrument=instrument, ts_exchange=ts, **facts)

    def trade(self, price, volume, side=BID, instrument=0, ts=0):
        facts = {"side": side, "price": price, "volume": volume, "ts_exchange": ts}
        self.say("trades", instrument=instrument, **facts)

    def fill(self, volume, side=BID, price=100, instrument=0, model=0):
        facts = {"side": side, "price": price, "volume": volume, "model": model}
        self.say("fills", instrument=instrument, **facts)

    def row(self, row=0):
        """(times sent, the row as the Overseer sees it)."""
        target = aligned_zeros(1, IDEAL_ORDER)
        handle = address_of(self.script.cache)
        version = try_read_row(handle, row, address_of(target))
        return version, target[0]

    def wanted(self):
        """[(side, price, volume) or None] by row, as the Overseer sees them."""
        found = []
        for row in range(self.actor.rows):
            _, order = self.row(row)
            wants = tuple(int(order[name]) for name in ("side", "price", "volume"))
            found.append(wants if wants[2] else None)
        return found

    def events(self):
        found, message = [], aligned_zeros(1, SYSTEM_EVENT)
        while try_consume(address_of(self.script.events), address_of(message)) == DATA:
            found.append(message[0].copy())
        return found
