"""The actor keeps books and positions, calls its model on each event, and sends what changed."""

import pytest

from mantra.icc.memory import records_at
from mantra.icc.queue import CONSUMER
from mantra.messages.enums import ASK, BID, EVENT_OVERRUN, FIRST, LAST, SNAPSHOT
from mantra.models.contract import BOOK, FILL, TRADE
from mantra.models.model_actor import BATCH
from tests.models.desk import LOT, TICK, ModelDesk

# Says what it was called with: one row an event's kind, and a row that is what the script asks.
PROBE = """
import numpy as np
from mantra.books.book import best_price
from mantra.messages.enums import ASK, BID
from mantra.models.contract import BOOK, FILL
from mantra.models.orders import want

ORDERS = 3
STATE = np.dtype([("calls", "i8")], align=True)


def on_event(event, market, state, parameters, orders):
    state["calls"] += 1
    here = market[event["at"]]
    row = here["first_row"] + event["kind"]
    if event["kind"] == BOOK:
        want(orders, row, BID, best_price(here["book"], BID), best_price(here["book"], ASK))
    elif event["kind"] == FILL:
        want(orders, row, event["side"], event["price"], here["position"] + 1000)
    else:
        want(orders, row, event["side"], here["last_price"], event["volume"])
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "probe.py"
    path.write_text(PROBE)
    return path


@pytest.fixture
def desk(probe):
    with ModelDesk(probe, instruments=(2, 0), index=5) as desk:
        yield desk


def calls(desk):
    return int(desk.actor.state["calls"][0])


def test_a_model_is_called_once_a_group_with_a_consistent_book(desk):
    desk.levels([(BID, 100, 7), (BID, 90, 7), (ASK, 120, 7)])
    desk.run()
    assert calls(desk) == 1
    assert desk.wanted()[3 + BOOK] == (BID, 100, 120)
    desk.level(BID, 110, 7, FIRST)
    desk.run()
    assert calls(desk) == 1
    desk.level(ASK, 130, 7, LAST)
    desk.run()
    assert desk.wanted()[3 + BOOK] == (BID, 110, 120)


def test_each_instrument_has_a_book_and_rows_of_its_own(desk):
    desk.levels([(BID, 100, 7), (ASK, 120, 7)], instrument=0)
    desk.levels([(BID, 500, 7), (ASK, 520, 7)], instrument=2)
    desk.levels([(BID, 1, 7), (ASK, 2, 7)], instrument=1)  # not the model's
    desk.trade(510, 4, instrument=2)
    desk.run()
    assert calls(desk) == 3
    assert desk.wanted() == [(BID, 500, 520), (BID, 510, 4), None, (BID, 100, 120), None, None]
    assert [int(desk.row(row)[1]["instrument"]) for row in range(6)] == [2, 2, 0, 0, 0, 0]
    market = desk.actor.market
    assert market["instrument"].tolist() == [2, 0]
    assert (market["tick_size"] == TICK).all()
    assert (market["lot_size"] == LOT).all()


def test_a_trade_sets_the_last_price_before_the_model_is_called(desk):
    desk.trade(117, 9, side=ASK)
    desk.run()
    assert desk.wanted()[3 + TRADE] == (ASK, 117, 9)
    assert desk.actor.market["last_price"].tolist() == [0, 117]


def test_positions_are_from_own_fills_only(desk):
    desk.fill(40, BID, model=5)
    desk.fill(15, ASK, model=5)
    desk.fill(700, BID, model=4)
    desk.fill(700, ASK, model=0)
    desk.fill(3, ASK, instrument=2, model=5)
    desk.run()
    assert desk.actor.market["position"].tolist() == [-3, 25]
    assert calls(desk) == 3
    assert desk.wanted()[3 + FILL] == (ASK, 100, 1025)


def test_a_row_is_sent_only_when_the_model_changed_it(desk):
    desk.levels([(BID, 100, 7), (ASK, 120, 7)])
    desk.run()
    first, _ = desk.row(3 + BOOK)
    desk.levels([(BID, 90, 3)])  # the touch stays: the model wants what it wanted
    desk.run()
    assert calls(desk) == 2
    assert desk.row(3 + BOOK)[0] == first
    desk.levels([(BID, 101, 3)])
    desk.run()
    assert desk.row(3 + BOOK)[0] > first
    assert all(desk.row(row)[0] == desk.row(0)[0] for row in (1, 2, 4, 5))


def test_what_is_sent_carries_the_origin_of_the_message_that_caused_it(desk):
    desk.say("trades", ts_origin=12345, price=9, volume=1)
    desk.run()
    assert desk.row(3 + TRADE)[1]["ts_origin"] == 12345


def test_fills_are_handled_before_levels_and_levels_before_trades(desk):
    desk.trade(1, 1)
    desk.levels([(BID, 100, 7), (ASK, 120, 7)])
    desk.fill(10, model=5)
    kinds = []
    while desk.stepper.step():
        kinds.append(int(desk.actor.context[0]["call"]["event"]["kind"]))
    assert kinds == [FILL, BOOK, TRADE]  # a step each, as each changed a row


def test_a_step_ends_when_rows_changed_or_after_a_batch_of_each_queue(desk):
    desk.levels([(BID, 100, 7), (ASK, 120, 7)])
    for _ in range(1 + BATCH + 10):
        desk.trade(1, 1)
    for volume in (3, 4):  # another model's change no rows
        desk.fill(volume, model=4)
    assert [desk.stepper.step() for _ in range(5)] == [2 + 2, 1, BATCH, 10, 0]
    assert calls(desk) == 1 + 1 + BATCH + 10


# ---------------------------------------------------------------- levels lost


@pytest.fixture
def small(probe):
    with ModelDesk(probe, instruments=(0, 1), capacities={"l2": 16}) as desk:
        yield desk


BOTH_SIDES = [(BID, 100, 7), (ASK, 120, 7)]


def overrun(desk, groups=20):
    """More levels than the queue holds; returns how many were lost."""
    for _ in range(groups):
        desk.levels([(BID, 90, 1)])
    desk.run()
    (event,) = desk.events()
    assert event["kind"] == EVENT_OVERRUN
    return int(event["value"])


def test_lost_levels_are_told_to_the_last_one(small):
    small.levels(BOTH_SIDES)
    small.run()
    consumer = records_at(int(small.actor.context["inlets"][0, 0]), 1, CONSUMER)[0]
    lost = overrun(small)
    assert lost >= 4
    assert (lost, 2 + 20) == (consumer["lost"], consumer["next"])
    again = overrun(small, 40)  # only what was lost since
    assert (lost + again, 2 + 20 + 40) == (consumer["lost"], consumer["next"])


def test_after_lost_levels_nothing_is_wanted_until_a_snapshot(small):
    small.levels(BOTH_SIDES)
    small.levels(BOTH_SIDES, instrument=1)
    small.run()
    assert small.wanted()[BOOK] == (BID, 100, 120)
    overrun(small)
    called = calls(small)
    assert small.wanted() == [None] * 6
    small.levels(BOTH_SIDES)
    small.run()
    assert calls(small) == called
    assert small.wanted() == [None] * 6
    small.levels([(BID, 80, 7), (ASK, 130, 7)], snapshot=True)
    small.levels(BOTH_SIDES, instrument=1)
    small.run()
    assert calls(small) == called + 1
    assert small.wanted() == [(BID, 80, 130), None, None, None, None, None]


def test_the_same_order_is_sent_again_after_an_overrun_withdrew_it(small):
    small.levels(BOTH_SIDES)
    small.run()
    overrun(small)
    small.levels(BOTH_SIDES, snapshot=True)
    small.run()
    assert small.wanted()[BOOK] == (BID, 100, 120)


def test_the_rest_of_a_snapshot_whose_beginning_was_lost_is_no_snapshot(small):
    small.levels(BOTH_SIDES)
    small.run()
    overrun(small)
    called = calls(small)
    small.level(BID, 70, 7, SNAPSHOT)
    small.level(ASK, 140, 7, SNAPSHOT | LAST)
    small.run()
    assert calls(small) == called
    assert small.wanted()[BOOK] is None


def test_a_model_that_lost_fills_wants_nothing_for_good_and_says_so(probe):
    with ModelDesk(probe, instruments=(0, 1), capacities={"fills": 4}) as desk:
        desk.levels(BOTH_SIDES, snapshot=True)
        desk.run()
        assert any(desk.wanted())
        for _ in range(10):
            desk.fill(3)
        desk.run()
        (event,) = desk.events()
        assert (event["kind"], event["value"]) == (EVENT_OVERRUN, 6)
        desk.levels(BOTH_SIDES, snapshot=True)
        desk.run()
        assert not any(desk.wanted())


def test_lost_trades_are_told_and_the_model_goes_on(probe):
    with ModelDesk(probe, instruments=(0, 1), capacities={"trades": 4}) as desk:
        for _ in range(10):
            desk.trade(1, 1)
        desk.run()
        (event,) = desk.events()
        assert (event["kind"], event["value"]) == (EVENT_OVERRUN, 6)
        desk.levels(BOTH_SIDES, snapshot=True)
        desk.run()
        assert any(desk.wanted())
