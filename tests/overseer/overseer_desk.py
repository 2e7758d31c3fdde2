"""Helpers of the Overseer's tests: a desk of models, a venue whose every word the test chooses."""

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.control import CANCELING, RUNNING
from mantra.actors.stepper import Stepper
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import DATA, publish, try_consume
from mantra.icc.seqlock_vector import try_read_row, write_row
from mantra.messages.enums import (
    ACCEPTED,
    AMEND_REJECTED,
    AMENDED,
    BID,
    CANCEL_REJECTED,
    CANCELED,
    EVENT_HALT,
    EVENT_RESUME,
    EXPIRED,
    GTC,
    IOC,
    KINDS,
    LIMIT,
    MARKET,
    POST_ONLY,
    REASON_UNKNOWN_ORDER,
    REJECTED,
    SIDES,
)
from mantra.messages.records import IDEAL_ORDER, QUEUE_RECORDS
from mantra.messages.tables import Tables
from mantra.overseer.overseer import STEPS_A_CHECK, Overseer
from mantra.overseer.refusals import REFUSALS
from mantra.overseer.state import COUNTERS

PLENTY = 10**15
SLOW = {"request_timeout_s": 3600, "retry_s": 600}  # only `pass_time` makes time pass in a test


def two_venues(**facts) -> Tables:
    """Two venues with BTC/USDT and ETH/USDT each: instruments 0, 1 at venue 0; 2, 3 at venue 1."""
    tables = Tables()
    btc, eth, usdt = (tables.add_asset(name, 8) for name in ("BTC", "ETH", "USDT"))
    for name in ("north", "south"):
        venue = tables.add_venue(name)
        for symbol, base in (("BTCUSDT", btc), ("ETHUSDT", eth)):
            scales = {"price_exponent": 2, "volume_exponent": 5} | facts
            tables.add_instrument(venue, symbol, base, usdt, **scales)
    return tables


class Scripts(Actor):
    """An actor that does nothing: the test speaks through its outlets and listens at its inlets."""

    writes = ("orders", "fills", "balances", "events", "trades")
    reads = ("requests", "events")

    def __init__(self, models):
        super().__init__("scripts")
        self.models = models

    def vectors(self):
        return {f"cache-{name}": (IDEAL_ORDER, rows) for name, rows in self.models}

    def step(self, context_address):
        return 0

    def on_start(self, spine):
        self.context = aligned_zeros(1, np.dtype("i8"))
        self.outlets = {name: spine.outlet(name) for name in self.writes}
        self.inlets = {name: spine.inlet(name) for name in self.reads}
        self.caches = [spine.vector(f"cache-{name}", IDEAL_ORDER) for name, _ in self.models]
        self.counters = spine.vector("overseer-counters", COUNTERS)


class Desk:
    """Models, an Overseer and scripted venues, one step at a time. A context manager."""

    def __init__(self, models=(("a", 4),), tables=None, rich=True, capacities=None, **settings):
        self.tables = tables or two_venues()
        settings = SLOW | settings
        self.overseer = Overseer("overseer", list(models), self.tables, **settings)
        self.scripts = Scripts(list(models))
        self.names = [name for name, _ in models]
        self.stepper = Stepper([self.scripts, self.overseer], capacities)
        self.rich = rich
        self.requests: list[np.void] = []

    def __enter__(self):
        self.stepper.__enter__()
        if self.rich:
            for venue in range(len(self.tables.venues)):
                for asset in range(len(self.tables.assets)):
                    self.balance(venue, asset, PLENTY)
            self.step()
        return self

    def __exit__(self, *exception):
        self.stepper.__exit__(*exception)

    # ------------------------------------------------------------ what is said

    def say(self, queue, **fields):
        message = np.zeros(1, QUEUE_RECORDS[queue])
        for field, value in fields.items():
            message[field] = value
        publish(address_of(self.scripts.outlets[queue]), address_of(message))

    def want(
        self,
        model,
        row,
        *,
        price=0,
        volume=0,
        instrument=0,
        side=BID,
        kind=LIMIT,
        tif=GTC,
        revision=0,
        origin=0,
    ):
        ideal = np.zeros(1, IDEAL_ORDER)
        ideal["price"], ideal["volume"], ideal["instrument"] = price, volume, instrument
        ideal["side"], ideal["type"], ideal["time_in_force"] = side, kind, tif
        ideal["revision"], ideal["ts_origin"] = revision, origin
        cache = self.scripts.caches[self.names.index(model)]
        write_row(address_of(cache), row, address_of(ideal))

    def update(self, request, event, reason=0, leaves=-1, origin=0):
        self.say(
            "orders",
            ts_origin=origin,
            order_id=request["order_id"],
            event=event,
            reason=reason,
            leaves=leaves,
            instrument=request["instrument"],
            model=request["model"],
        )

    def fill(self, request, volume, leaves, *, price=None, fee=0, fee_asset=2, ts_exchange=0):
        self.say(
            "fills",
            order_id=request["order_id"],
            volume=volume,
            leaves=leaves,
            fee=fee,
            price=request["price"] if price is None else price,
            side=request["side"],
            instrument=request["instrument"],
            model=request["model"],
            fee_asset=fee_asset,
            ts_exchange=ts_exchange,
        )

    def balance(self, venue, asset, total, held=0, order_id=0):
        self.say("balances", venue=venue, asset=asset, total=total, held=held, order_id=order_id)

    def trade(self, instrument, price, ts_exchange=0):
        self.say("trades", instrument=instrument, price=price, volume=1, ts_exchange=ts_exchange)

    def event(self, kind, venue, instrument=-1):
        self.say("events", kind=kind, venue=venue, instrument=instrument)

    def cancel_all(self):
        self.stepper.control.record["state"] = CANCELING

    def kill_switch(self, pulled=1):
        self.stepper.control.record["halted"] = pulled

    def run_state(self, state=RUNNING):
        self.stepper.control.record["state"] = state

    # ------------------------------------------------------------ what is heard

    def step(self, times=1):
        """Step the Overseer; the requests it sent, as records."""
        for _ in range(times):
            self.stepper.step()
        return self.heard("requests")

    def heard(self, queue):
        """All new messages of a queue the scripts read."""
        found = []
        inlet = address_of(self.scripts.inlets[queue])
        while True:
            message = aligned_zeros(1, QUEUE_RECORDS[queue])
            if try_consume(inlet, address_of(message)) != DATA:
                return found
            found.append(message[0])

    def counters(self, model=None):
        """The counters of a model, or of what belongs to none, as an observer reads them."""
        self.stepper.step()
        self.stepper.step()
        target = aligned_zeros(1, COUNTERS)
        row = len(self.names) if model is None else self.names.index(model)
        try_read_row(address_of(self.scripts.counters), row, address_of(target))
        return target[0]

    def refused(self, model):
        """Refusals of a model by name, those that are not 0."""
        counts = self.counters(model)["refused"]
        return {name: int(n) for name, n in zip(REFUSALS, counts, strict=True) if n}

    @property
    def pending(self):
        return int(self.stepper.control.rows[1]["pending"])

    def reserved(self, venue, asset):
        row = venue * len(self.tables.assets) + asset
        return int(self.overseer.arrays["balances"][row]["reserved"])

    def pass_time(self, ticks):
        """As if that many ticks had gone by: moves all stamps of orders and the next check back."""
        context = self.overseer.context[0]
        context["check_at"] -= ticks
        orders = self.overseer.arrays["orders"]
        for stamp in ("sent_at", "retry_at"):
            orders[stamp] -= ticks
        self.overseer.arrays["buckets"]["due"] -= ticks

    def look_at_clock(self):
        """Have the Overseer look at the clock in its next step."""
        context = self.overseer.context[0]
        context["check_at"] = 0
        context["steps"] = STEPS_A_CHECK - 2
        self.stepper.step()
        self.stepper.step()


