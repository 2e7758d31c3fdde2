"""The explainer finds what cannot be explained: each kind of lie about a run is caught."""

import pytest

from mantra.messages.enums import CANCELED
from tests.explain import explain_balances, explain_fills
from tests.recorded_runs import Run, example_run

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]


class Lying(Run):
    """A run that says something else on one stream."""

    lies = ("", None)

    def rows(self, stream):
        rows = super().rows(stream)
        if stream == self.lies[0]:
            rows = self.lies[1](rows)
        return rows


def lying(run, stream, edit):
    liar = Lying(run.directory, run.report, run.config, run.tables)
    liar.lies = (stream, edit)
    return liar


def add(field, change, at=20, where=None):
    def edit(rows):
        index = at if where is None else int(where(rows).nonzero()[0][0])
        rows[field][index] += change
        return rows

    return edit


def halve(field):
    def edit(rows):
        rows[field] //= 2
        return rows

    return edit


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return example_run(tmp_path_factory)


@pytest.mark.parametrize(
    ("stream", "edit"),
    [
        ("fills", add("price", 1)),
        ("fills", add("volume", 1)),
        ("fills", add("leaves", -1)),
        ("fills", add("model", 1)),
        ("fills", add("side", 1, where=lambda rows: rows["side"] == 0)),
        ("fills", add("trade_id", 10**9)),  # the next one might be of the same order and price
        ("fills", add("price", -1, where=lambda rows: rows["liquidity"] == 1)),
        ("fills", lambda rows: rows[[*range(10), *range(9, len(rows))]]),  # one twice
        ("trades", halve("volume")),
        ("l2", halve("volume")),
        ("orders", add("leaves", 1, where=lambda rows: rows["event"] == CANCELED)),
        ("requests", halve("volume")),
    ],
)
def test_a_fill_without_a_cause_is_found(run, stream, edit):
    with pytest.raises((AssertionError, KeyError)):
        explain_fills(lying(run, stream, edit))


@pytest.mark.parametrize(
    ("stream", "edit"),
    [
        ("fills", add("fee", 1)),
        ("fills", add("volume", 1)),
        ("fills", lambda rows: rows[1:]),
        ("balances", add("total", 1)),
        ("balances", add("held", 1, at=-1)),
        ("balances", add("order_id", 1, where=lambda rows: rows["order_id"] > 0)),
    ],
)
def test_a_balance_that_no_fill_made_is_found(run, stream, edit):
    liar = lying(run, stream, edit)
    with pytest.raises((AssertionError, KeyError, IndexError)):
        explain_all_balances(liar)


def explain_all_balances(run):
    for venue in run.config.venues:
        explain_balances(run, run.tables.venue(venue.name))


def test_the_truth_is_explained(run):
    explain_fills(run)
    explain_all_balances(run)
