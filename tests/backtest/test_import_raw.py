"""Raw captures of this engine: what comes out is what the live capture had."""

import json

import numpy as np
import pytest

from mantra.backtest.importer import CaptureError, import_captures
from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many
from mantra.market_data.handler import Options
from mantra.market_data.venues import VENUES
from mantra.messages.records import QUEUE_RECORDS
from mantra.messages.tables import Tables
from tests.backtest.made_captures import T0, Imported, depth, snapshot
from tests.exchanges.bitfinex import reencode as bitfinex
from tests.exchanges.coinbase import decoding
from tests.exchanges.kraken import reencode as kraken
from tests.market_data.following import Following, all_faults, be_impatient

COLUMNS = ["ts_exchange", "price", "volume", "instrument", "side", "flags"]
GAPS, PATIENCE_S, ROOM = 10, 30, 1 << 17


@pytest.mark.needs_jit
@pytest.mark.processes
def test_a_raw_capture_of_all_five_venues_gives_what_the_live_one_had(tmp_path, monkeypatch):
    be_impatient(monkeypatch)
    options = Options(gather_ms=1, raw=tmp_path)
    with Following(1, 2, 200, all_faults(0.004, 0.002, 0.2), options) as following:
        published = Published(following.stepper.run)
        followed = following.handler.feed.followed

        def too_few():
            published.read()
            enough = followed["gaps"].sum() > GAPS and (followed["trades"] > 10).all()
            return [] if enough else ["too few gaps or trades"]

        following.until(too_few, PATIENCE_S)
    published.read()
    tables = following.handler.tables
    for venue in VENUES:
        files = sorted((tmp_path / "raw").glob(f"{venue}.*.gz"))
        done = Imported(import_captures(files, tmp_path / venue, source=venue), tmp_path / venue)
        here = np.flatnonzero(tables.instruments["venue"] == tables.venue(venue))
        for stream, found in (("l2", done.l2), ("trades", done.trades)):
            expected = published.of(stream, here)
            assert len(expected) > 10, (venue, stream)
            for name in COLUMNS:
                assert found[name].tolist() == expected[name].tolist(), (venue, stream, name)
        assert done.tables.instrument_names() == tables.instrument_names()


class Published:
    """All that a run has published, kept."""

    def __init__(self, run: str):
        self._read, self._rows = {}, {"l2": [], "trades": []}
        for name in self._rows:
            queue = queue_segment.attach(run, name, QUEUE_RECORDS[name])
            consumer = queue_segment.consumer(queue, "kept", from_oldest=True, shown=False)
            self._read[name] = queue, consumer

    def read(self) -> None:
        for name, (_, consumer) in self._read.items():
            rows = aligned_zeros(ROOM, QUEUE_RECORDS[name])
            count = consume_many(address_of(consumer), address_of(rows), ROOM)
            assert consumer[0]["lost"] == 0
            self._rows[name].append(rows[:count].copy())

    def of(self, stream: str, instruments: np.ndarray) -> np.ndarray:
        rows = np.concatenate(self._rows[stream])
        return rows[np.isin(rows["instrument"], instruments)]


# ---------------------------------------------------------------- made-up connections


def raw_import(folder, venue: str, symbol: str, lines: list[tuple[str, bytes]]) -> Imported:
    """Lines as (mark, message) of a venue with one instrument."""
    tables = Tables()
    asset = tables.add_asset("?", 18)
    tables.add_instrument(
        tables.add_venue(venue), symbol, asset, asset, price_exponent=1, volume_exponent=8
    )
    folder.mkdir(exist_ok=True)
    (folder / "tables.json").write_text(json.dumps(tables.as_dict()))
    text = [f"{T0 + i} {mark} ".encode() + message for i, (mark, message) in enumerate(lines)]
    (folder / "raw.0").write_bytes(b"\n".join(text) + b"\n")
    report = import_captures([folder / "raw.0"], folder / "archive", source=venue)
    return Imported(report, folder / "archive")


def diff(first: int, last: int, bids: str) -> bytes:
    return json.dumps(depth(first, last, bids)).encode()


BASE = ("@BTCUSDT", json.dumps(snapshot(10, "1:1", "9:1")).encode())


