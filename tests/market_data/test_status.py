"""What a handler says of itself, from its records to who reads them."""

import time

import numpy as np
import pytest

from mantra.icc import seqlock_vector
from mantra.icc.memory import address_of
from mantra.market_data import status
from mantra.market_data.status import COUNTS, VENUE_STATUS, Status, vectors
from mantra.telemetry.clock import Calibration, read_ticks
from tests.market_data.desk import FeedDesk
from tests.market_data.test_take import diff, snapshot


@pytest.fixture
def desk():
    with FeedDesk({"binance": dict.fromkeys(("BTCUSDT", "ETHUSDT"), (2, 5))}) as desk:
        desk.feed.open(0, "binance", 0, bridged=True)
        desk.feed.ask(0, 0)
        desk.feed.take(0, diff(5, 6, [(99, 1)]), read_ticks())
        desk.feed.take(0, snapshot(5, [(98, 1)], [(101, 3)]), read_ticks(), 0)
        desk.feed.take(0, diff(5, 6, [(99, 1)]), read_ticks())
        desk.feed.connections[0]["messages"], desk.feed.connections[0]["received"] = 3, read_ticks()
        yield desk


def test_counts_go_from_the_feed_to_a_reader(run, desk):
    made = [
        seqlock_vector.create(run, name, record, rows)
        for name, (record, rows) in vectors("md", 1, 2).items()
    ]
    rows = np.zeros(1, VENUE_STATUS)
    rows["streams"] = 1
    status.add_connections(rows, desk.feed.connections[:1], Calibration().fix)
    status.add_raw(rows[0], {"bytes": 10, "dropped": 2, "full": True})
    seqlock_vector.write_row(address_of(made[0].handle), 0, address_of(rows))
    status.write_followed(desk.feed.address, address_of(made[1].handle), 0, 2)
    reader = Status(run, "md")
    (venue,) = reader.venues(desk.tables)
    assert venue["phases"] == {"live": 1, "off": 1}
    assert (venue["venue"], venue["instruments"], venue["connections"]) == ("binance", 2, 1)
    assert (venue["messages"], venue["levels"], venue["gaps"]) == (3, 3, 0)
    assert (venue["raw_bytes"], venue["raw_dropped"], venue["raw_full"]) == (10, 2, 1)
    assert set(COUNTS) <= set(venue)
    of = reader.instruments(desk.tables)
    assert list(of) == ["BTCUSDT@binance"]
    assert (of["BTCUSDT@binance"]["phase"], of["BTCUSDT@binance"]["levels"]) == ("live", 3)


def test_lag_and_silence_are_of_the_newest_message(desk):
    fix = Calibration().fix
    second = int(fix["ticks_per_second"])
    links = np.repeat(desk.feed.connections[:1], 2)
    links["received"] = read_ticks() - np.array([5 * second, 2 * second])
    links["ts_exchange"] = time.time_ns() - np.array([9, 2_250]) * 1_000_000
    rows = np.zeros(1, VENUE_STATUS)
    status.add_connections(rows, links, fix)
    assert rows["connections"][0] == 2
    assert abs(rows["silent_ms"][0] - 2000) < 200
    assert abs(rows["lag_us"][0] - 250_000) < 200_000


def test_a_venue_without_connections_is_all_zeros(desk):
    rows = np.zeros(1, VENUE_STATUS)
    status.add_connections(rows, desk.feed.connections[:0], Calibration().fix)
    assert rows[0] == np.zeros(1, VENUE_STATUS)[0]
