"""The actor around a model: keeps its books and positions, calls it on each event, sends its rows.

One step drains what is there, oldest first within a queue: fills before levels before trades, as a
model that quotes on an old position is worse than one that quotes on an old book.

A row goes to the OrderCache only if the model changed it: the Overseer looks at what changed. A
copy of it, stamps and all, is published to [ideals] at the beginning of the next step: after the
Overseer, which may share the core, had its turn. So what a model wanted is in the archive, and
costs the way of an order no more than the copy.
"""

from typing import Any, ClassVar

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.spine import Spine
from mantra.books.book import CONSISTENT, apply_update, clear, new_book
from mantra.compiled import JIT, call_step, compiled, duty_cycle, inlined
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.icc.queue import CONSUMER, DATA, SPED_PAST, has_news, publish, show_progress
from mantra.messages import enums, records
from mantra.messages.records import IDEAL_ORDER
from mantra.messages.tables import Tables
from mantra.models.contract import BOOK, CALL, FILL, MARKET, TRADE, Model
from mantra.telemetry import tracked

BATCH = 64  # messages of one queue in one step: bounds how long the core's other actors wait
CACHE_PREFIX = "cache-"
UNTOLD_MAX = 256  # rows that wait for being published; beyond that they do not wait
BOOK_LEVELS = 4096  # a book's first size; it grows

TIMER_L2, TIMER_TRADE, TIMER_FILL = BOOK, TRADE, FILL
L2, TRADES, FILLS = np.arange(3)  # inlets, int64; also the `detail` of an OVERRUN

# inlets       addresses of CONSUMERs …
# events       … OUTLETs …
# cache        … the VECTOR of its rows …
# trampoline   … the model's code …
# sent         … and the rows as last sent
# untold       address of copies of rows that [ideals] is to be told …
# untold_rows  … and how many
# at           address of i8 by instrument id: index into `market`, -1: not ours
# model        index among the models
# told         messages told to be lost, by inlet
# blind        1: fills were lost, so positions are not known: no more events
MODEL = record_type(
    "i8 track",
    "(3,)i8 inlets",
    "i8 events ideals cache trampoline sent untold untold_rows at model",
    "(3,)i8 told",
    "i8 blind",
    ("update", records.L2_UPDATE),
    ("trade", records.TRADE_UPDATE),
    ("fill", records.FILL),
    ("event", records.SYSTEM_EVENT),
    ("call", CALL),
)
INDEX = np.dtype("i8")
ROW_BYTES = IDEAL_ORDER.itemsize


@duty_cycle
def step_model(context_address):
    """Drain fills, levels and trades, each up to BATCH; the messages handled.

    A step ends when the model has changed rows: the Overseer may share the core, and is next. What
    is to be told of that, the rows on [ideals] and the timing, is told at the next step.
    """
    context = records_at(context_address, 1, MODEL)[0]
    inlets = context["inlets"]
    if context["untold_rows"] > 0:
        tell_ideals(context_address)
        tracked.tell_held(context["track"])
    work = np.int64(0)
    if has_news(inlets[FILLS]):
        work += drain_fills(context)
    if context["untold_rows"] == 0 and has_news(inlets[L2]):
        work += drain_levels(context)
    if context["untold_rows"] == 0 and has_news(inlets[TRADES]):
        work += drain_trades(context)
    if work > 0:
        show_progress(inlets[L2])
        show_progress(inlets[TRADES])
        show_progress(inlets[FILLS])
    return work


@inlined
def take(context, inlet, target):
    """Receive the next message of an inlet; whether there is one. A loss is told."""
    while True:
        status = tracked.receive(context["track"], context["inlets"][inlet], target)
        if status != SPED_PAST:
            return status == DATA
        lose(context, inlet)


@inlined
def drain_levels(context):
    update, event = context["update"], context["call"]["event"]
    start, in_group = np.int64(0), 0
    for work in range(BATCH):
        if not take(context, L2, address_of(update)):
            return work
        if in_group == 0:
            start = tracked.start_timer(context["track"])
        in_group += 1
        at = records_at(context["at"] + 8 * update["instrument"], 1, INDEX)[0]
        if at < 0:
            continue
        market = records_at(context["call"]["market"], at + 1, MARKET)[at]
        if update["flags"] & (enums.FIRST | enums.SNAPSHOT) == enums.FIRST | enums.SNAPSHOT:
            market["trusted"] = 1
        status = apply_update(market["book"], address_of(update))
        if status == CONSISTENT and market["trusted"]:
            event["kind"], event["at"], event["ts_exchange"] = BOOK, at, update["ts_exchange"]
            if call_model(context, start, in_group):
                return np.int64(work + 1)
            in_group = 0
    return np.int64(BATCH)


