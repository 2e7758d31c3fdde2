"""Facts are measured rightly, and those the simulation claims to share it does share."""

import numpy as np
import pytest

from mantra.archive import ArchiveWriter
from mantra.bench.market_facts import compare, facts, simulated, table
from mantra.exchanges.simulated.generator import default_tables
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

MS = 1_000_000


def group(ts_ms, levels, flags=0):
    rows = np.zeros(len(levels), L2_UPDATE)
    for row, (side, price, volume) in zip(rows, levels, strict=True):
        row["side"], row["price"], row["volume"] = side, price, volume
    rows["ts_exchange"] = ts_ms * MS
    rows["flags"] = flags
    rows["flags"][0] |= FIRST
    rows["flags"][-1] |= LAST
    return rows


def trades(*rows):
    made = np.zeros(len(rows), TRADE_UPDATE)
    for row, (ts_ms, side, volume) in zip(made, rows, strict=True):
        row["ts_exchange"], row["side"], row["volume"] = ts_ms * MS, side, volume
    return made


def small_market():
    book = [(BID, 100, 5), (BID, 90, 5), (ASK, 101, 5), (ASK, 120, 5)]
    return np.concatenate(
        [
            group(0, book, SNAPSHOT),
            group(100, [(BID, 100, 7)]),
            group(150, [(BID, 100, 9), (ASK, 130, 2)]),  # the same window
            group(200, [(ASK, 101, 0), (BID, 95, 1)]),
            group(1_000, [(BID, 119, 3)]),
        ]
    )


def test_changes_in_a_window_are_merged_and_measured_against_the_book_before_it():
    deals = trades((1, BID, 10), (1, BID, 30), (5, ASK, 20), (2_001, ASK, 40), (2_001, BID, 40))
    found = facts(small_market(), deals)
    assert found["levels in 100 ms, mean"] == pytest.approx(5 / 3)
    assert found["updates that delete"] == pytest.approx(1 / 5)
    assert found["updates that add a level"] == pytest.approx(3 / 5)
    assert found["updates at the touch"] == pytest.approx(2 / 5)
    assert found["updates inside the spread"] == pytest.approx(1 / 5)
    assert found["spread of one tick, share of windows"] == pytest.approx(3 / 4)
    assert found["windows in which the middle moves"] == pytest.approx(2 / 3)
    assert found["trades of an aggressive order"] == pytest.approx(5 / 4)
    assert found["trades for a level"] == 1
    assert found["levels a second"] == pytest.approx(5 / 0.9), "a time of 0 is none"


def test_volumes_are_given_in_the_unit_asked_for():
    deals = trades((1, BID, 1_000), (2, ASK, 3_000), (3, BID, 2_000))
    assert facts(small_market(), deals, volume_unit=10)["trade volume p50"] == 200


def test_a_table_sets_columns_side_by_side():
    text = table({"a": {"x": 0.5, "y": 12_345.0}, "b": {"x": 1.0, "y": 2.0}})
    assert text.splitlines() == [
        "| fact | a | b |",
        "|---|---:|---:|",
        "| x | 0.5 | 1 |",
        "| y | 12,345 | 2 |",
    ]


# What the decision record says of Binance spot BTCUSDT, and how near the simulation is to stay.
RECORDED = {
    "updates that delete": (0.478, 0.15),
    "updates that add a level": (0.401, 0.15),
    "distance p50, ticks": (2_625, 0.3),
    "distance p90, ticks": (14_061, 0.2),
    "spread of one tick, share of windows": (0.992, 0.05),
    "level volume p50": (5_396, 0.6),
    "trade volume p50": (67, 0.3),
    "trade volume p90": (5_761, 0.3),
    "trades of an aggressive order": (2.79, 0.3),
    "side of orders, autocorrelation": (0.405, 0.4),
    "levels a second": (458, 0.2),
}


@pytest.mark.needs_jit
def test_the_simulation_shares_the_facts_it_claims_to_share():
    found = facts(*simulated(100_000))
    for name, (value, tolerance) in RECORDED.items():
        assert found[name] == pytest.approx(value, rel=tolerance), name
    assert found["aggressive orders in 1 s, Fano"] > 3


def test_an_archive_of_simulated_data_has_the_facts_of_simulated_data(tmp_path):
    l2, trades = simulated(4_000)
    with ArchiveWriter(tmp_path, {"tables": default_tables().as_dict()}) as writer:
        writer.append("l2", l2)
        writer.append("trades", trades)
    head, _, *lines = compare(str(tmp_path)).splitlines()
    assert head == "| fact | recorded | simulated |"
    assert len(lines) > 20
    for line in lines:
        _, name, recorded, of_simulated, _ = line.split("|")
        assert recorded == of_simulated, name
