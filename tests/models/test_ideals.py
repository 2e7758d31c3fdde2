"""What a model wanted, told on [ideals]: every row it wrote, as it wrote it, a step later."""

import numpy as np
import pytest

from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many
from mantra.icc.seqlock_vector import try_read_row
from mantra.messages.enums import ASK, BID
from mantra.messages.records import IDEAL_ORDER, TIMING
from mantra.models.model_actor import UNTOLD_MAX, send_ideal
from tests.models.desk import ModelDesk

ROWS = 4


@pytest.fixture
def desk():
    with ModelDesk("quoter", instruments=(0, 1), index=3) as desk:
        yield desk


def told(desk, queue="ideals", record=IDEAL_ORDER):
    """All messages of a queue so far."""
    found = queue_segment.attach(desk.stepper.run, queue, record)
    consumer = queue_segment.consumer(found, "test", from_oldest=True, shown=False)
    rows = aligned_zeros(1024, record)
    return rows[: consume_many(address_of(consumer), address_of(rows), len(rows))].copy()


def step(desk):
    return desk.actor.step(desk.actor.context_address)


def quote(desk, bid, instrument=0, snapshot=True):
    desk.levels([(BID, bid, 9), (ASK, bid + 40, 9)], instrument, snapshot)


def test_a_row_is_told_at_the_next_step_as_it_stands_in_the_cache(desk):
    quote(desk, 1000)
    assert step(desk) == 2
    assert len(told(desk)) == 0
    assert step(desk) == 0
    rows = told(desk)
    assert rows["row"].tolist() == list(range(ROWS))
    assert set(rows["model"]) == {3}
    cached = aligned_zeros(1, IDEAL_ORDER)
    for row in rows:
        try_read_row(address_of(desk.script.cache), int(row["row"]), address_of(cached))
        assert cached[0] == row
        assert row["volume"] > 0


def test_rows_of_a_second_instrument_bear_their_own_numbers(desk):
    quote(desk, 1000, instrument=1)
    desk.run()
    step(desk)
    assert told(desk)["row"].tolist() == list(range(ROWS, 2 * ROWS))


def test_what_was_overwritten_before_anybody_looked_is_told_as_well(desk):
    for bid in (1000, 2000, 3000):
        quote(desk, bid)
    desk.run()
    step(desk)
    rows = told(desk)
    assert len(rows) == 3 * ROWS
    prices = rows["price"][rows["row"] == 0].tolist()
    assert prices == sorted(prices)
    assert len(set(prices)) == 3


def test_nothing_is_told_twice_or_of_an_unchanged_wish(desk):
    quote(desk, 1000)
    quote(desk, 1000)
    desk.run()
    for _ in range(3):
        step(desk)
    assert len(told(desk)) == ROWS


def test_the_last_words_are_told_at_the_end(desk):
    quote(desk, 1000)
    step(desk)
    desk.actor.on_stop()
    assert len(told(desk)) == ROWS


def test_more_rows_than_can_wait_are_told_at_once(desk):
    for _ in range(UNTOLD_MAX + 5):
        send_ideal(desk.actor.context[0], np.int64(1), np.int64(1))
    assert len(told(desk)) == UNTOLD_MAX
    step(desk)
    assert len(told(desk)) == UNTOLD_MAX + 5


def test_a_timing_says_how_many_levels_were_taken_by_then(desk):
    quote(desk, 1000)
    quote(desk, 1000, instrument=2)  # not the model's, but on the queue
    desk.say("trades", instrument=0, price=1000, volume=1)
    quote(desk, 1010)
    desk.run()
    step(desk)
    timings = told(desk, "timings-model", TIMING)
    of_levels = timings["detail"][timings["timer"] == 0].tolist()
    assert of_levels == [2, 6]
    assert set(timings["detail"][timings["timer"] == 1]) <= {2, 4, 6}
