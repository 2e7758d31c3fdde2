"""The order in which a mock exchange takes from its two queues of market data."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mantra.replay_actor.exchange import common_order

ORIGINS = st.lists(st.integers(0, 20), max_size=12)


def naive_order(updates, trades):
    """Heads compared, one by one: of equal origins the trade first."""
    updates, trades, order = list(updates), list(trades), []
    while updates or trades:
        is_trade = bool(trades) and (not updates or trades[0] <= updates[0])
        (trades if is_trade else updates).pop(0)
        order.append(is_trade)
    return order


@given(ORIGINS, ORIGINS)
def test_it_is_that_of_comparing_heads_even_where_origins_do_not_rise(updates, trades):
    found = common_order(np.array(updates, np.int64), np.array(trades, np.int64))
    assert found.tolist() == naive_order(updates, trades)
