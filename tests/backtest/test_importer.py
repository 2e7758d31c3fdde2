"""The import: recorded files with exact counts, and made-up captures for all that goes wrong."""

import gzip
import json

import numpy as np
import pytest

from mantra.archive import ArchiveReader
from mantra.backtest.captures import CaptureError
from mantra.backtest.importer import ImportReport, import_captures, parse_instrument
from mantra.exchanges.binance import split_symbol
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables
from tests.exchanges import recorded

T0 = 1_723_161_253_937_085_768  # ns


# ---------------------------------------------------------------- made-up captures


def depth(first: int, last: int, bids="", asks="", symbol="BTCUSDT", previous: int | None = None):
    """A depth message; levels as "price:volume price:volume"."""
    sides = {"b": bids, "a": asks}
    levels = {side: [level.split(":") for level in sides[side].split()] for side in sides}
    chain = {} if previous is None else {"pu": previous}
    data = {"e": "depthUpdate", "E": 1723161255208, "s": symbol, "U": first, "u": last}
    return {"stream": f"{symbol.lower()}@depth@100ms", "data": data | chain | levels}


def snapshot(last: int, bids: str, asks: str):
    lists = ([level.split(":") for level in text.split()] for text in (bids, asks))
    return {"lastUpdateId": last, **dict(zip(("bids", "asks"), lists, strict=True))}


def trade(number: int, price: str, volume: str, event="trade", symbol="BTCUSDT"):
    name = "t" if event == "trade" else "a"
    data = {"e": event, "E": 1, "s": symbol, name: number, "p": price, "q": volume, "T": 5}
    return {"stream": f"{symbol.lower()}@{event}", "data": data | {"m": False}}


TICKER = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}


def write(path, messages, times=None) -> None:
    """A capture: one line a message; bytes are written as they are."""
    lines = []
    for i, message in enumerate(messages):
        time = T0 + i if times is None else times[i]
        line = (
            message if isinstance(message, bytes) else b"%d " % time + json.dumps(message).encode()
        )
        lines.append(line)
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))


class Imported:
    def __init__(self, report: ImportReport, directory):
        self.report = report
        reader = ArchiveReader(directory)
        empty = {"l2": np.zeros(0, L2_UPDATE), "trades": np.zeros(0, TRADE_UPDATE)}
        self.l2, self.trades = (
            reader.read(stream) if stream in reader.streams else empty[stream]
            for stream in ("l2", "trades")
        )
        self.metadata = reader.metadata
        self.tables = Tables.from_dict(reader.metadata["tables"])

    def groups(self) -> list[str]:
        """Each group as text: flags of its first record, id, levels."""
        groups: list[str] = []
        for row in self.l2:
            if row["flags"] & FIRST:
                groups.append(f"{row['sequence']}{'*' if row['flags'] & SNAPSHOT else ''}:")
            groups[-1] += f" {'ba'[row['side']]}{row['price']}x{row['volume']}"
            groups[-1] += ";" if row["flags"] & LAST else ""
        return groups


@pytest.fixture
def run(tmp_path):
    def run(*captures, **options) -> Imported:
        files = []
        for i, messages in enumerate(captures):
            files.append(tmp_path / f"{i}.gz")
            write(files[-1], messages)
        directory = tmp_path / "archive"
        return Imported(import_captures(files, directory, **options), directory)

    return run


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


def test_exponents_tick_and_lot_are_the_fewest_that_hold_every_value(run):
    done = run([depth(1, 2, "100.25:1.5 100.50:3.0", "101.75:0")])
    row = done.tables.instruments[0]
    assert [int(row[name]) for name in ("price_exponent", "tick_size")] == [2, 25]
    assert [int(row[name]) for name in ("volume_exponent", "lot_size")] == [1, 15]
    assert done.tables.instrument_names() == ["BTCUSDT@binance"]
    assert done.report.instruments["BTCUSDT@binance"]["tick_size"] == "0.25"


