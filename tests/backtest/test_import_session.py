"""The second pass: how books begin, what is skipped, refused and counted."""

import json

import pytest

from tests.backtest.made_captures import (
    T0,
    TICKER,
    depth,
    import_made,
    snapshot,
    trade,
)


@pytest.fixture
def run(tmp_path):
    return lambda *captures, **options: import_made(tmp_path, *captures, **options)


def test_messages_before_the_snapshot_wait_and_follow_it(run):
    done = run(
        [
            depth(5, 8, "10.1:1"),
            depth(9, 12, "10.2:2"),
            snapshot(10, "10:7.5 9.9:1", "11:3"),
            depth(13, 13, "", "11:0"),
            trade(1, "10.5", "2"),
            TICKER,
        ]
    )
    assert done.groups() == [
        "10*: b100x75 b99x10 a110x30;",
        "12: b102x20;",
        "13: a110x0;",
    ]
    assert done.report.messages == {"depth": 3, "snapshot": 1, "trade": 1, "book ticker": 1}
    assert done.report.skipped == {"depth before the snapshot": 1, "book ticker": 1}
    assert (done.report.lines, done.report.levels, done.report.trades) == (6, 5, 1)
    assert (done.report.gaps, done.report.refused, done.report.empty_starts) == ([], {}, [])
    assert done.l2["ts_origin"].tolist() == [T0 + 2] * 4 + [T0 + 3], "held ones have its time"
    assert done.metadata["clock"] == "utc_ns"
    trades = [tuple(map(int, row)) for row in done.trades[["price", "volume", "trade_id"]]]
    assert trades == [(105, 20, 1)]
    assert done.trades["ts_origin"].tolist() == [T0 + 4]
    assert done.trades["ts_exchange"].tolist() == [5 * 10**6]


def test_a_book_without_a_snapshot_begins_empty_and_says_where(run):
    done = run([TICKER, depth(5, 6), depth(7, 8, "10:1"), depth(9, 9, "", "11:1")])
    assert done.groups() == ["8*: b10x1;", "9: a11x1;"]
    assert done.report.empty_starts == [("0.gz", 2, "BTCUSDT@binance")]
    assert done.report.skipped == {"depth without levels": 1, "book ticker": 1}


def test_a_gap_is_counted_and_the_book_waits_for_the_next_snapshot(run):
    done = run(
        [
            snapshot(10, "10:1", "11:1"),
            depth(11, 12, "10:2"),
            depth(15, 16, "10:3"),
            depth(17, 18, "10:4"),
            snapshot(16, "9:9", ""),
            depth(19, 19, "10:5"),
        ]
    )
    assert done.groups() == [
        "10*: b10x1 a11x1;",
        "12: b10x2;",
        "16*: b9x9;",
        "18: b10x4;",
        "19: b10x5;",
    ]
    (gap,) = done.report.gaps
    assert (gap.file, gap.line, gap.instrument, gap.missed) == ("0.gz", 3, "BTCUSDT@binance", 2)


def test_a_gap_behind_the_last_snapshot_begins_an_empty_book(run):
    done = run([snapshot(10, "10:1", "11:1"), depth(11, 12, "10:2"), depth(15, 16, "9:3")])
    assert done.groups()[-1] == "16*: b9x3;"
    assert len(done.report.gaps) == 1
    assert done.report.empty_starts == [("0.gz", 3, "BTCUSDT@binance")]


def test_a_snapshot_that_cannot_be_used_is_not_waited_for(run):
    done = run(
        [depth(1, 2, "10:1"), snapshot(2, "10.5:1", "11:1"), depth(3, 4, "10:2")],
        exponents={"BTCUSDT": (0, 0)},
    )
    assert done.report.refused == {"too precise": 1}
    assert done.groups() == ["2*: b10x1;", "4: b10x2;"]


def test_snapshots_that_could_be_of_several_instruments_are_refused(run):
    done = run([depth(1, 2, "1:1"), depth(1, 2, "1:1", symbol="ETHBTC"), snapshot(2, "1:1", "2:1")])
    assert done.report.refused == {"unknown symbol": 1}
    assert len(done.groups()) == 2


def test_bad_lines_are_counted_and_listed_with_their_numbers_and_never_stop_the_import(run):
    bad = [
        b"garbage",
        b"17231612539370857 {}",  # 17 digits
        b"%d " % T0 + b'{"stream":"btcusdt@depth","data":{"e":"depthUpd',
        b"%d " % T0 + json.dumps(depth(1, 2, "1:x")).encode(),
        b"\xff\x00",
    ]
    done = run([*bad, depth(1, 2, "1:1"), *[b"x"] * 30, depth(3, 4, "1:2")])
    assert done.report.lines == 37
    assert done.report.malformed == 35
    assert done.report.refused == {"not a line of <time> <message>": 33, "malformed": 2}
    assert [r.line for r in done.report.refusals] == [1, 2, 3, 4, 5, *range(7, 22)]
    assert done.report.refusals[3].position == bad[3].index(b'"x"')
    assert done.groups() == ["2*: b1x1;", "4: b1x2;"]


def test_trades_told_one_by_one_and_in_aggregate_are_taken_once(run):
    done = run([trade(1, "1", "1"), trade(9, "1", "1", "aggTrade"), trade(2, "1", "1")])
    assert done.trades["trade_id"].tolist() == [1, 2]
    assert done.report.skipped == {"trade told twice": 1}


def test_several_instruments_have_their_own_books_and_decimals(run):
    done = run(
        [
            depth(1, 2, "0.5:1", symbol="ETHBTC"),
            depth(100, 102, "7:1"),
            depth(3, 4, "0.25:1", symbol="ETHBTC"),
            depth(103, 103, "8:1"),
            trade(1, "0.1", "2", symbol="ETHBTC"),
        ]
    )
    assert done.report.gaps == []
    assert done.tables.instrument_names() == ["ETHBTC@binance", "BTCUSDT@binance"]
    assert done.tables.instruments["price_exponent"].tolist() == [2, 0]
    assert done.l2["instrument"].tolist() == [0, 1, 0, 1]
    assert done.l2["price"].tolist() == [50, 7, 25, 8]
