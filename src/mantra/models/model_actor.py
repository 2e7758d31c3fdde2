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
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.icc.queue import CONSUMER, EMPTY, SPED_PAST, has_news, publish, show_progress
from mantra.messages.enums import EVENT_OVERRUN, FIRST, SNAPSHOT
from mantra.messages.records import FILL as FILL_RECORD
from mantra.messages.records import (
    IDEAL_ORDER,
    L2_UPDATE,
    SYSTEM_EVENT,
    TRADE_UPDATE,
)
from mantra.messages.tables import Tables
from mantra.models.contract import BOOK, CALL, FILL, MARKET, TRADE, Model
from mantra.telemetry.tracked import (
    hold_timer,
    note_detail,
    originate,
    receive,
    send,
    send_row,
    start_timer,
    stop_timer,
    tell_held,
    ticks_now,
)

BATCH = 64  # messages of one queue in one step: bounds how long the core's other actors wait
CACHE_PREFIX = "cache-"
UNTOLD_MAX = 256  # rows that wait for being published; beyond that they do not wait
BOOK_LEVELS = 4096  # a book's first size; it grows

TIMER_L2, TIMER_TRADE, TIMER_FILL = range(3)

MODEL = np.dtype(
    [
        ("track", "i8"),
        ("l2", "i8"),  # addresses of CONSUMERs …
        ("trades", "i8"),
        ("fills", "i8"),
        ("events", "i8"),  # … OUTLETs …
        ("ideals", "i8"),
        ("cache", "i8"),  # … the VECTOR of its rows …
        ("trampoline", "i8"),  # … the model's code …
        ("sent", "i8"),  # … and the rows as last sent
        ("untold", "i8"),  # address of copies of rows that [ideals] is to be told …
        ("untold_rows", "i8"),  # … and how many
        ("at", "i8"),  # address of i8 by instrument id: index into `market`, -1: not ours
        ("model", "i8"),  # index among the models
        ("told", "i8", (3,)),  # messages told to be lost, of l2, trades, fills
        ("blind", "i8"),  # 1: fills were lost, so positions are not known: no more events
        ("update", L2_UPDATE),
        ("trade", TRADE_UPDATE),
        ("fill", FILL_RECORD),
        ("event", SYSTEM_EVENT),
        ("call", CALL),
    ],
    align=True,
)
UPDATE_AT = MODEL.fields["update"][1]  # type: ignore[index]
TRADE_AT = MODEL.fields["trade"][1]  # type: ignore[index]
FILL_AT = MODEL.fields["fill"][1]  # type: ignore[index]
EVENT_AT = MODEL.fields["event"][1]  # type: ignore[index]
CALL_AT = MODEL.fields["call"][1]  # type: ignore[index]
INDEX = np.dtype("i8")
ROW_BYTES = IDEAL_ORDER.itemsize


@duty_cycle
def step_model(context_address):
    """Drain fills, levels and trades, each up to BATCH; the messages handled.

    A step ends when the model has changed rows: the Overseer may share the core, and is next. What
    is to be told of that, the rows on [ideals] and the timing, is told at the next step.
    """
    context = records_at(context_address, 1, MODEL)[0]
    if context["untold_rows"] > 0:
        tell_ideals(context_address)
        tell_held(context["track"])
    work = np.int64(0)
    if has_news(context["fills"]):
        work += drain_fills(context_address)
    if context["untold_rows"] == 0 and has_news(context["l2"]):
        work += drain_levels(context_address)
    if context["untold_rows"] == 0 and has_news(context["trades"]):
        work += drain_trades(context_address)
    if work > 0:
        show_progress(context["l2"])
        show_progress(context["trades"])
        show_progress(context["fills"])
    return work


@inlined
def drain_levels(context_address):
    context = records_at(context_address, 1, MODEL)[0]
    update, track = context["update"], context["track"]
    start = np.int64(0)
    in_group = 0
    for work in range(BATCH):
        status = receive(track, context["l2"], context_address + UPDATE_AT)
        if status == EMPTY:
            return work
        if status == SPED_PAST:
            distrust_books(context_address)
            continue
        if in_group == 0:
            start = start_timer(track)
        in_group += 1
        at = records_at(context["at"] + 8 * update["instrument"], 1, INDEX)[0]
        if at < 0:
            continue
        market = records_at(context["call"]["market"], at + 1, MARKET)[at]
        if update["flags"] & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT:
            market["trusted"] = 1
        status = apply_update(market["book"], context_address + UPDATE_AT)
        if status == CONSISTENT and market["trusted"]:
            event = context["call"]["event"]
            event["kind"], event["at"] = BOOK, at
            event["ts_exchange"] = update["ts_exchange"]
            if call_model(context_address, np.int64(TIMER_L2), start, in_group):
                return np.int64(work + 1)
            in_group = 0
    return np.int64(BATCH)


