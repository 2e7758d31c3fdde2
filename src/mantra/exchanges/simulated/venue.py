"""SimulatedVenue: the actor that sends a generator's events, at a set rate or as fast as possible.

The next event is made beforehand, so making it is not on the way of a message. When it is due:
a new origin and a trade for each trade, then a new origin and the group, as separate messages of
a venue would come. Python is entered once, at the start, to see which consumers pace.

rate > 0: simulated time passes as real time does, and it never waits for consumers, like a venue.
What is late (its process did not run) is sent at no more than twice the rate until it has caught
up: a burst of what piled up would measure the burst. How late each event was is in the histogram
"lag" of this actor's timers, so that it cannot hide.

rate = 0: an event as soon as all pacing consumers have read enough, so that none is lost.
"""

import numpy as np

from mantra.actors import actor, control, pacing
from mantra.actors.pacing import L2, TRADES, has_room
from mantra.actors.spine import Spine
from mantra.compiled import compiled, duty_cycle
from mantra.exchanges.simulated import layout, orderflow
from mantra.exchanges.simulated.generator import Generator, MarketSettings, new_generator
from mantra.icc.atomics import load_relaxed, store_relaxed
from mantra.icc.memory import address_of, record_type, records_at
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables
from mantra.telemetry import clock, tracked
from mantra.telemetry.histogram import record_value

NS_PER_MS = 1_000_000
MESSAGE_BYTES = L2_UPDATE.itemsize
assert TRADE_UPDATE.itemsize == MESSAGE_BYTES

# messages      addresses of the event's messages, by stream …
# at            … and how many of them are sent
# paced         1: at a set rate
# messages_max  0: no end
# due           ticks when the event is to be sent …
# due_fraction  … and millionths of one
# earliest      ticks before which it is not sent, however late
CONTEXT = record_type(
    *pacing.SOURCE,
    "(2,)i8 messages at",
    "i8 generator paced ticks_per_ms messages_max due due_fraction earliest",
)


@duty_cycle
def venue_step(context_address):
    context = records_at(context_address, 1, CONTEXT)[0]
    generator = records_at(context["generator"], 1, layout.GENERATOR)[0]
    phase = context["phase"]
    if phase == pacing.OVER or load_relaxed(context["control"] + pacing.STATE_AT) < control.RUNNING:
        return 0
    if phase == pacing.WAITING:
        return actor.CALL_PYTHON
    if phase == pacing.BEGINNING:
        context["phase"] = pacing.SENDING
        context["due"] = tracked.ticks_now(context["track"])
        orderflow.next_event(context["generator"])
        context["ts_exchange"] = generator["ts_exchange"]
        return 1
    if context["paced"]:
        now = tracked.ticks_now(context["track"])
        if now < context["due"]:
            return 0
        if now < context["earliest"]:
            return 1  # Late: a core that now sleeps or yields for each event never catches up.
        histogram = records_at(context["track"], 1, tracked.TRACK)[0]["histograms"]
        record_value(histogram, now - context["due"])
    elif context["at"][TRADES] + context["at"][L2] == 0 and not may_begin(context):
        return actor.CALL_PYTHON if pacing.is_blocked(context) else 0
    sent = send_event(context)
    if context["at"][L2] == generator["l2_count"]:
        prepare(context)
    return sent


@compiled
def may_begin(context):
    """Whether trades and group have room; what is beyond the limit may begin and be held up."""
    generator = records_at(context["generator"], 1, layout.GENERATOR)[0]
    if not has_room(context["rooms"][L2], generator["l2_count"]):
        return False
    trades = generator["trades_count"]
    return trades == 0 or has_room(context["rooms"][TRADES], trades)


@compiled
def send_event(context):
    """The event's trades, then its group: all of it, or as far as there is room. How many."""
    generator = records_at(context["generator"], 1, layout.GENERATOR)[0]
    track, before = context["track"], context["sent"]
    for stream in (TRADES, L2):
        count = generator["l2_count"] if stream == L2 else generator["trades_count"]
        for at in range(context["at"][stream], count):
            if not context["paced"] and not has_room(context["rooms"][stream], np.int64(1)):
                return context["sent"] - before
            if stream == TRADES or at == 0:
                tracked.originate(track)
            message = context["messages"][stream] + at * MESSAGE_BYTES
            tracked.send(track, context["outlets"][stream], message)
            context["at"][stream] += 1
            context["sent"] += 1
    return context["sent"] - before


@compiled
def prepare(context):
    """Make the next event and say when it is due; or end."""
    generator = records_at(context["generator"], 1, layout.GENERATOR)[0]
    messages = generator["trades_count"] + generator["l2_count"]
    ticks_per_ms = context["ticks_per_ms"]
    # Half of the mean time that what was sent takes, from its own begin: twice the rate.
    shortest_ns = messages * generator["period_ps"] // 2000
    begun = records_at(context["track"], 1, tracked.TRACK)[0]["origin"]
    context["earliest"] = begun + shortest_ns * ticks_per_ms // NS_PER_MS
    orderflow.next_event(context["generator"])
    context["at"][:] = 0
    fraction = context["due_fraction"]
    fraction += (generator["ts_exchange"] - context["ts_exchange"]) * ticks_per_ms
    context["due"] += fraction // NS_PER_MS
    context["due_fraction"] = fraction % NS_PER_MS
    context["ts_exchange"] = generator["ts_exchange"]
    left = context["messages_max"] - context["sent"]
    if context["messages_max"] > 0 and left <= 0:
        pacing.end(context)
    else:
        store_relaxed(context["row"] + pacing.PENDING_AT, max(left, 1))


class SimulatedVenue(pacing.Source):
    """Sends simulated market data of one venue, or of several.

    markets     which, and where they begin
    rate        messages/s, trades and levels together; 0: as fast as consumers keep up
    messages    end after so many, with the group that reaches it; 0: go on
    """

    step = venue_step

    def __init__(
        self,
        name: str,
        tables: Tables,
        markets: list[MarketSettings],
        seed: int = 1,
        rate: float = 0,
        messages: int = 0,
    ):
        super().__init__(name)
        self.tables, self.markets, self.seed = tables, markets, seed
        self.rate, self.messages = rate, messages
        self.generator: Generator

    def on_start(self, spine: Spine) -> None:
        self.generator = new_generator(self.tables, self.markets, self.seed, self.rate)
        context = self.make_context(spine, CONTEXT)
        context["generator"] = self.generator.address
        context["messages"] = [address_of(self.generator.state[name]) for name in self.writes[:2]]
        context["paced"], context["messages_max"] = self.rate > 0, self.messages
        context["ticks_per_ms"] = round(float(clock.Calibration().fix["ticks_per_second"]) / 1000)