def test_given_exponents_hold_and_what_is_finer_is_refused(run):
    done = run(
        [depth(1, 2, "100.25:1"), depth(3, 4, "100.125:1"), trade(1, "7", "1")],
        exponents=dict([parse_instrument("btcusdt:2:5")]),
    )
    assert done.l2["price"].tolist() == [10025]
    assert done.l2["volume"].tolist() == [100000]
    assert done.report.refused == {"too precise": 1}


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


def test_files_of_one_call_are_one_session(run):
    done = run([snapshot(10, "10:1", "11:1"), depth(11, 12, "10:2")], [depth(13, 14, "10:3")])
    assert done.report.gaps == []
    assert len(done.groups()) == 3


def test_a_hole_between_files_is_a_gap_at_the_second_ones_line(run):
    done = run([snapshot(10, "10:1", "11:1"), depth(11, 12, "10:2")], [depth(14, 14, "10:3")])
    assert [(gap.file, gap.line, gap.missed) for gap in done.report.gaps] == [("1.gz", 1, 1)]


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


def test_blank_lines_and_line_ends_of_other_systems_are_no_harm(run):
    line = b"%d " % T0 + json.dumps(depth(1, 2, "1:1")).encode() + b"\r"
    done = run([b"", line, b"\r", depth(3, 4, "1:2")])
    assert done.report.malformed == 0
    assert done.report.skipped == {"blank line": 2}
    assert done.report.levels == 2


def test_times_in_microseconds_become_nanoseconds(tmp_path):
    write(tmp_path / "a.gz", [depth(1, 2, "1:1"), depth(3, 4, "1:1")], [10**15 + 7, 10**18 + 8])
    done = Imported(import_captures([tmp_path / "a.gz"], tmp_path / "b"), tmp_path / "b")
    assert done.l2["ts_origin"].tolist() == [10**18 + 7000] * 2, "and never go back"
    assert done.report.clock_back == 1
    assert (done.report.ts_first, done.report.ts_last) == (10**18 + 7000, 10**18 + 7000)


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


def test_futures_are_told_by_their_chain(run):
    done = run([depth(5, 9, "1:1", previous=4), depth(15, 19, "1:2", previous=9)])
    assert done.report.venue == "binance-usdm"
    assert done.report.gaps == []


def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path):
    messages = [depth(i, i, f"{i}:1") for i in range(1, 400)]
    write(tmp_path / "whole.gz", messages)
    whole = (tmp_path / "whole.gz").read_bytes()
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    done = Imported(import_captures([tmp_path / "cut.gz"], tmp_path / "b"), tmp_path / "b")
    assert len(done.report.damaged) == 1
    assert "cut.gz" in done.report.damaged[0]
    assert done.l2["price"].tolist() == list(range(1, len(done.l2) + 1))
    assert 100 < len(done.l2) < 399
    assert done.report.malformed <= 1, "the line in which it ends"


def test_plain_text_is_read_as_well(tmp_path):
    write(tmp_path / "a.gz", [depth(1, 2, "1:1")])
    (tmp_path / "a.txt").write_bytes(gzip.decompress((tmp_path / "a.gz").read_bytes()))
    assert import_captures([tmp_path / "a.txt"], tmp_path / "b").levels == 1


def test_progress_rises_to_the_whole(run):
    seen: list[tuple[int, int]] = []
    run([depth(1, 2, "1:1")], [depth(3, 4, "1:1")], progress=lambda *now: seen.append(now))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] == {total for _, total in seen}.pop()


def test_what_cannot_be_imported_is_refused_with_a_sentence(tmp_path, run):
    run([depth(1, 2, "1:1")])
    with pytest.raises(CaptureError, match="holds an archive already"):
        run([depth(1, 2, "1:1")])
    with pytest.raises(CaptureError, match="absent"):
        import_captures([tmp_path / "absent.gz"], tmp_path / "b")
    with pytest.raises(CaptureError, match="no files"):
        import_captures([], tmp_path / "b")
    with pytest.raises(ValueError, match=r"'XRPUSDT' is not in these files.*BTCUSDT"):
        import_captures([tmp_path / "0.gz"], tmp_path / "b", exponents={"XRPUSDT": (1, 1)})


