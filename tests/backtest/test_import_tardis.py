"""Tardis' CSV: rows to groups and trades, several files as one, errors with file and line."""

import gzip
from decimal import Decimal

import numpy as np
import pytest

from mantra.backtest.captures import CaptureError
from mantra.backtest.import_tardis import HEADERS, import_tardis
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.backtest.made_captures import Imported

L2, TRADES = HEADERS
ZEROS = "0" * 8
T0 = 1_600_000_000_000_000  # µs


def level(at, side, price, amount, whole="false", symbol="BTCUSDT", exchange="binance", ts=None):
    ts = at if ts is None else ts
    return f"{exchange},{symbol},{T0 + ts},{T0 + at},{whole},{side},{price},{amount}"


def trade(at, number, side, price, amount, symbol="BTCUSDT", exchange="binance"):
    return f"{exchange},{symbol},{T0 + at},{T0 + at},{number},{side},{price},{amount}"


@pytest.fixture
def run(tmp_path):
    def run(*files: list[str], **options) -> Imported:
        paths = []
        for i, lines in enumerate(files):
            paths.append(tmp_path / f"{i}.csv")
            text = "\n".join(lines).encode() + b"\n"
            paths[-1].write_bytes(gzip.compress(text) if i % 2 else text)
        return Imported(import_tardis(paths, tmp_path / "archive", **options), tmp_path / "archive")

    return run


def test_rows_of_both_times_are_a_group_and_a_snapshot_replaces_the_book_once(run):
    done = run(
        [
            L2,
            level(1, "bid", "9", "1"),  # before the snapshot: of no use
            level(2, "bid", "10.5", "1", "true"),
            level(2, "ask", "11", "0.25", "true"),
            level(3, "ask", "12", "7", "true"),  # the same snapshot's next message
            level(4, "bid", "10.5", "0"),
            level(4, "bid", "10", "1", ts=5),  # another message, by the exchange's time
            level(6, "bid", "8", "1", "true"),
        ]
    )
    assert done.groups() == [
        f"0*: b105{ZEROS[:7]}x1{ZEROS} a11{ZEROS}x25{ZEROS[:6]};",
        f"0: a12{ZEROS}x7{ZEROS};",
        f"0: b105{ZEROS[:7]}x0;",
        f"0: b10{ZEROS}x1{ZEROS};",
        f"0*: b8{ZEROS}x1{ZEROS};",
    ]
    assert done.l2["ts_origin"].tolist() == [(T0 + t) * 1000 for t in (2, 2, 3, 4, 4, 6)]
    assert done.l2["ts_exchange"][-2] == (T0 + 5) * 1000
    assert done.report.messages == {"snapshot": 2, "depth": 3, "trade": 0}
    assert done.report.skipped == {"depth before the snapshot": 1, "trade of unknown side": 0}
    assert (done.report.lines, done.report.levels, done.report.malformed) == (8, 6, 0)
    assert done.metadata["clock"] == "utc_ns"


def test_trades_have_takers_and_numbers_where_they_are_numbers(run):
    done = run(
        [
            TRADES,
            trade(1, 7, "buy", "1.5", "2"),
            trade(2, "a-b-c", "sell", "1.25", "1e-7"),
            trade(3, "", "unknown", "1", "1"),
            trade(3, 9, "sell", "1", "1"),
        ]
    )
    assert done.trades["trade_id"].tolist() == [7, 0, 9]
    assert done.trades["side"].tolist() == [BID, ASK, ASK]
    assert done.trades["price"].tolist() == [150 * 10**6, 125 * 10**6, 10**8]
    assert done.trades["volume"].tolist() == [2 * 10**8, 10, 10**8]
    assert (done.trades["flags"] == FIRST | LAST).all()
    assert done.report.skipped["trade of unknown side"] == 1
    assert done.report.unnumbered == 2
    row = done.tables.instruments[0]
    assert [int(row[name]) for name in ("price_exponent", "tick_size")] == [8, 25 * 10**6]


