"""The actor: messages in through queues, messages out through queues, in a stepper."""

from types import SimpleNamespace

import pytest

from mantra.actors.control import CANCELING
from mantra.actors.stepper import Stepper
from mantra.compiled import JIT
from mantra.exchanges.mock import exchange
from mantra.exchanges.mock.exchange import MockExchange
from mantra.exchanges.mock.layout import ORDERS_MAX
from mantra.exchanges.mock.state import MockOptions
from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import DATA, publish, try_consume
from mantra.messages import enums
from mantra.messages.enums import ASK, BID, CANCEL, FIRST, LAST, NEW, SNAPSHOT
from mantra.messages.records import PUBLISHER_MASK, QUEUE_RECORDS
from mantra.messages.tables import Tables
from mantra.telemetry import timers

ORIGIN = 1_000  # what the test stamps on what it sends


def make_tables() -> Tables:
    """BTCUSD (0) and ETHUSD (1) on venue `east`, BTCUSD (2) on `west`: one BTC, one USD."""
    tables = Tables()
    east, west = tables.add_venue("east"), tables.add_venue("west")
    btc, eth, usd = tables.add_asset("BTC"), tables.add_asset("ETH"), tables.add_asset("USD")
    tables.add_asset("DOGE")  # traded nowhere here
    units = {"price_exponent": 1, "volume_exponent": 2}
    tables.add_instrument(east, "BTCUSD", btc, usd, **units)
    tables.add_instrument(east, "ETHUSD", eth, usd, **units)
    tables.add_instrument(west, "BTCUSD", btc, usd, **units, maker_fee_ppm=1_000)
    return tables


class Run:
    """Mock exchanges in a stepper, and the test's own ends of their queues."""

    def __init__(self, stepper):
        self.stepper = stepper
        self.ends = {}
        self.origin = ORIGIN

    def _end(self, queue, make):
        if (queue, make) not in self.ends:
            found = queue_segment.attach(self.stepper.run, queue, QUEUE_RECORDS[queue])
            self.ends[queue, make] = (found, make(found))
        return address_of(self.ends[queue, make][1])

    def send(self, queue, **fields):
        """Publish a message, as another actor would have. Its origin, to be inherited."""
        message = aligned_zeros(1, QUEUE_RECORDS[queue])
        self.origin += 1
        message["ts_origin"] = self.origin
        for name, value in fields.items():
            message[0][name] = value
        publish(self._end(queue, queue_segment.producer), address_of(message))
        return self.origin

    def snapshot(self, instrument, bid, ask, volume=1_000, ts=7):
        common = {"instrument": instrument, "volume": volume, "ts_exchange": ts}
        self.send("l2", **common, side=BID, price=bid, flags=FIRST | SNAPSHOT)
        self.send("l2", **common, side=ASK, price=ask, flags=LAST | SNAPSHOT)

    def order(self, order_id, instrument=0, side=BID, price=1_000, volume=10, **more):
        terms = {"instrument": instrument, "side": side, "price": price, "volume": volume}
        return self.send("requests", order_id=order_id, **terms, **more)

    def step(self):
        return self.stepper.run_until_idle(exchange.PATIENCE + 100)

    def read(self, queue):
        """What was published since the last reading."""
        handle = self._end(queue, oldest)
        messages = []
        target = aligned_zeros(1, QUEUE_RECORDS[queue])
        while try_consume(handle, address_of(target)) == DATA:
            messages.append(target[0].copy())
        return messages

    def events(self):
        """(order id, event, reason) of the ORDER_UPDATEs since the last reading."""
        return [
            (int(m["order_id"]), enums.ORDER_EVENTS[m["event"]], enums.REASONS[m["reason"]])
            for m in self.read("orders")
        ]

    def balances(self):
        """(venue, asset) -> (total, held), of the last reading."""
        return {
            (int(m["venue"]), int(m["asset"])): (int(m["total"]), int(m["held"]))
            for m in self.read("balances")
        }


def oldest(found):
    return queue_segment.consumer(found, "test", from_oldest=True, paces=False)


@pytest.fixture
def run(tmp_path, monkeypatch, request):
    """Both venues; other actors, capacities or options by `indirect`."""
    monkeypatch.setenv("MANTRA_SHM", str(tmp_path))
    given = SimpleNamespace(
        **{"capacities": None, "options": None, **getattr(request, "param", {})}
    )
    tables = make_tables()
    east = MockExchange("east", "east", tables, {"BTC": "2", "USD": "100000"}, given.options)
    west = MockExchange(
        "west", "west", tables, {"BTC": 5, "DOGE": "3"}, MockOptions(answers_unknown=False)
    )
    with Stepper([east, west], given.capacities) as stepper:
        stepper.run_until_idle()
        yield Run(stepper)


UNIT = 10**8