@compiled
def drain_trades(context_address):
    context = records_at(context_address, 1, MODEL)[0]
    trade, track = context["trade"], context["track"]
    for work in range(BATCH):
        status = receive(track, context["trades"], context_address + TRADE_AT)
        if status == EMPTY:
            return work
        if status == SPED_PAST:
            tell_lost(context_address, np.int64(TIMER_TRADE), context["trades"])
            continue
        at = records_at(context["at"] + 8 * trade["instrument"], 1, INDEX)[0]
        if at < 0:
            continue
        start = start_timer(track)
        records_at(context["call"]["market"], at + 1, MARKET)[at]["last_price"] = trade["price"]
        event = context["call"]["event"]
        event["kind"], event["at"], event["side"] = TRADE, at, trade["side"]
        event["price"], event["volume"] = trade["price"], trade["volume"]
        event["ts_exchange"] = trade["ts_exchange"]
        if call_model(context_address, np.int64(TIMER_TRADE), start, np.int64(1)):
            return np.int64(work + 1)
    return np.int64(BATCH)


@compiled
def drain_fills(context_address):
    context = records_at(context_address, 1, MODEL)[0]
    fill, track = context["fill"], context["track"]
    for work in range(BATCH):
        status = receive(track, context["fills"], context_address + FILL_AT)
        if status == EMPTY:
            return work
        if status == SPED_PAST:
            go_blind(context_address)
            continue
        if fill["model"] != context["model"]:
            continue
        start = start_timer(track)
        at = records_at(context["at"] + 8 * fill["instrument"], 1, INDEX)[0]
        if at < 0:
            continue
        market = records_at(context["call"]["market"], at + 1, MARKET)[at]
        sign = 1 - 2 * np.int64(fill["side"])
        market["position"] += sign * fill["volume"]
        event = context["call"]["event"]
        event["kind"], event["at"], event["side"] = FILL, at, fill["side"]
        event["price"], event["volume"] = fill["price"], fill["volume"]
        event["ts_exchange"] = fill["ts_exchange"]
        if call_model(context_address, np.int64(TIMER_FILL), start, np.int64(1)):
            return np.int64(work + 1)
    return np.int64(BATCH)


@inlined
def note_levels(context_address):
    """The timing's detail: l2 messages taken so far. A trade or fill may come amid a group."""
    context = records_at(context_address, 1, MODEL)[0]
    note_detail(context["track"], records_at(context["l2"], 1, CONSUMER)[0]["next"])


@compiled
def call_model(context_address, timer, start, work):
    """Call the model, send the rows it changed, end the step's timer; whether there were any."""
    context = records_at(context_address, 1, MODEL)[0]
    if context["blind"]:
        return False
    call_step(context["trampoline"], context_address + CALL_AT)
    rows, now = context["call"]["rows"], np.int64(0)
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
                now = ticks_now(context["track"])
            send_ideal(context_address, row, now)
    note_levels(context_address)
    if now == 0:
        stop_timer(context["track"], timer, start, work)
        return False
    hold_timer(context["track"], timer, start, now, work)
    return True


@inlined
def send_ideal(context_address, row, now):
    """Write a row to the OrderCache, and keep a copy for [ideals]."""
    context = records_at(context_address, 1, MODEL)[0]
    orders = records_at(context["call"]["orders"], context["call"]["rows"], IDEAL_ORDER)
    source = context["call"]["orders"] + row * ROW_BYTES
    send_row(context["track"], context["cache"], row, source, now)
    records_at(context["sent"], context["call"]["rows"], IDEAL_ORDER)[row] = orders[row]
    if context["untold_rows"] == UNTOLD_MAX:
        tell_ideals(context_address)
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
def distrust_books(context_address):
    """Levels were lost: empty books until each gets a snapshot; wanting nothing; and say so."""
    context = records_at(context_address, 1, MODEL)[0]
    call = context["call"]
    market = records_at(call["market"], call["markets"], MARKET)
    for at in range(call["markets"]):
        clear(market[at]["book"])
        market[at]["trusted"] = 0
    want_nothing_at_all(context_address)
    tell_lost(context_address, np.int64(TIMER_L2), context["l2"])