def text(request):
    """A request as a trader says it."""
    kind, side = KINDS[request["kind"]], SIDES[request["side"]]
    if kind == "cancel":
        return f"cancel {side} {request['volume']}@{request['price']}"
    return f"{kind} {side} {request['volume']}@{request['price']}"


# ---------------------------------------------------------------- scenarios
#
#   happens                        requests sent then
#   want bid 10@100                new bid 10@100
#   accepted; fill 4/6             -
#
# `fill 4/6` is a fill of 4 that leaves 6. Venue words are about the latest order of row 0, or
# of row n after `of n`. `want` may end in row=n, ioc, post-only, market, rev=n.

WORDS = {
    "accepted": ACCEPTED,
    "rejected": REJECTED,
    "amended": AMENDED,
    "amend-rejected": AMEND_REJECTED,
    "canceled": CANCELED,
    "cancel-rejected": CANCEL_REJECTED,
    "expired": EXPIRED,
}


def scenarios(table):
    """(name, lines of (happens, requests)) of each scenario in a text."""
    for block in table.strip().split("\n\n"):
        name, *lines = block.strip().splitlines()
        yield name.strip("= "), [[side.strip() for side in line.split("|")] for line in lines]


def play(desk, lines, model="a"):
    """Play a scenario: what is sent must be what the table says, line by line."""
    orders = {}
    for happens, expected in lines:
        for what in happens.split(";"):
            _play_one(desk, what.split(), orders, model)
        sent = desk.step()
        for request in sent:
            if KINDS[request["kind"]] == "new":
                orders[int(request["row"])] = request
        said = ", ".join(text(request) for request in sent) or "-"
        assert said == expected, f"after {happens!r}: sent {said!r}, expected {expected!r}"


def _play_one(desk, words, orders, model):
    row = int(words.pop()[1:]) if words[-1].startswith("#") else 0
    match words:
        case ["want", "nothing"]:
            desk.want(model, row)
        case ["want", side, amount, *rest]:
            volume, price = amount.split("@")
            revision = next((int(word[4:]) for word in rest if word.startswith("rev=")), 0)
            tif = IOC if "ioc" in rest else POST_ONLY if "post-only" in rest else GTC
            desk.want(
                model,
                row,
                price=int(price),
                volume=int(volume),
                side=SIDES.index(side),
                tif=tif,
                kind=MARKET if "market" in rest else LIMIT,
                revision=revision,
            )
        case ["fill", amount]:
            volume, leaves = amount.split("/")
            desk.fill(orders[row], int(volume), int(leaves))
        case ["trade", price]:
            desk.trade(0, int(price))
        case ["kill"]:
            desk.kill_switch()
        case ["unkill"]:
            desk.kill_switch(0)
        case ["halt"]:
            desk.event(EVENT_HALT, 0)
        case ["resume"]:
            desk.event(EVENT_RESUME, 0)
        case ["pause"]:
            desk.pass_time(int(desk.overseer.context[0]["retry_ticks"]) + 1)
            desk.look_at_clock()
        case ["silence"]:
            desk.pass_time(int(desk.overseer.context[0]["timeout_ticks"]) + 1)
            desk.look_at_clock()
        case ["wait"]:
            pass
        case ["gone"]:
            desk.update(orders[row], CANCEL_REJECTED, REASON_UNKNOWN_ORDER)
        case [word]:
            desk.update(orders[row], WORDS[word])
        case _:
            raise ValueError(f"what is {words}?")