def test_ids_carry_a_book_over_to_the_connection_that_takes_over(tmp_path):
    lines = [
        *[
            ("#1", diff(9, 10, "1:1")),
            BASE,
            ("#1", diff(11, 11, "1:2")),
            ("#2", diff(11, 11, "1:2")),
        ],
        *[("#2", diff(12, 12, "1:3")), ("#1", diff(12, 12, "1:3")), ("#1", b"")],
        *[("#2", diff(13, 13, "1:4"))],
    ]
    done = raw_import(tmp_path / "a", "binance", "BTCUSDT", lines)
    assert [group[:3] for group in done.groups()] == ["10*", "11:", "12:", "13:"]
    assert done.report.skipped["connection ended"] == 1
    assert done.report.gaps == []
    without = [line for line in lines if line[0] != "#2"] + [lines[-1]]
    done = raw_import(tmp_path / "b", "binance", "BTCUSDT", without)
    assert [group[:3] for group in done.groups()] == ["10*", "11:", "12:"], "needs a new base"
    assert done.report.skipped["depth without a snapshot"] == 1


def test_numbers_of_messages_belong_to_their_connection(tmp_path):
    def frame(number: int, kind: str, price: str) -> bytes:
        return decoding.advanced(
            "l2_data", decoding.event(kind, "BTC-USD", decoding.level("bid", price, "1")), number
        )

    lines = [
        *[("#4", frame(0, "snapshot", "1")), ("#4", frame(1, "update", "2")), ("#4", b"")],
        *[("#5", frame(0, "snapshot", "3")), ("#5", frame(1, "update", "4"))],
        *[("#5", frame(3, "update", "5")), ("#5", frame(4, "snapshot", "6"))],
    ]
    done = raw_import(tmp_path / "a", "coinbase", "BTC-USD", lines)
    assert done.l2["price"].tolist() == [10, 20, 30, 40, 60]
    assert [gap.line for gap in done.report.gaps] == [6]
    assert done.report.skipped["depth without a snapshot"] == 1


def test_a_capture_that_ends_in_the_middle_of_a_line_has_all_before_it(tmp_path):
    lines = [("#1", diff(9, 10, "1:1")), BASE, ("#1", diff(11, 11, "1:2")), ("#1", b'{"stream"')]
    done = raw_import(tmp_path / "a", "binance", "BTCUSDT", lines)
    assert len(done.l2) == 3
    assert done.report.refused == {"malformed": 1}
    with pytest.raises(CaptureError, match=r"tables.json has the names"):
        import_captures([tmp_path / "a" / "raw.0"], tmp_path / "b", exponents={"BTCUSDT": (1, 1)})


def test_files_are_taken_by_their_numbers(tmp_path):
    raw_import(tmp_path, "binance", "BTCUSDT", [])
    lines = [
        ("#1", diff(9, 10, "1:1")),
        BASE,
        ("#1", diff(11, 11, "1:2")),
        ("#1", diff(12, 12, "1:3")),
    ]
    for number, (mark, message) in zip((2, 9, 10, 11), lines, strict=True):
        text = f"{T0 + number} {mark} ".encode() + message + b"\n"
        (tmp_path / f"binance.{number}").write_bytes(text)
    report = import_captures(sorted(tmp_path.glob("binance.*")), tmp_path / "b", source="binance")
    assert (report.levels, report.gaps, report.clock_back) == (4, [], 0)


# ---------------------------------------------------------------- re-encoded sessions


@pytest.mark.needs_jit
def test_a_kraken_v2_session_finds_its_decimals_and_depth_and_verifies(tmp_path):
    frames = [raw for _, raw in kraken.modern(kraken.legacy_frames())]
    text = b"".join(b"%d %b\n" % (T0 + i, raw) for i, raw in enumerate(frames))
    (tmp_path / "v2").write_bytes(text)
    report = import_captures([tmp_path / "v2"], tmp_path / "a", source="kraken")
    assert (report.checksums, report.mismatches, report.gaps) == (len(frames), 0, [])
    assert report.instruments["XBT/CHF@kraken"]["price_exponent"] == 5
    assert report.instruments["XBT/CHF@kraken"]["tick_size"] == "0.10000"


@pytest.mark.needs_jit
def test_checksums_of_a_bitfinex_session_verify_until_a_frame_is_lost(tmp_path):
    opened = {"event": "subscribed", "channel": "book", "prec": "P0", "symbol": "tBTCUSDT"}
    frames = [json.dumps(opened | {"chanId": bitfinex.CHANNEL}).encode()]
    frames += bitfinex.frames(100, 200, bulk=True)
    for name, kept in (("a", frames), ("b", frames[:60] + frames[61:])):
        text = b"".join(b"%d %b\n" % (T0 + i, raw) for i, raw in enumerate(kept))
        (tmp_path / f"{name}.txt").write_bytes(text)
        report = import_captures([tmp_path / f"{name}.txt"], tmp_path / name, source="bitfinex")
        assert report.mismatches == 0
        assert len(report.gaps) == len(frames) - len(kept)
        assert report.checksums == 201 if name == "a" else 0 < report.checksums < 100
