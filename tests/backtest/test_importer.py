"""The import: recorded files with exact counts, and what is refused."""

import gzip
import json
from decimal import Decimal

import numpy as np
import pytest

from mantra.backtest.captures import CaptureError
from mantra.backtest.importer import import_captures, parse_instrument
from mantra.exchanges.binance import split_symbol
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.backtest import naive_sessions
from tests.backtest.made_captures import (
    T0,
    Imported,
    depth,
    import_made,
    snapshot,
    write,
)
from tests.exchanges import recorded


@pytest.fixture
def run(tmp_path):
    return lambda *captures, **options: import_made(tmp_path, *captures, **options)


def test_files_of_one_call_are_one_session(run):
    done = run([snapshot(10, "10:1", "11:1"), depth(11, 12, "10:2")], [depth(13, 14, "10:3")])
    assert done.report.gaps == []
    assert len(done.groups()) == 3


def test_a_hole_between_files_is_a_gap_at_the_second_ones_line(run):
    done = run([snapshot(10, "10:1", "11:1"), depth(11, 12, "10:2")], [depth(14, 14, "10:3")])
    assert [(gap.file, gap.line, gap.missed) for gap in done.report.gaps] == [("1.gz", 1, 1)]


def test_blank_lines_and_line_ends_of_other_systems_are_no_harm(run):
    line = b"%d " % T0 + json.dumps(depth(1, 2, "1:1")).encode() + b"\r"
    done = run([b"", line, b"\r", depth(3, 4, "1:2")])
    assert done.report.malformed == 0
    assert done.report.skipped == {"line without a message": 2}
    assert done.report.levels == 2


def test_times_in_microseconds_become_nanoseconds(tmp_path):
    write(tmp_path / "a.gz", [depth(1, 2, "1:1"), depth(3, 4, "1:1")], [10**15 + 7, 10**18 + 8])
    done = Imported(import_captures([tmp_path / "a.gz"], tmp_path / "b"), tmp_path / "b")
    assert done.l2["ts_origin"].tolist() == [10**18 + 7000] * 2, "and never go back"
    assert done.report.clock_back == 1
    assert (done.report.ts_first, done.report.ts_last) == (10**18 + 7000, 10**18 + 7000)


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

    def imported(*names: str, source: str = "binance") -> Imported:
        if names not in kept:
            directory = tmp_path_factory.mktemp("archive") / "a"
            paths = [recorded.path(name) for name in names]
            report = import_captures(paths, directory, source=source)
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


CRYPTOFEED = "cryptofeed/2021-04-17_3525dc8c/"
LATER = "cryptofeed/2022-01-04_78508055/BITSTAMP"
# Dumps with one snapshot a symbol: messages by kind; lines, levels, depth older than the snapshot.
DUMPS = [
    (
        "bitstamp",
        (CRYPTOFEED + "BITSTAMP.http.18.0", CRYPTOFEED + "BITSTAMP.ws.19.0"),
        {"depth": 641, "snapshot": 10, "trade": 16, "control": 20},
        (712, 13568, 114),
    ),
    (
        "bitstamp",
        (f"{LATER}.http.0.0", f"{LATER}.ws.1.0"),
        {"depth": 717, "snapshot": 10, "trade": 10, "control": 20},
        (779, 11140, 102),
    ),
    (
        "bitstamp",
        (f"{LATER}.ws.1.0", f"{LATER}.http.0.0"),  # the snapshots behind what follows them
        {"depth": 717, "snapshot": 10, "trade": 10, "control": 20},
        (779, 11140, 102),
    ),
    (
        "binance",
        (CRYPTOFEED + "BINANCE.http.0.0", CRYPTOFEED + "BINANCE.ws.1.0"),
        {"unknown": 20, "depth": 614, "snapshot": 10, "aggregate trade": 24, "book ticker": 570},
        (1243, 10955, 24),
    ),
    (
        "binance",
        ("cryptofeed/2021-04-04_29970208/BINANCE-ee25be.0",),
        {"unknown": 118, "depth": 2688, "snapshot": 3, "aggregate trade": 1910},
        (4720, 34244, 32),
    ),
    (
        "coinbase-exchange",  # snapshots are in the stream; tickers are unknown
        (CRYPTOFEED + "COINBASE.ws.28.0",),
        {"unknown": 107, "depth": 9719, "snapshot": 10, "trade": 107, "control": 3},
        (9952, 18081, 0),
    ),
]


