"""Rate limits against a count of every window; the bounds of the back-off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantra.transport.limits import BACK_OFF_FIRST_S, BACK_OFF_MAX_S, RateLimit, back_off_s


@given(
    st.integers(1, 6),
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 3)), max_size=60),
)
def test_no_window_has_more_than_the_limit(limit, seconds, arrivals):
    rate, now, sent = RateLimit(limit + 2, seconds), 0, []  # whole seconds: no rounding
    for pause, weight in arrivals:
        now += pause
        now += rate.wait_s(now, weight)
        assert rate.wait_s(now, weight) == 0
        rate.take(now, weight)
        sent.append((now, weight))
    for at, _ in sent:
        assert sum(weight for t, weight in sent if at - seconds < t <= at) <= limit + 2


def test_waits_just_as_long_as_needed():
    rate = RateLimit(2, 10.0)
    rate.take(0.0)
    assert rate.wait_s(1.0) == 0
    rate.take(4.0)
    assert rate.wait_s(5.0) == 5.0
    assert rate.wait_s(5.0, weight=2) == 9.0
    assert rate.wait_s(10.0) == 0


def test_a_venue_that_blocks_us_is_obeyed():
    rate = RateLimit(2, 10.0)
    rate.block(30.0)
    rate.block(20.0)
    assert rate.wait_s(5.0) == 25.0
    assert rate.wait_s(30.0) == 0


def test_back_off_doubles_up_to_a_bound_and_draws_from_all_of_it():
    assert [back_off_s(n, lambda: 1.0) for n in range(4)] == [
        BACK_OFF_FIRST_S * factor for factor in (1, 2, 4, 8)
    ]
    assert back_off_s(10_000, lambda: 1.0) == BACK_OFF_MAX_S
    assert back_off_s(3, lambda: 0.25) == pytest.approx(1.0)
    assert back_off_s(3, lambda: 0.0) == 0
