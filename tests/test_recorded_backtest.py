"""Real recorded market data through the whole engine, in real processes; each fill explained."""

import os
from pathlib import Path

import numpy as np
import pytest

from mantra.archive import ArchiveReader
from mantra.backtest.default_config import config_for_archive
from mantra.backtest.importer import import_captures
from mantra.books.book import apply_update, best_price, new_book, next_price, volume_at
from mantra.icc.memory import address_of, aligned_zeros
from tests.explain import apply_naively, as_dicts, explain_balances, explain_fills
from tests.recorded_runs import run_config

DATA = Path(os.environ.get("MANTRA_DATA", Path(__file__).parents[2] / "shared" / "data"))
COLLECTOR = DATA / "binance-collector"
CAPTURES = {
    "spot": ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"],
    "usdm": ["usdm_btcusdt_20240808.gz"],
}
# Levels and trades there are in the captures: counted once, by the importer's own tests.
SIZES = {"spot": (300_094, 19_904), "usdm": (445_262, 21_313)}
STAMPS = ("ts_origin", "published")

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]


@pytest.fixture(scope="module", params=CAPTURES)
def backtest(request, tmp_path_factory):
    """(name of the capture, reader of what was imported, the run)."""
    files = [COLLECTOR / name for name in CAPTURES[request.param]]
    if missing := [file.name for file in files if not file.exists()]:
        pytest.skip(f"no recorded data {', '.join(missing)} under {COLLECTOR} (MANTRA_DATA)")
    imported = tmp_path_factory.mktemp(request.param) / "imported"
    import_captures(files, imported)
    changes = {"run.directory": str(imported.parent), "source.speed": "max"}
    run = run_config(config_for_archive(imported, "quoter", changes))
    return request.param, ArchiveReader(imported), run


def test_nothing_is_lost_and_nobody_complains(backtest):
    _, imported, run = backtest
    assert (run.report["lost"], run.report["problems"]) == (0, [])
    assert run.report["ended"] == "end of data"
    assert not imported.damages
    recorded = ArchiveReader(run.directory / "archive").metadata["recorded"]
    assert {queue for queue, counts in recorded.items() if counts["lost"]} == set()


def test_no_request_was_malformed(backtest):
    _, _, run = backtest
    assert not set(run.report["reasons"]) - {"would-take", "unknown-order"}, run.report["reasons"]


@pytest.mark.parametrize("stream", ["l2", "trades"])
def test_every_imported_message_arrives_as_it_was_and_in_order(backtest, stream):
    name, imported, run = backtest
    before, after = imported.read(stream), run.rows(stream)
    assert len(before) == len(after) == SIZES[name][stream == "trades"]
    for field in before.dtype.names:
        if field not in STAMPS:
            assert np.array_equal(before[field], after[field]), field


def test_origins_rise_in_the_run(backtest):
    _, _, run = backtest
    assert (np.diff(run.rows("l2")["ts_origin"]) >= 0).all()


def test_the_book_rebuilt_from_the_runs_recording_ends_as_a_naive_one(backtest):
    _, imported, run = backtest
    naive = ({}, {})
    for update in as_dicts(imported.read("l2")):
        apply_naively(naive, update)
    book, row = new_book(), aligned_zeros(1, imported.dtype("l2"))
    for recorded in run.rows("l2"):
        row[0] = recorded
        apply_update(book.address, address_of(row))
    for side in (0, 1):
        levels, price = {}, best_price(book.address, side)
        while price:
            levels[price] = volume_at(book.address, side, price)
            price = next_price(book.address, side, price)
        assert levels == naive[side]
        assert len(levels) > 100


def test_every_fill_has_a_cause_in_the_market(backtest):
    _, _, run = backtest
    causes = explain_fills(run)
    assert causes["trade"] > 100
    assert causes["taken"] == 0, "the quoter posts only"
    assert sum(causes.values()) == run.report["fills"]


def test_every_balance_follows_from_the_fills(backtest):
    _, _, run = backtest
    totals = explain_balances(run, 0)
    assert set(totals) == {int(run.tables.instruments[0][role]) for role in ("base", "quote")}