def test_it_begins_by_saying_what_it_holds_of_every_asset(run):
    said = run.read("balances")
    assert all(m["order_id"] == 0 for m in said)
    assert {(int(m["venue"]), int(m["asset"])): int(m["total"]) for m in said} == {
        (0, 0): 2 * UNIT,
        (0, 1): 0,
        (0, 2): 100_000 * UNIT,
        (1, 0): 5,
        (1, 2): 0,
        (1, 3): 3 * UNIT,
    }


def test_what_it_says_has_an_origin_of_its_own_and_the_time_of_what_caused_it(run):
    run.snapshot(0, 990, 1_010, ts=77)
    run.step()
    origin = run.order(1, price=1_000, volume=10)
    run.step()
    (accepted,) = run.read("orders")
    assert accepted["ts_origin"] > origin
    assert accepted["ts_exchange"] == 77
    assert accepted["published"] & PUBLISHER_MASK == 0, "the first actor of the run"

    origin = run.send(
        "trades", instrument=0, side=ASK, price=1_000, volume=4, trade_id=55, ts_exchange=78
    )
    run.step()
    (fill,) = run.read("fills")
    assert fill["ts_origin"] > accepted["ts_origin"] > origin - 1
    assert (fill["ts_exchange"], fill["trade_id"]) == (78, 55)
    assert (fill["volume"], fill["leaves"]) == (4, 6)
    told_with_it = [m["ts_origin"] for m in run.read("balances")][-2:]
    assert told_with_it == [fill["ts_origin"]] * 2


def test_two_venues_with_the_same_assets_do_not_mix(run):
    run.snapshot(0, 990, 1_010)
    run.snapshot(2, 990, 1_010)
    run.step()
    run.balances()
    run.order(1, instrument=0, side=ASK, price=1_000, volume=100)
    run.order(2, instrument=2, side=ASK, price=1_000, volume=100)
    run.step()
    assert run.events() == [(1, "accepted", "none"), (2, "rejected", "no-balance")]
    run.send("trades", instrument=2, side=BID, price=1_000, volume=100)
    run.step()
    assert run.read("fills") == [], "the trade was on the other venue"
    assert run.balances() == {(0, 0): (2 * UNIT, UNIT)}


def test_an_instrument_in_no_table_is_refused_by_one_exchange(run):
    run.order(1, instrument=3)
    run.order(2, instrument=-1)
    run.step()
    unknown = "unknown-instrument"
    assert run.events() == [(1, "rejected", unknown), (2, "rejected", unknown)]


def test_a_request_waits_for_the_rest_of_a_group(run):
    run.snapshot(0, 990, 1_010)
    run.step()
    run.send("l2", instrument=0, side=ASK, price=1_005, volume=5, flags=FIRST)
    run.order(1, price=1_010, volume=5, time_in_force=enums.IOC)
    run.stepper.step()
    run.stepper.step()
    assert run.events() == []
    run.send("l2", instrument=0, side=ASK, price=1_006, volume=5, flags=LAST)
    run.stepper.step()
    assert run.events() == [(1, "accepted", "none")]
    assert [int(m["price"]) for m in run.read("fills")] == [1_005]


def test_a_group_that_never_ends_does_not_block_requests_for_ever(run):
    run.snapshot(0, 990, 1_010)
    run.snapshot(1, 990, 1_010)
    run.step()
    run.order(1, instrument=0)
    run.step()
    run.events()
    run.send("l2", instrument=0, side=ASK, price=1_005, volume=5, flags=FIRST)
    run.send("requests", order_id=1, instrument=0, kind=CANCEL)
    run.order(2, instrument=0)
    run.order(3, instrument=1)
    run.stepper.step()
    east = run.stepper.actors[0]
    east.context["waited"] = exchange.PATIENCE - 1
    run.stepper.step()
    assert run.events() == []
    run.stepper.step()
    none = "none"
    assert run.events() == [
        (1, "canceled", none),
        (2, "rejected", "no-book"),
        (3, "accepted", none),
    ]


@pytest.mark.parametrize("run", [{"capacities": {"l2": 16}}], indirect=True)
def test_books_that_lost_updates_wait_for_a_snapshot(run):
    run.snapshot(0, 990, 1_010)
    run.step()
    run.order(1, price=1_000)
    run.step()
    run.events()
    for _ in range(40):  # more than the queue holds
        run.send("l2", instrument=0, side=ASK, price=1_020, volume=5, flags=FIRST | LAST)
    run.order(2, price=1_000)
    run.send("trades", instrument=0, side=ASK, price=1_000, volume=3)
    run.step()
    overruns = [m for m in run.read("events") if m["kind"] == enums.EVENT_OVERRUN]
    assert {(int(m["venue"]), int(m["value"]), int(m["detail"])) for m in overruns} == {
        (0, 40 - 16, exchange.UPDATES),
        (1, 40 - 16, exchange.UPDATES),
    }
    assert run.events() == [(2, "rejected", "no-book")]

    run.send("trades", instrument=0, side=ASK, price=1_000, volume=3)
    run.send("l2", instrument=0, side=ASK, price=995, volume=5, flags=FIRST | LAST)
    run.step()
    assert run.read("fills") == []

    run.snapshot(0, 980, 998, volume=4)
    run.step()
    (fill,) = run.read("fills")
    assert (fill["order_id"], fill["price"], fill["volume"]) == (1, 1_000, 4)
    run.order(3, price=970)
    run.step()
    assert run.events() == [(3, "accepted", "none")]


