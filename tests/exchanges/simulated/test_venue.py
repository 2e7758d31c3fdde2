"""The venue sends all that the generator makes, when it is due, and says how late it was."""

import numpy as np
import pytest

from mantra.actors.control import DONE
from mantra.actors.pacing import LEAD
from mantra.actors.stepper import Stepper
from mantra.exchanges.simulated import orderflow
from mantra.exchanges.simulated.generator import default_markets, default_tables, new_generator
from mantra.exchanges.simulated.venue import SimulatedVenue
from mantra.icc.memory import address_of
from mantra.icc.queue import DATA, EMPTY, try_consume
from mantra.messages.enums import EVENT_END_OF_DATA, FIRST
from mantra.messages.records import PUBLISHER_MASK, SYSTEM_EVENT
from mantra.telemetry import timers
from tests.exchanges.simulated.sink import Sink, unstamped

TABLES = default_tables()
MARKETS = default_markets(TABLES, "sim-a")[:1]
MESSAGES = 3_000  # 1,000 of them in the snapshot
TICKS_PER_SECOND = 2_000_000_000


def made_by_the_generator(messages, seed, rate=0):
    made = new_generator(TABLES, MARKETS, seed, rate)
    l2, trades, count = [], [], 0
    while count < messages:
        count += orderflow.next_event(made.address)
        l2.append(made.l2.copy())
        trades.append(made.trades.copy())
    return np.concatenate(l2), np.concatenate(trades)


def run_to_the_end(stepper, steps_max=2_000_000):
    for _ in range(steps_max):
        stepper.step()
        if stepper.sources_done():
            for _ in range(200):
                stepper.step()
            return
    raise AssertionError("the source never ended")


@pytest.mark.parametrize(("every", "capacities"), [(1, {}), (61, {"l2": 64, "trades": 16})])
def test_a_slow_consumer_with_a_small_ring_gets_every_message_in_order(every, capacities):
    venue, sink = (
        SimulatedVenue("venue", TABLES, markets=MARKETS, seed=3, messages=MESSAGES),
        Sink(),
    )
    sink.every = every
    with Stepper([venue, sink], capacities) as stepper:
        run_to_the_end(stepper)
        l2, trades = made_by_the_generator(MESSAGES, 3)
        assert int(sink.context["sped_past"][0]) == 0
        np.testing.assert_array_equal(unstamped(sink.l2), unstamped(l2))
        np.testing.assert_array_equal(unstamped(sink.trades), unstamped(trades))


def test_the_venue_never_runs_further_ahead_than_the_lead():
    venue = SimulatedVenue("venue", TABLES, markets=MARKETS, messages=1_500)
    sink = Sink(every=LEAD + 18)
    with Stepper([venue, sink]) as stepper:
        run_to_the_end(stepper)
        assert int(sink.context["l2_ahead_max"][0]) == LEAD
        assert int(sink.context["trades_ahead_max"][0]) <= LEAD


def test_levels_of_a_group_share_an_origin_and_groups_and_trades_have_their_own():
    venue, sink = SimulatedVenue("venue", TABLES, markets=MARKETS, messages=MESSAGES), Sink()
    with Stepper([venue, sink]) as stepper:
        run_to_the_end(stepper)
        l2 = sink.l2
        assert (l2["published"] & PUBLISHER_MASK == 0).all()
        same = np.diff(l2["ts_origin"]) == 0
        np.testing.assert_array_equal(same, l2["flags"][1:] & FIRST == 0)
        assert (np.diff(sink.trades["ts_origin"]) > 0).all()


def test_the_end_is_said_once_and_the_row_is_done():
    venue = SimulatedVenue("venue", TABLES, markets=MARKETS, messages=MESSAGES)
    with Stepper([venue]) as stepper:
        events = stepper.spines[0].inlet("events")
        stepper.run_until_idle()
        row = stepper.control.rows[0]
        assert (int(row["state"]), int(row["pending"])) == (DONE, 0)
        event = np.zeros(1, SYSTEM_EVENT)
        assert try_consume(address_of(events), address_of(event)) == DATA
        assert event["kind"][0] == EVENT_END_OF_DATA
        assert event["value"][0] == venue.context["sent"][0] >= MESSAGES
        assert try_consume(address_of(events), address_of(event)) == EMPTY


class Clocked(SimulatedVenue):
    """A venue whose tick counter is handed in, and its rate."""

    def on_start(self, spine):
        super().on_start(spine)
        self.context["ticks_per_ms"] = TICKS_PER_SECOND // 1_000
        self.ticks = np.zeros(1, np.int64)
        spine.track["clock"] = address_of(self.ticks)


def paced(messages=MESSAGES, rate=1_000_000):
    return Clocked("venue", TABLES, markets=MARKETS, rate=rate, messages=messages)


def test_at_a_set_rate_an_event_is_sent_when_it_is_due():
    venue, sink = paced(), Sink(paces=False)
    with Stepper([venue, sink]) as stepper:
        while not stepper.sources_done():
            stepper.step()
            venue.ticks += 100
        stepper.step()
        l2 = sink.l2[sink.l2["sequence"] > 1]
        sent_ns = l2["ts_origin"] // 2
        due_ns = l2["ts_exchange"] - int(venue.generator.state["ts_start"])
        lag_ns = sent_ns - due_ns
        assert lag_ns.min() > -1_000
        assert lag_ns.max() < 20_000, "single steps of 50 ns send one event each: it keeps up"


def test_what_was_late_is_sent_at_no_more_than_twice_the_rate_and_the_lag_is_shown():
    venue, sink = paced(), Sink(paces=False)
    with Stepper([venue, sink]) as stepper:
        while int(venue.context["sent"][0]) < 1_500:
            stepper.step()
            venue.ticks += 200
        slept = 2 * TICKS_PER_SECOND // 1_000
        before = int(venue.ticks[0])
        venue.ticks += slept
        assert min(venue.step(venue.context_address) for _ in range(9)) > 0, "late is never idle"
        while not stepper.sources_done():
            stepper.step()
            venue.ticks += 100
        stepper.step()
        after = np.sort(np.concatenate([sink.l2["ts_origin"], sink.trades["ts_origin"]]))
        after = after[after >= before + slept]
        ticks_per_message = TICKS_PER_SECOND // 1_000_000
        taken = np.arange(1, len(after)) * ticks_per_message // 2
        assert (after[1:] - after[0] >= taken - 100 * ticks_per_message).all()
        (shown,) = [
            line for line in timers.attach(stepper.run, "venue").summary(1) if line["name"] == "lag"
        ]
        assert shown["max_ns"] >= slept // 2
        assert shown["count"] == int(venue.generator.markets["sequence"].sum()) - 1


def test_a_paced_venue_does_not_wait_for_consumers():
    venue, sink = paced(1_500), Sink(every=10**9)
    with Stepper([venue, sink], {"l2": 64}) as stepper:
        while not stepper.sources_done():
            stepper.step()
            venue.ticks += 10_000
        assert int(venue.context["sent"][0]) >= 1_500