@compiled
def go_blind(context_address):
    """Fills were lost: the positions are not known any more. Want nothing for good; and say so."""
    context = records_at(context_address, 1, MODEL)[0]
    context["blind"] = 1
    want_nothing_at_all(context_address)
    tell_lost(context_address, np.int64(TIMER_FILL), context["fills"])


@compiled
def want_nothing_at_all(context_address):
    context = records_at(context_address, 1, MODEL)[0]
    orders = records_at(context["call"]["orders"], context["call"]["rows"], IDEAL_ORDER)
    now = ticks_now(context["track"])
    for row in range(context["call"]["rows"]):
        orders[row]["volume"] = 0
        send_ideal(context_address, row, now)


@compiled
def tell_lost(context_address, inlet, consumer_address):
    """Say how many messages of an inlet were lost."""
    context = records_at(context_address, 1, MODEL)[0]
    lost = records_at(consumer_address, 1, CONSUMER)[0]["lost"]
    event = context["event"]
    event["kind"], event["instrument"], event["venue"] = EVENT_OVERRUN, -1, -1
    event["value"], event["detail"] = lost - context["told"][inlet], inlet
    context["told"][inlet] = lost
    originate(context["track"])
    send(context["track"], context["events"], context_address + EVENT_AT)


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
        self.parameters = model.parameter_record(parameters or {})

    @property
    def rows(self) -> int:
        """Rows of ideal orders."""
        return self.model.orders * len(self.instruments)

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return {CACHE_PREFIX + self.name: (IDEAL_ORDER, self.rows)}

    def on_start(self, spine: Spine) -> None:
        self.context = aligned_zeros(1, MODEL)
        context = self.context[0]
        context["track"], context["model"] = spine.track_address, self.index
        for queue in self.reads:
            context[queue] = address_of(spine.inlet(queue, paces=True))
        context["events"] = address_of(spine.outlet("events"))
        context["ideals"] = address_of(spine.outlet("ideals"))
        context["cache"] = address_of(spine.vector(CACHE_PREFIX + self.name, IDEAL_ORDER))
        context["trampoline"] = self.model.call.address
        self._lay_out(context, spine)
        if JIT:  # Now: at the end it would be late.
            tell_ideals.compile("(int64,)")

    def on_stop(self) -> None:
        if self.context is not None:
            tell_ideals(self.context_address)
            tell_held(int(self.context["track"][0]))

    def _lay_out(self, context: np.void, spine: Spine) -> None:
        """Market, rows, state and parameters: the memory the model sees."""
        self.market = aligned_zeros(len(self.instruments), MARKET)
        self.orders = aligned_zeros(self.rows, IDEAL_ORDER)
        self.state = aligned_zeros(1, self.model.state)
        sent = aligned_zeros(self.rows, IDEAL_ORDER)
        at = np.full(len(self.tables.instruments), -1, INDEX)
        for index, instrument in enumerate(self.instruments):
            row, facts = self.market[index], self.tables.instruments[instrument]
            book = new_book(BOOK_LEVELS)
            spine.keep(book)
            row["instrument"], row["book"] = instrument, book.address
            row["trusted"] = 1
            row["first_row"] = index * self.model.orders
            row["tick_size"], row["lot_size"] = facts["tick_size"], facts["lot_size"]
            first = index * self.model.orders
            self.orders["instrument"][first : first + self.model.orders] = instrument
            at[instrument] = index
        self.orders["model"], self.orders["row"] = self.index, np.arange(self.rows)
        untold = aligned_zeros(UNTOLD_MAX, IDEAL_ORDER)
        sent[:] = self.orders
        call = context["call"]
        call["market"], call["markets"] = address_of(self.market), len(self.market)
        call["orders"], call["rows"] = address_of(self.orders), self.rows
        call["state"] = address_of(self.state)
        call["parameters"] = address_of(self.parameters)
        context["sent"], context["at"] = address_of(sent), address_of(at)
        context["untold"] = address_of(untold)
        spine.keep(sent, at, untold)