@pytest.mark.parametrize("text", ["BTCUSDT", "BTCUSDT:2", "BTCUSDT:2:x", "BTCUSDT:2:19", "A:1:2:3"])
def test_an_instrument_that_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match="SYMBOL:price_exponent:volume_exponent"):
        parse_instrument(text)


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("ETHBTC", ("ETH", "BTC")),
        ("BTCUSD_PERP", ("BTC", "USD")),
        ("BTCUSDT_210625", ("BTC", "USDT")),
        ("1000SHIBFDUSD", ("1000SHIB", "FDUSD")),
        ("ABCXYZ", ("ABCXYZ", "?")),
    ],
)
def test_a_symbol_is_split_by_its_quote_asset(symbol, pair):
    assert split_symbol(symbol) == pair


# ---------------------------------------------------------------- recorded files


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    kept: dict[tuple[str, ...], Imported] = {}

    def imported(*names: str) -> Imported:
        if names not in kept:
            directory = tmp_path_factory.mktemp("archive") / "a"
            report = import_captures([recorded.path(name) for name in names], directory)
            kept[names] = Imported(report, directory)
        return kept[names]

    return imported


RECORDED = [
    (
        recorded.SPOT,
        {"depth": 6495, "book ticker": 73174, "trade": 19904, "snapshot": 1},
        ("binance", 99574, 300094, 2, 0),
    ),
    (
        (recorded.SPOT[1],),
        {"depth": 3044, "book ticker": 45134, "trade": 10147},
        ("binance", 58325, 174021, 0, 1),
    ),
    (
        (recorded.USDM,),
        {"depth": 6551, "book ticker": 66089, "trade": 21313, "snapshot": 1},
        ("binance-usdm", 93954, 445262, 4, 0),
    ),
    (
        (recorded.HISTORY,),
        {"depth": 3929, "book ticker": 8015, "trade": 3144},
        ("binance", 15088, 32024, 0, 1),
    ),
]


@pytest.mark.needs_jit
@pytest.mark.parametrize(("names", "messages", "facts"), RECORDED)
def test_recorded_files_are_counted_exactly_and_have_no_gap(imported, names, messages, facts):
    done = imported(*names)
    report = done.report
    assert report.messages == messages
    before = report.skipped.get("depth before the snapshot", 0)
    found = (report.venue, report.lines, report.levels, before, len(report.empty_starts))
    assert found == facts
    assert (report.gaps, report.malformed, report.damaged, report.clock_back) == ([], 0, [], 0)
    assert len(done.l2) == report.levels
    assert len(done.trades) == report.trades == messages["trade"]
    for rows in (done.l2, done.trades):
        assert (np.diff(rows["ts_origin"]) >= 0).all()
    assert (np.diff(done.trades["trade_id"]) == 1).all(), "trade ids have no hole"
    begins = (done.l2["flags"] & FIRST) != 0
    assert begins[0]
    assert (begins[1:] == ((done.l2["flags"][:-1] & LAST) != 0)).all(), "groups are whole"


@pytest.mark.needs_jit
def test_the_top_of_the_rebuilt_book_is_the_book_ticker_wherever_their_ids_meet(imported):
    tickers = {}
    for name in recorded.SPOT:
        for raw in recorded.collector_messages(name):
            if b"@bookTicker" in raw:
                ticker = json.loads(raw)["data"]
                tickers[ticker["u"]] = ticker
    books: tuple[dict, dict] = {}, {}
    met = 0
    rows = imported(*recorded.SPOT).l2
    columns = (rows[name].tolist() for name in ("side", "price", "volume", "sequence", "flags"))
    for side, price, volume, sequence, flags in zip(*columns, strict=True):
        if volume:
            books[side][price] = volume
        else:
            books[side].pop(price, None)
        if flags & LAST and sequence in tickers:
            ticker, met = tickers[sequence], met + 1
            bid, ask = max(books[BID]), min(books[ASK])
            assert (bid, ask) == (_units(ticker["b"], 2), _units(ticker["a"], 2))
            volumes = books[BID][bid], books[ASK][ask]
            assert volumes == (_units(ticker["B"], 6), _units(ticker["A"], 6))
    assert met == 1072


def _units(text: str, exponent: int) -> int:
    whole, _, decimals = text.partition(".")
    return int(whole + decimals[:exponent])
