"""Arrays in the place of queues: what is sent is there once, stamped, in order."""

import numpy as np

from mantra.backtest.sink import CAPACITY, Sink
from mantra.icc.memory import address_of, aligned_zeros
from mantra.market_data.take import LEVELS_MAX
from mantra.messages.records import L2_UPDATE
from mantra.telemetry.tracked import send


def test_what_is_sent_is_taken_once_with_the_clocks_stamp():
    clock = np.array([1234])
    sink = Sink(address_of(clock))
    outlets = {name: sink.outlet(name) for name in ("l2", "trades")}
    sink.track["origin"] = 1234
    update = aligned_zeros(1, L2_UPDATE)
    for turn in range(2):
        for price in (5, 6, 7):
            update["price"] = price + turn
            send(sink.track_address, address_of(outlets["l2"]), address_of(update))
        rows = sink.take("l2")
        assert rows["price"].tolist() == [5 + turn, 6 + turn, 7 + turn]
        assert rows["ts_origin"].tolist() == [1234] * 3
        assert rows["published"].tolist() == [0] * 3
    assert len(sink.take("l2")) == len(sink.take("trades")) == 0


def test_the_largest_message_fits_behind_the_most_that_is_left_there():
    assert CAPACITY >= 2 * LEVELS_MAX
