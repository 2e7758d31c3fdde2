"""Reports: one after the other, due at once, bounded."""

import pytest

from mantra.exchanges.mock.layout import REPORTS_MAX, TO_BALANCES, TO_ORDERS
from mantra.exchanges.mock.reports import new_report, report_balance
from mantra.exchanges.mock.state import ExchangeState, MockOptions
from tests.exchanges.mock.scenarios import make_tables


@pytest.fixture
def state() -> ExchangeState:
    return ExchangeState(0, make_tables(), {1: 500}, MockOptions())


def test_reports_are_due_at_the_venues_time(state):
    state.head["ts_exchange"] = 77
    report_balance(state.head, 1, 42)
    new_report(state.head, TO_ORDERS)
    assert state.head["waiting"] == 2
    assert state.reports["due_at"][:2].tolist() == [77, 77]
    assert state.reports["queue"][:2].tolist() == [TO_BALANCES, TO_ORDERS]


def test_more_reports_than_one_event_can_cause_are_a_programming_error(state):
    state.head["waiting"] = REPORTS_MAX
    with pytest.raises(AssertionError, match="more reports"):
        new_report(state.head, TO_ORDERS)