@compiled
def drain_trades(context):
    trade = context["trade"]
    for work in range(BATCH):
        if not take(context, TRADES, address_of(trade)):
            return work
        at = records_at(context["at"] + 8 * trade["instrument"], 1, INDEX)[0]
        if at < 0:
            continue
        records_at(context["call"]["market"], at + 1, MARKET)[at]["last_price"] = trade["price"]
        if call_with(context, TRADE, at, trade):
            return np.int64(work + 1)
    return np.int64(BATCH)


@compiled
def drain_fills(context):
    fill = context["fill"]
    for work in range(BATCH):
        if not take(context, FILLS, address_of(fill)):
            return work
        at = records_at(context["at"] + 8 * fill["instrument"], 1, INDEX)[0]
        if at < 0 or fill["model"] != context["model"]:
            continue
        market = records_at(context["call"]["market"], at + 1, MARKET)[at]
        market["position"] += (1 - 2 * np.int64(fill["side"])) * fill["volume"]
        if call_with(context, FILL, at, fill):
            return np.int64(work + 1)
    return np.int64(BATCH)


@inlined
def call_with(context, kind, at, deal):
    """Call the model with a trade or a fill; whether it changed rows."""
    start, event = tracked.start_timer(context["track"]), context["call"]["event"]
    event["kind"], event["at"], event["side"] = kind, at, deal["side"]
    event["price"], event["volume"] = deal["price"], deal["volume"]
    event["ts_exchange"] = deal["ts_exchange"]
    return call_model(context, start, np.int64(1))


@compiled
def call_model(context, start, work):
    """Call the model, send the rows it changed, end the step's timer; whether there were any."""
    if context["blind"]:
        return False
    timer = context["call"]["event"]["kind"]  # Before: the event is the model's then.
    call_step(context["trampoline"], address_of(context["call"]))
    track, rows, now = context["track"], context["call"]["rows"], np.int64(0)
    orders = records_at(context["call"]["orders"], rows, IDEAL_ORDER)
    sent = records_at(context["sent"], rows, IDEAL_ORDER)
    for row in range(rows):
        order, last = orders[row], sent[row]
        if (
            order["price"] != last["price"]
            or order["volume"] != last["volume"]
            or order["revision"] != last["revision"]
            or order["side"] != last["side"]
            or order["type"] != last["type"]
            or order["time_in_force"] != last["time_in_force"]
        ):
            if now == 0:
                now = tracked.ticks_now(track)
            send_ideal(context, row, now)
    # The timing's detail: l2 messages taken so far. A trade or fill may come amid a group.
    tracked.note_detail(track, records_at(context["inlets"][L2], 1, CONSUMER)[0]["next"])
    if now == 0:
        tracked.stop_timer(track, timer, start, work)
        return False
    tracked.hold_timer(track, timer, start, now, work)
    return True


@inlined
def send_ideal(context, row, now):
    """Write a row to the OrderCache, and keep a copy for [ideals]."""
    orders = records_at(context["call"]["orders"], context["call"]["rows"], IDEAL_ORDER)
    source = context["call"]["orders"] + row * ROW_BYTES
    tracked.send_row(context["track"], context["cache"], row, source, now)
    records_at(context["sent"], context["call"]["rows"], IDEAL_ORDER)[row] = orders[row]
    if context["untold_rows"] == UNTOLD_MAX:
        tell_ideals(address_of(context))
    records_at(context["untold"], UNTOLD_MAX, IDEAL_ORDER)[context["untold_rows"]] = orders[row]
    context["untold_rows"] += 1


@compiled
def tell_ideals(context_address):
    """Publish the rows that were written, with the stamps they were written with."""
    context = records_at(context_address, 1, MODEL)[0]
    for number in range(context["untold_rows"]):
        publish(context["ideals"], context["untold"] + number * ROW_BYTES)
    context["untold_rows"] = 0


