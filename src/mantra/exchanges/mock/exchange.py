"""The MockExchange as an actor: queues in, the matching of this room, queues out.

One a venue; several run at once, each answers the requests for its own instruments and has its own
balances. A step takes a bounded number of market events, then of requests. Updates and trades come
on two queues; they are taken in the order of their origins, which is that of one source's sending,
however far behind this actor is. With equal origins the trade goes first: a venue tells a trade
before the change of the book that the trade made.

A request never meets half a group: while one is incomplete, requests wait, at most PATIENCE idle
steps (its writer may have died), and are then answered, with NO_BOOK for that instrument.

When it is sped past by updates it publishes OVERRUN, and its books wait for snapshots: new orders
are refused, resting ones stay and are not filled. Lost trades or requests are published likewise,
and are lost: no fill is made up. Its time is the market's; it reads no clock. A run that is being
canceled or stopped is no concern of it: it goes on answering.

Every request is timed. Of the steps that only read the market those are that had consequences:
whoever replays it knows from their TIMING how many events were read since the last one.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.spine import Spine
from mantra.compiled import compiled, duty_cycle
from mantra.exchanges.mock.layout import (
    EXCHANGE,
    MESSAGE_AT,
    REPORT,
    REPORT_BYTES,
)
from mantra.exchanges.mock.market import lose_books, on_trade, on_update
from mantra.exchanges.mock.reports import report_balance
from mantra.exchanges.mock.requests import handle_request
from mantra.exchanges.mock.state import ExchangeState, MockOptions, read_balances
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.icc.queue import CONSUMER, DATA, SPED_PAST, has_news, show_progress
from mantra.messages.enums import EVENT_OVERRUN
from mantra.messages.records import L2_UPDATE, ORDER_REQUEST, SYSTEM_EVENT, TRADE_UPDATE
from mantra.messages.tables import Tables
from mantra.telemetry.tracked import (
    TRACK,
    hold_timer,
    originate,
    receive,
    send,
    start_timer,
    stop_timer,
    tell_held,
)

# Messages a step takes.
EVENTS_PER_STEP = 128
REQUESTS_PER_STEP = 16
UNTOLD_MAX = 128  # events read after which a step is timed, consequences or not
PATIENCE = 1 << 16  # idle steps that requests wait for the rest of a group: some milliseconds

UPDATES, TRADES, REQUESTS = 0, 1, 2  # inlets; also the `detail` of an OVERRUN
TIMER_MARKET, TIMER_REQUEST = 0, 1

CONTEXT = np.dtype(
    [
        ("track", "i8"),
        ("exchange", "i8"),
        ("inlets", "i8", (3,)),
        ("lost", "i8", (3,)),  # by inlet, as far as published
        ("outlets", "i8", (3,)),  # by TO_*
        ("events", "i8"),  # outlet
        ("opened", "i8"),  # 1: the balances at the start are published
        ("waited", "i8"),  # idle steps with half a group
        ("untold", "i8"),  # events read that no TIMING has told …
        ("market_start", "i8"),  # … and when the last step with such events began and ended
        ("market_stop", "i8"),
        ("assets", "i8"),  # address of the ids of those it holds
        ("assets_used", "i8"),
        ("update_held", "i8"),  # 1: `update` was received and is to be handled
        ("trade_held", "i8"),
        ("update", L2_UPDATE),
        ("trade", TRADE_UPDATE),
        ("request", ORDER_REQUEST),
        ("event", SYSTEM_EVENT),
    ],
    align=True,
)
UPDATE_AT = CONTEXT.fields["update"][1]  # type: ignore[index]
TRADE_AT = CONTEXT.fields["trade"][1]  # type: ignore[index]
REQUEST_AT = CONTEXT.fields["request"][1]  # type: ignore[index]
EVENT_AT = CONTEXT.fields["event"][1]  # type: ignore[index]
WORD = np.dtype("i8")


@compiled
def send_reports(context_address):
    """Send what the exchange has to say about the message in hand, all of it due at once.

    With an origin of its own, as if it had come in through a socket now: nothing in the engine can
    tell this venue from another. What it answers is found by order id, trade id and ts_exchange.
    """
    context = records_at(context_address, 1, CONTEXT)[0]
    exchange = records_at(context["exchange"], 1, EXCHANGE)[0]
    if exchange["waiting"] > 0:
        originate(context["track"])
    for number in range(exchange["waiting"]):
        address = exchange["reports"] + number * REPORT_BYTES
        queue = records_at(address, 1, REPORT)[0]["queue"]
        send(context["track"], context["outlets"][queue], address + MESSAGE_AT)
    exchange["waiting"] = 0


@compiled
def open_exchange(context_address):
    """Publish the balances at the start."""
    context = records_at(context_address, 1, CONTEXT)[0]
    context["opened"] = 1
    for asset in records_at(context["assets"], context["assets_used"], WORD):
        report_balance(context["exchange"], asset, np.int64(0))
        send_reports(context_address)


@compiled
def publish_overrun(context_address, inlet):
    """Say how many messages of an inlet were lost."""
    context = records_at(context_address, 1, CONTEXT)[0]
    exchange = records_at(context["exchange"], 1, EXCHANGE)[0]
    lost = records_at(context["inlets"][inlet], 1, CONSUMER)[0]["lost"]
    event = context["event"]
    event["ts_exchange"] = exchange["ts_exchange"]
    event["value"] = lost - context["lost"][inlet]
    event["detail"] = inlet
    event["instrument"] = -1
    event["venue"] = exchange["venue"]
    event["kind"] = EVENT_OVERRUN
    context["lost"][inlet] = lost
    originate(context["track"])
    send(context["track"], context["events"], context_address + EVENT_AT)


@compiled
def take(context_address, inlet, target):
    """Receive the next message of an inlet: 1, or 0 when there is none. A loss is told."""
    context = records_at(context_address, 1, CONTEXT)[0]
    status = receive(context["track"], context["inlets"][inlet], target)
    while status == SPED_PAST:
        if inlet == UPDATES:
            lose_books(context["exchange"])
        publish_overrun(context_address, inlet)
        status = receive(context["track"], context["inlets"][inlet], target)
    return np.int64(status == DATA)


@compiled
def drain_market(context_address):
    """Take waiting updates and trades by origin; how many."""
    context = records_at(context_address, 1, CONTEXT)[0]
    track = records_at(context["track"], 1, TRACK)[0]
    exchange = records_at(context["exchange"], 1, EXCHANGE)[0]
    update, trade = context["update"], context["trade"]
    work, start, sent = np.int64(0), np.int64(0), False
    while work < EVENTS_PER_STEP:
        # Updates first: a trade of an earlier origin than the update found is there by then.
        if context["update_held"] == 0:
            held = take(context_address, np.int64(UPDATES), context_address + UPDATE_AT)
            context["update_held"] = held
        if context["trade_held"] == 0:
            held = take(context_address, np.int64(TRADES), context_address + TRADE_AT)
            context["trade_held"] = held
        if context["update_held"] == 0 and context["trade_held"] == 0:
            break
        if work == 0:
            start = start_timer(context["track"])  # Not before: an idle step reads no clock.
        work += 1
        trade_is_first = context["update_held"] == 0 or trade["ts_origin"] <= update["ts_origin"]
        if context["trade_held"] and trade_is_first:
            context["trade_held"] = 0
            track["origin"] = trade["ts_origin"]
            on_trade(context["exchange"], context_address + TRADE_AT)
        else:
            context["update_held"] = 0
            track["origin"] = update["ts_origin"]
            on_update(context["exchange"], context_address + UPDATE_AT)
        if exchange["waiting"] > 0:
            send_reports(context_address)
            sent = True
    if work > 0:
        show_progress(context["inlets"][UPDATES])
        show_progress(context["inlets"][TRADES])
        context["market_start"], context["market_stop"] = start, start_timer(context["track"])
        context["untold"] += work
        if sent or context["untold"] >= UNTOLD_MAX:
            tell_market(context_address)
    return work


@compiled
def tell_market(context_address):
    """Tell the last step that read the market, with all events read since the one told before."""
    context = records_at(context_address, 1, CONTEXT)[0]
    if context["untold"] == 0:
        return
    start, stop = context["market_start"], context["market_stop"]
    hold_timer(context["track"], np.int64(TIMER_MARKET), start, stop, context["untold"])
    tell_held(context["track"])
    context["untold"] = 0


@compiled
def drain_requests(context_address):
    """Answer waiting requests, each timed; how many."""
    context = records_at(context_address, 1, CONTEXT)[0]
    track = context["track"]
    work = np.int64(0)
    if not has_news(context["inlets"][REQUESTS]):
        return work
    tell_market(context_address)
    while work < REQUESTS_PER_STEP:
        if take(context_address, np.int64(REQUESTS), context_address + REQUEST_AT) == 0:
            break
        start = start_timer(track)
        handle_request(context["exchange"], context_address + REQUEST_AT)
        send_reports(context_address)
        stop_timer(track, np.int64(TIMER_REQUEST), start, np.int64(1))
        work += 1
    if work > 0:
        show_progress(context["inlets"][REQUESTS])
    return work


@duty_cycle
def mock_exchange_step(context_address):
    """Market data first, then requests, as the venue would have seen them."""
    context = records_at(context_address, 1, CONTEXT)[0]
    if context["opened"] == 0:
        open_exchange(context_address)
    work = drain_market(context_address)
    if work > 0:
        context["waited"] = 0
    exchange = records_at(context["exchange"], 1, EXCHANGE)[0]
    if exchange["groups_open"] > 0 and context["waited"] < PATIENCE:
        context["waited"] += 1
        return work
    return work + drain_requests(context_address)


class MockExchange(Actor):
    """A mock venue. `balances`: asset name -> decimal text, or an int that counts its units.

    Raises LookupError for a venue or asset that is not in the tables, ValueError for an amount.
    """

    reads = ("l2", "trades", "requests")
    writes = ("orders", "fills", "balances", "events")
    timers = ("market", "request")
    step: ClassVar = mock_exchange_step

    def __init__(
        self,
        name: str,
        venue: str | int,
        tables: Tables,
        balances: Mapping[str, str | int],
        options: MockOptions | None = None,
    ):
        super().__init__(name)
        self.venue = tables.venue(venue) if isinstance(venue, str) else venue
        if not 0 <= self.venue < len(tables.venues):
            raise LookupError(f"venue {venue}: there are {len(tables.venues)}, numbered from 0")
        self.tables = tables
        self.amounts = read_balances(tables, balances)
        self.options = options or MockOptions()
        self.state: ExchangeState | None = None

    def on_start(self, spine: Spine) -> None:
        self.state = ExchangeState(self.venue, self.tables, self.amounts, self.options)
        self._assets = np.array(self.state.assets, np.int64)
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        context["track"] = spine.track_address
        context["exchange"] = self.state.address
        context["inlets"][UPDATES] = address_of(spine.inlet("l2", paces=True))
        context["inlets"][TRADES] = address_of(spine.inlet("trades", paces=True))
        context["inlets"][REQUESTS] = address_of(spine.inlet("requests"))
        context["outlets"] = [address_of(spine.outlet(q)) for q in ("orders", "fills", "balances")]
        context["events"] = address_of(spine.outlet("events"))
        context["assets"], context["assets_used"] = address_of(self._assets), len(self._assets)