@pytest.mark.parametrize("run", [{"capacities": {"trades": 16, "requests": 16}}], indirect=True)
def test_lost_trades_and_requests_are_counted_and_nothing_is_made_up(run):
    run.snapshot(0, 990, 1_010)
    run.step()
    run.order(1, price=1_000, volume=100)
    run.step()
    for _ in range(20):
        run.send("trades", instrument=0, side=ASK, price=1_000, volume=1)
    for number in range(20):
        run.order(10 + number, price=900, volume=1)
    run.step()
    lost = {(int(m["venue"]), int(m["detail"])): int(m["value"]) for m in run.read("events")}
    assert lost == {(v, i): 4 for v in (0, 1) for i in (exchange.TRADES, exchange.REQUESTS)}
    assert sum(int(m["volume"]) for m in run.read("fills")) == 16
    assert len(run.events()) == 1 + 16


def test_it_goes_on_answering_while_the_run_is_canceled(run):
    run.snapshot(0, 990, 1_010)
    run.order(1, price=1_000)
    run.step()
    run.stepper.control.record["state"] = CANCELING
    run.send("requests", order_id=1, instrument=0, kind=CANCEL)
    run.order(2, price=1_000, kind=NEW)
    run.step()
    assert run.events()[1:] == [(1, "canceled", "none"), (2, "accepted", "none")]


@pytest.mark.parametrize("run", [{"options": MockOptions(orders_max=3)}], indirect=True)
def test_it_allows_as_many_open_orders_as_it_is_told(run):
    run.snapshot(0, 990, 1_010)
    for order_id in range(1, 6):
        run.order(order_id, price=900)
    run.step()
    assert [reason for _, _, reason in run.events()] == ["none"] * 3 + ["too-many-orders"] * 2


def test_updates_and_trades_are_taken_in_the_order_of_their_origins(run):
    run.snapshot(0, 990, 1_010)
    run.order(1, price=1_000, volume=10)
    run.step()
    run.send("trades", instrument=0, side=ASK, price=1_000, volume=3, trade_id=1, ts_exchange=1)
    terms = {"instrument": 0, "side": ASK, "flags": FIRST | LAST, "sequence": 2, "ts_exchange": 2}
    run.send("l2", price=1_000, volume=4, **terms)
    run.send("trades", instrument=0, side=ASK, price=1_000, volume=9, trade_id=3, ts_exchange=3)
    run.step()
    assert [(int(m["trade_id"]), int(m["volume"])) for m in run.read("fills")] == [
        (1, 3),
        (2, 4),
        (3, 3),
    ]


def test_its_work_is_timed_and_idle_steps_are_not(run):
    run.snapshot(0, 990, 1_010)
    run.send("trades", instrument=0, side=ASK, price=1_000, volume=3)
    run.order(1)
    run.step()
    attached = timers.attach(run.stepper.run, "east")
    counts = {line["name"]: line["count"] for line in attached.summary(1.0)}
    assert (counts["market"], counts["request"]) == (1, 1)


def test_wrong_settings_are_refused_by_name():
    tables = make_tables()
    with pytest.raises(LookupError, match="'north'"):
        MockExchange("x", "north", tables, {})
    with pytest.raises(LookupError, match="'EUR'"):
        MockExchange("x", "east", tables, {"EUR": "1"})
    with pytest.raises(ValueError, match="BTC"):
        MockExchange("x", "east", tables, {"BTC": "-1"})
    with pytest.raises(ValueError, match=r"1\.123456789"):
        MockExchange("x", "east", tables, {"BTC": "1.123456789"})
    with pytest.raises(ValueError, match="orders_max 0"):
        MockOptions(orders_max=0)
    with pytest.raises(ValueError, match="orders_max"):
        MockOptions(orders_max=ORDERS_MAX + 1)


@pytest.mark.needs_jit
def test_every_function_of_the_room_is_compiled_once(run):
    from mantra.exchanges.mock import accounts, market, matching, orders, reports, requests

    run.snapshot(0, 990, 1_010)
    run.order(1, price=1_020)
    run.step()
    assert JIT
    for module in (accounts, market, matching, orders, reports, requests, exchange):
        for name, function in vars(module).items():
            if getattr(function, "__module__", "") == module.__name__:
                signatures = getattr(function, "signatures", [])
                assert len(signatures) <= 1, f"{module.__name__}.{name}: {signatures}"