@compiled
def lose(context, inlet):
    """Messages of an inlet were lost: say how many, and want nothing of what is not known.

    Of levels: empty books until each gets a snapshot. Of fills: positions are not known any more,
    so nothing is wanted for good.
    """
    call, now = context["call"], tracked.ticks_now(context["track"])
    if inlet == L2:
        for market in records_at(call["market"], call["markets"], MARKET):
            clear(market["book"])
            market["trusted"] = 0
    elif inlet == FILLS:
        context["blind"] = 1
    if inlet != TRADES:
        for row in range(call["rows"]):
            records_at(call["orders"], call["rows"], IDEAL_ORDER)[row]["volume"] = 0
            send_ideal(context, row, now)
    lost = records_at(context["inlets"][inlet], 1, CONSUMER)[0]["lost"]
    event = context["event"]
    event["value"], event["detail"] = lost - context["told"][inlet], inlet
    context["told"][inlet] = lost
    tracked.originate(context["track"])
    tracked.send(context["track"], context["events"], address_of(context["event"]))


class ModelActor(Actor):
    """Runs one model. `index` is its place among the run's models: the model id in messages."""

    reads: ClassVar = ("l2", "trades", "fills")
    writes: ClassVar = ("events", "ideals")
    timers: ClassVar = ("l2", "trade", "fill")
    step = step_model

    def __init__(
        self,
        name: str,
        index: int,
        model: Model,
        instruments: list[int],
        tables: Tables,
        parameters: dict[str, Any] | None = None,
    ):
        super().__init__(name)
        self.index, self.model, self.instruments, self.tables = index, model, instruments, tables
        self.rows = model.orders * len(instruments)  # of ideal orders
        self.parameters = model.parameter_record(parameters or {})

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return {CACHE_PREFIX + self.name: (IDEAL_ORDER, self.rows)}

    def on_start(self, spine: Spine) -> None:
        self.context = aligned_zeros(1, MODEL)
        context = self.context[0]
        context["track"], context["model"] = spine.track_address, self.index
        context["inlets"] = [address_of(spine.inlet(queue, paces=True)) for queue in self.reads]
        for queue in self.writes:
            context[queue] = address_of(spine.outlet(queue))
        context["cache"] = address_of(spine.vector(CACHE_PREFIX + self.name, IDEAL_ORDER))
        context["trampoline"] = self.model.call.address
        event = context["event"]
        event["kind"], event["instrument"], event["venue"] = enums.EVENT_OVERRUN, -1, -1
        self._lay_out(context, spine)
        if JIT:  # Now: at the end it would be late.
            tell_ideals.compile("(int64,)")

    def on_stop(self) -> None:
        if self.context is not None:
            tell_ideals(self.context_address)
            tracked.tell_held(int(self.context["track"][0]))

    def _lay_out(self, context: np.void, spine: Spine) -> None:
        """Market, rows, state and parameters: the memory the model sees; and what stands beside."""
        ids, rows_each = self.instruments, self.model.orders
        books = [new_book(BOOK_LEVELS) for _ in ids]
        facts = self.tables.instruments[ids]
        self.market = aligned_zeros(len(ids), MARKET)
        self.market["instrument"], self.market["trusted"] = ids, 1
        self.market["book"] = [book.address for book in books]
        self.market["first_row"] = np.arange(len(ids)) * rows_each
        for name in ("tick_size", "lot_size"):
            self.market[name] = facts[name]
        self.orders = aligned_zeros(self.rows, IDEAL_ORDER)
        self.orders["model"], self.orders["row"] = self.index, np.arange(self.rows)
        self.orders["instrument"] = np.repeat(ids, rows_each)
        self.state = aligned_zeros(1, self.model.state)
        call = context["call"]
        call["markets"], call["rows"] = len(ids), self.rows
        for name in ("market", "orders", "state", "parameters"):
            call[name] = address_of(getattr(self, name))
        sent, untold = aligned_zeros(self.rows, IDEAL_ORDER), aligned_zeros(UNTOLD_MAX, IDEAL_ORDER)
        sent[:] = self.orders
        at = np.full(len(self.tables.instruments), -1, INDEX)
        at[ids] = np.arange(len(ids))
        context["sent"], context["untold"], context["at"] = map(address_of, (sent, untold, at))
        spine.keep(books, sent, untold, at)
