"""What a model says lands in its row, and nowhere else."""

import pytest

from mantra.icc.memory import aligned_zeros
from mantra.messages.enums import ASK, BID, GTC, IOC, LIMIT, MARKET, POST_ONLY
from mantra.messages.records import IDEAL_ORDER
from mantra.models.orders import want, want_nothing, want_now

FIELDS = ("side", "price", "volume", "type", "time_in_force", "revision")


@pytest.fixture
def orders():
    return aligned_zeros(3, IDEAL_ORDER)


def said(orders, row=1):
    assert all(not orders[other].tobytes().strip(b"\0") for other in {0, 1, 2} - {row})
    return tuple(int(orders[row][name]) for name in FIELDS)


def test_an_order_is_wanted_until_it_is_changed(orders):
    want(orders, 1, ASK, 117, 5, POST_ONLY)
    assert said(orders) == (ASK, 117, 5, LIMIT, POST_ONLY, 0)
    want(orders, 1, BID, 118, 6, GTC)
    assert said(orders) == (BID, 118, 6, LIMIT, GTC, 0)


def test_good_till_canceled_is_the_default(orders):
    want(orders, 1, BID, 118, 6)
    assert said(orders) == (BID, 118, 6, LIMIT, GTC, 0)


def test_wanting_now_raises_the_revision_each_time(orders):
    for revision in (1, 2, 3):
        want_now(orders, 1, ASK, 117, 5, IOC)
        assert said(orders) == (ASK, 117, 5, LIMIT, IOC, revision)


def test_a_price_of_0_is_a_market_order(orders):
    want_now(orders, 1, BID, 0, 5, IOC)
    assert said(orders) == (BID, 0, 5, MARKET, IOC, 1)
    want(orders, 1, BID, 9, 5)
    assert said(orders)[3] == LIMIT


def test_wanting_nothing_is_a_volume_of_0(orders):
    want(orders, 1, ASK, 117, 5)
    want_nothing(orders, 1)
    assert said(orders) == (ASK, 117, 0, LIMIT, GTC, 0)