def test_files_are_merged_by_local_time_whatever_their_order(run):
    first = [L2, *(level(t, "bid", t, 1, "true", "ETH-USD", "coinbase") for t in range(10, 40, 2))]
    second = [L2, *(level(t, "ask", t, 1, "true") for t in range(1, 60))]
    done = run(second, [TRADES, trade(5, 1, "buy", 1, 1, "ETH-USD", "coinbase")], first)
    assert done.tables.instrument_names() == ["BTCUSDT@binance", "ETH-USD@coinbase"]
    assert (np.diff(done.l2["ts_origin"]) >= 0).all()
    assert len(done.l2) == 59 + 15
    eth = done.l2[done.l2["instrument"] == 1]
    assert (eth["price"] // 10**8).tolist() == list(range(10, 40, 2))
    assert done.tables.venues["name"].tolist() == [b"binance", b"coinbase"]
    assert done.tables.assets["name"].tolist() == [b"BTC", b"USDT", b"ETH", b"USD"]


def test_amounts_too_large_for_the_decimals_are_read_with_others(run):
    lines = [L2, level(1, "bid", "0.0000012", 300_000_000_000, "true", "PEPEUSDT")]
    with pytest.raises(CaptureError, match=r"line 2: the volume .* does not fit its decimals"):
        run(lines)
    done = run(lines, exponents={"PEPEUSDT": (7, 0)})
    assert done.l2["volume"].tolist() == [300_000_000_000]
    assert done.l2["price"].tolist() == [12]


def test_a_clock_that_goes_back_stands_still_and_is_counted(run):
    done = run([L2, level(9, "bid", 1, 1, "true"), level(3, "bid", 2, 1)])
    assert done.l2["ts_origin"].tolist() == [(T0 + 9) * 1000] * 2
    assert done.report.clock_back == 1


BAD = {
    "binance,BTCUSDT,1,1,true,bid,1": "eight columns",
    "binance,BTCUSDT,1,1,true,bid,1,1,1": "eight columns",
    "": "eight columns",
    level(1, "", 1, 1): "side is none",
    level(1, "bid", "x", 1): "price is none, or",
    level(1, "bid", 1, "-1"): "volume is none, or",
    level(1, "bid", "0.123456789", 1): "price is none, or",
    level(1, "bid", 1, 1, "perhaps"): "is_snapshot is neither",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items())
def test_errors_name_file_and_line(run, line, reason):
    with pytest.raises(CaptureError, match=rf"0.csv: line 3: .*{reason}"):
        run([L2, level(1, "bid", 1, 1, "true"), line, level(2, "bid", 1, 1)])


def test_a_file_that_is_something_else_is_refused(run):
    with pytest.raises(CaptureError, match=r"line 1 is 'a,b'.*is_snapshot,side.* or .*id,side"):
        run(["a,b"])


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_is_the_naive_readers(run, seed, monkeypatch):
    random = np.random.default_rng(seed)
    files, expected = [], {"l2": [], "trades": []}
    monkeypatch.setattr("mantra.backtest.captures.PIECE_BYTES", 500)
    for kind in (L2, TRADES, L2):
        lines, at = [kind], 0
        for i in range(60):
            at += int(random.integers(0, 3))
            price, amount = (str(Decimal(int(n)) / 1000) for n in random.integers(1, 10**6, 2))
            symbol = ("BTCUSDT", "ETHUSDT")[random.integers(2)] if kind == L2 else "XRPUSDT"
            exchange = ("binance", "bitstamp")[len(files) % 2]
            if kind == L2:
                side = ("bid", "ask")[random.integers(2)]
                lines.append(
                    level(at, side, price, amount, "true", symbol, exchange + str(len(files)))
                )
            else:
                side = ("buy", "sell")[random.integers(2)]
                lines.append(trade(at, i, side, price, amount, symbol, exchange))
            found = (
                at,
                len(files),
                i,
                symbol,
                side in ("ask", "sell"),
                Decimal(price),
                Decimal(amount),
            )
            expected["l2" if kind == L2 else "trades"].append(found)
        files.append(lines)
    done = run(*files)
    for stream, rows in (("l2", done.l2), ("trades", done.trades)):
        seen = []
        for row in rows:
            facts = done.tables.instruments[row["instrument"]]
            sizes = (
                Decimal(int(row[name])).scaleb(-int(facts[f"{name}_exponent"]))
                for name in ("price", "volume")
            )
            at = row["ts_origin"] // 1000 - T0
            seen.append((at, facts["symbol"].decode(), bool(row["side"]), *sizes))
        wanted = [(at, *rest) for at, _, _, *rest in sorted(expected[stream], key=lambda e: e[:3])]
        assert seen == wanted
    assert (done.l2["flags"][0]) & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT
