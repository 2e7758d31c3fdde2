"""Several models and venues in one run do not get in each other's way: from its recording."""

from collections import Counter, defaultdict

import pytest

from mantra.messages.decimals import format_decimal, to_units
from mantra.messages.enums import BID
from tests.explain import as_dicts, explain_balances, explain_fills, new_orders
from tests.recorded_runs import example_run

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return example_run(tmp_path_factory)


def test_the_run_is_whole_and_all_models_traded(run):
    assert (run.report["lost"], run.report["problems"]) == (0, [])
    traded = Counter(fill["model"] for fill in as_dicts(run.rows("fills")))
    assert set(traded) == set(range(len(run.config.models)))


def test_an_order_is_one_models_on_one_instrument_whatever_is_said_of_it(run):
    owners = {}
    for stream in ("requests", "orders", "fills"):
        for row in as_dicts(run.rows(stream)):
            of_order = (row["model"], row["instrument"])
            assert owners.setdefault(row["order_id"], of_order) == of_order, (stream, row)
    assert set(owners) == set(new_orders(run))


def test_a_model_trades_its_own_instruments_only(run):
    names = run.tables.instrument_names()
    for stream in ("ideals", "requests", "orders", "fills"):
        for row in as_dicts(run.rows(stream)):
            model = run.config.models[row["model"]]
            assert names[row["instrument"]] in model.instruments, (stream, row)


def test_a_row_of_one_model_never_becomes_a_request_of_another(run):
    fields = ("model", "row", "instrument", "side", "type", "time_in_force", "price", "volume")
    wanted = {tuple(ideal[f] for f in fields) for ideal in as_dicts(run.rows("ideals"))}
    for order in new_orders(run).values():
        assert tuple(order[f] for f in fields) in wanted, order


def test_every_fill_has_a_cause_in_its_own_market(run):
    causes = explain_fills(run)
    assert causes["trade"] > 10
    assert causes["taken"] > 10
    assert sum(causes.values()) == run.report["fills"]


@pytest.mark.parametrize("index", [0, 1])
def test_a_venues_balances_move_by_its_own_fills_and_fees_only(run, index):
    venue = run.config.venues[index]
    rows = as_dicts(run.rows("balances"))
    begun = {}
    for row in rows:
        if row["venue"] == index and row["order_id"] == 0:
            begun[run.tables.assets[row["asset"]]["name"].decode()] = row["total"]
    given = {
        name: to_units(amount, int(run.tables.assets[run.tables.asset(name)]["exponent"]))
        for name, amount in venue.balances.items()
    }
    assert {name: total for name, total in begun.items() if total} == given
    explain_balances(run, run.tables.venue(venue.name))


def test_positions_are_the_sums_of_the_models_fills(run):
    positions = defaultdict(int)
    for fill in as_dicts(run.rows("fills")):
        change = fill["volume"] if fill["side"] == BID else -fill["volume"]
        positions[run.config.models[fill["model"]].name, fill["instrument"]] += change
    told = {(p["model"], p["instrument"]): p["position"] for p in run.report["positions"]}
    assert len(told) >= len(run.config.models)
    assert told == {
        (model, run.tables.instrument_name(instrument)): format_decimal(
            volume, int(run.tables.instruments[instrument]["volume_exponent"])
        )
        for (model, instrument), volume in positions.items()
    }