@pytest.mark.needs_jit
@pytest.mark.parametrize(("source", "names", "messages", "facts"), DUMPS)
def test_dumps_of_connections_splice_without_a_gap(imported, source, names, messages, facts):
    done = imported(*names, source=source)
    report = done.report
    assert report.messages == messages
    old = sum(report.skipped.get(f"depth {why}", 0) for why in ("before the snapshot", IN_BOOK))
    assert (report.lines, report.levels, old) == facts
    assert (report.gaps, report.malformed, report.empty_starts) == ([], 0, [])
    assert report.venue == source
    begins = done.l2["flags"] & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT
    assert sorted(done.l2["instrument"][begins]) == list(range(messages["snapshot"]))


IN_BOOK = "already in the book"


WHOLE_EVERY = 50


@pytest.mark.needs_jit
@pytest.mark.parametrize("venue", naive_sessions.SESSIONS)
def test_books_of_the_archive_are_the_naive_ones_at_every_update(imported, venue):
    names = [naive_sessions.FOLDER + name for name in naive_sessions.SESSIONS[venue]]
    done = imported(*names, source=venue)
    facts, books = done.tables.instruments, [({}, {}) for _ in done.tables.instruments]
    naive = naive_sessions.books(venue)
    columns = [done.l2[n].tolist() for n in ("instrument", "side", "price", "volume", "flags")]
    groups, touched = 0, set()
    for instrument, side, price, volume, flags in zip(*columns, strict=True):
        book = books[instrument]
        touched.add((side, price))
        if flags & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT:
            book[BID].clear(), book[ASK].clear()
        if volume:
            book[side][price] = volume
        else:
            book[side].pop(price, None)
        if flags & LAST:
            groups += 1
            symbol, expected = next(naive)
            row = facts[instrument]
            assert symbol == row["symbol"].decode()
            scales = 10 ** int(row["price_exponent"]), 10 ** int(row["volume_exponent"])
            assert list(map(len, book)) == list(map(len, expected))
            for at, level in touched:  # all others are as they were
                wanted = expected[at].get(Decimal(level) / scales[0], 0) * scales[1]
                assert book[at].get(level, 0) == wanted
            touched.clear()
            if groups % WHOLE_EVERY == 0:
                for found, wanted in zip(book, expected, strict=True):
                    assert found == {p * scales[0]: v * scales[1] for p, v in wanted.items()}
    assert next(naive, None) is None
    assert groups > 500
    assert done.report.gaps == []
    assert done.report.malformed == done.report.mismatches == 0
    accounted = sum(done.report.messages.values())
    assert accounted + done.report.skipped["line without a message"] == done.report.lines


@pytest.mark.needs_jit
def test_every_checksum_of_the_kraken_session_verifies(imported):
    names = [naive_sessions.FOLDER + name for name in naive_sessions.SESSIONS["kraken-v1"]]
    report = imported(*names, source="kraken-v1").report
    assert (report.checksums, report.mismatches) == (4269, 0)
    assert report.messages["depth"] == 4269


@pytest.mark.needs_jit
def test_bitfinex_numbers_have_no_gap(imported):
    names = [naive_sessions.FOLDER + name for name in naive_sessions.SESSIONS["bitfinex"]]
    report = imported(*names, source="bitfinex").report
    assert report.messages == {
        "unknown": 21,
        "depth": 1593,
        "snapshot": 7,
        "trade": 7,
        "heartbeat": 42,
        "control": 23,
    }
    assert (report.gaps, report.levels) == ([], 2926)


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
