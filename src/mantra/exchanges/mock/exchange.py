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
from mantra.exchanges.mock import layout, market, reports, requests, state
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.icc.queue import CONSUMER, DATA, SPED_PAST, has_news, show_progress
from mantra.messages import enums, records
from mantra.messages.tables import Tables
from mantra.telemetry import tracked

# Messages a step takes.
EVENTS_PER_STEP = 128
REQUESTS_PER_STEP = 16
UNTOLD_MAX = 128  # events read after which a step is timed, consequences or not
PATIENCE = 1 << 16  # idle steps that requests wait for the rest of a group: some milliseconds

UPDATES, TRADES, REQUESTS = np.arange(3)  # inlets, int64; also the `detail` of an OVERRUN
TIMER_MARKET, TIMER_REQUEST = 0, 1

# lost          by inlet, as far as published
# outlets       by TO_*
# events        outlet
# waited        idle steps with half a group
# untold        events read that no TIMING has told …
# market_start  … and when the last step with such events began and ended
# held          1: the `update`, `trade` was received and is to be handled
CONTEXT = record_type(
    "i8 track exchange",
    "(3,)i8 inlets lost outlets",
    "i8 events waited untold market_start market_stop",
    "(2,)i8 held",
    ("update", records.L2_UPDATE),
    ("trade", records.TRADE_UPDATE),
    ("request", records.ORDER_REQUEST),
    ("event", records.SYSTEM_EVENT),
)


@compiled
def send_reports(context):
    """Send what the exchange has to say about the message in hand, all of it due at once.

    With an origin of its own, as if it had come in through a socket now: nothing in the engine can
    tell this venue from another. What it answers is found by order id, trade id and ts_exchange.
    """
    exchange = records_at(context["exchange"], 1, layout.EXCHANGE)[0]
    if exchange["waiting"] > 0:
        tracked.originate(context["track"])
        for report in records_at(exchange["reports"], exchange["waiting"], layout.REPORT):
            outlet = context["outlets"][report["queue"]]
            tracked.send(context["track"], outlet, address_of(report["message"]))
        exchange["waiting"] = 0


@compiled
def publish_overrun(context, inlet):
    """Say how many messages of an inlet were lost."""
    lost = records_at(context["inlets"][inlet], 1, CONSUMER)[0]["lost"]
    event = context["event"]
    event["ts_exchange"] = records_at(context["exchange"], 1, layout.EXCHANGE)[0]["ts_exchange"]
    event["value"], event["detail"] = lost - context["lost"][inlet], inlet
    context["lost"][inlet] = lost
    tracked.originate(context["track"])
    tracked.send(context["track"], context["events"], address_of(context["event"]))


@compiled
def take(context, inlet, target):
    """Receive the next message of an inlet: 1, or 0 when there is none. A loss is told."""
    status = np.int64(SPED_PAST)
    while status == SPED_PAST:
        status = tracked.receive(context["track"], context["inlets"][inlet], target)
        if status == SPED_PAST:
            if inlet == UPDATES:
                market.lose_books(records_at(context["exchange"], 1, layout.EXCHANGE)[0])
            publish_overrun(context, inlet)
    return np.int64(status == DATA)


@compiled
def drain_market(context):
    """Take waiting updates and trades by origin; how many."""
    track = records_at(context["track"], 1, tracked.TRACK)[0]
    exchange = records_at(context["exchange"], 1, layout.EXCHANGE)[0]
    update, trade, held = context["update"], context["trade"], context["held"]
    work, start, sent = np.int64(0), np.int64(0), False
    while work < EVENTS_PER_STEP:
        # Updates first: a trade of an earlier origin than the update found is there by then.
        if held[UPDATES] == 0:
            held[UPDATES] = take(context, UPDATES, address_of(update))
        if held[TRADES] == 0:
            held[TRADES] = take(context, TRADES, address_of(trade))
        if held[UPDATES] == 0 and held[TRADES] == 0:
            break
        if work == 0:
            # Not before: an idle step reads no clock.
            start = tracked.start_timer(context["track"])
        work += 1
        trade_is_first = held[UPDATES] == 0 or trade["ts_origin"] <= update["ts_origin"]
        if held[TRADES] and trade_is_first:
            held[TRADES] = 0
            track["origin"] = trade["ts_origin"]
            market.on_trade(exchange, trade)
        else:
            held[UPDATES] = 0
            track["origin"] = update["ts_origin"]
            market.on_update(exchange, address_of(update))
        if exchange["waiting"] > 0:
            send_reports(context)
            sent = True
    if work > 0:
        show_progress(context["inlets"][UPDATES])
        show_progress(context["inlets"][TRADES])
        context["market_start"] = start
        context["market_stop"] = tracked.start_timer(context["track"])
        context["untold"] += work
        if sent or context["untold"] >= UNTOLD_MAX:
            tell_market(context)
    return work


@compiled
def tell_market(context):
    """Tell the last step that read the market, with all events read since the one told before."""
    if context["untold"] == 0:
        return
    start, stop = context["market_start"], context["market_stop"]
    tracked.hold_timer(context["track"], np.int64(TIMER_MARKET), start, stop, context["untold"])
    tracked.tell_held(context["track"])
    context["untold"] = 0


@compiled
def drain_requests(context):
    """Answer waiting requests, each timed; how many."""
    exchange = records_at(context["exchange"], 1, layout.EXCHANGE)[0]
    track, work = context["track"], np.int64(0)
    if not has_news(context["inlets"][REQUESTS]):
        return work
    tell_market(context)
    while work < REQUESTS_PER_STEP and take(context, REQUESTS, address_of(context["request"])):
        start = tracked.start_timer(track)
        requests.handle_request(exchange, context["request"])
        send_reports(context)
        tracked.stop_timer(track, np.int64(TIMER_REQUEST), start, np.int64(1))
        work += 1
    show_progress(context["inlets"][REQUESTS])
    return work


@duty_cycle
def mock_exchange_step(context_address):
    """Market data first, then requests, as the venue would have seen them."""
    context = records_at(context_address, 1, CONTEXT)[0]
    exchange = records_at(context["exchange"], 1, layout.EXCHANGE)[0]
    if exchange["waiting"] > 0:  # The balances at the start.
        send_reports(context)
    work = drain_market(context)
    if work > 0:
        context["waited"] = 0
    if exchange["groups_open"] > 0 and context["waited"] < PATIENCE:
        context["waited"] += 1
        return work
    return work + drain_requests(context)


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
        venue: str,
        tables: Tables,
        balances: Mapping[str, str | int],
        options: state.MockOptions | None = None,
    ):
        super().__init__(name)
        self.venue = tables.venue(venue)
        self.tables, self.amounts = tables, state.read_balances(tables, balances)
        self.options = options or state.MockOptions()
        self.state: state.ExchangeState

    def on_start(self, spine: Spine) -> None:
        self.state = state.ExchangeState(self.venue, self.tables, self.amounts, self.options)
        for asset in self.state.assets:
            reports.report_balance(self.state.head, asset, 0)
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        context["track"], context["exchange"] = spine.track_address, self.state.address
        context["inlets"] = [address_of(spine.inlet(q, paces=q != "requests")) for q in self.reads]
        *outlets, context["events"] = (address_of(spine.outlet(queue)) for queue in self.writes)
        context["outlets"] = outlets
        event = context["event"]
        event["kind"], event["instrument"], event["venue"] = enums.EVENT_OVERRUN, -1, self.venue
