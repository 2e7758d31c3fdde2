"""Import: recorded raw captures of a venue -> an archive, counted to the last line.

In:        files of lines `<local time> <message>`, gzip or plain, 16 digits of µs or 19 of ns, REST
           depth snapshots among them; several files in one call are one session, in their order.
Out:       an archive with the streams "l2" and "trades" and the tables; an ImportReport.
Must not know: terminals. Progress goes to a callback.

Two passes. The first finds what the lines alone can say: the symbols, the fewest decimals that hold
every price and volume, the steps they come in (tick and lot: the coarsest that divide them all),
spot or futures, and whether snapshots will come. The second decodes, bridges and writes.

`ts_origin` of an imported record is the local receive time, ns since the epoch, and never goes back;
the archive's metadata says so: clock "utc_ns". `ts_exchange` is the venue's.

How a book begins. Depth messages before a snapshot wait for it and follow it, as they would live;
they then carry the snapshot's time. Without a snapshot to come (none in the files, or a gap behind
the last one) the book begins empty: the next group with levels is flagged SNAPSHOT, because it does
replace the whole book, by the few levels then known; all others are known once they change. The
report says where (`empty_starts`).

A line that cannot be used is counted, listed (the first LISTED_MAX) and passed over; nothing of it
is kept. A gap in the ids is counted, never bridged.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mantra.archive import ArchiveReader, ArchiveWriter
from mantra.backtest import import_lines as lines
from mantra.backtest.captures import CaptureError, Damage, Piece, Progress, pieces, sizes
from mantra.exchanges import decoded
from mantra.exchanges.binance import VENUES, bridging, split_symbol
from mantra.exchanges.decoded import DECODED, KINDS
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import check_exponent, format_decimal
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import ASSET_EXPONENT, Tables

L2_ROOM = 65_536  # records: more than the levels of the largest snapshot (10,000)
TRADES_ROOM = 16_384
HELD_MAX = 1_000_000  # records waiting for a snapshot: 56 MB
LISTED_MAX = 20
INSTRUMENTS_MAX = 4_096
PROBE_EXPONENT = 8  # the venue's finest


@dataclass
class Refusal:
    """A line that could not be used."""

    file: str
    line: int
    position: int  # byte of the line
    reason: str


@dataclass
class Gap:
    """Depth messages that are missing."""

    file: str
    line: int  # the message behind the gap
    instrument: str
    missed: int  # ids; 0: not known (futures)


@dataclass
class ImportReport:
    """What an import did. All counts are exact."""

    venue: str = ""
    lines: int = 0
    messages: dict[str, int] = field(default_factory=dict)  # by kind
    levels: int = 0  # records written to "l2"
    trades: int = 0  # records written to "trades"
    skipped: dict[str, int] = field(default_factory=dict)  # messages, by reason
    refused: dict[str, int] = field(default_factory=dict)  # lines, by reason
    refusals: list[Refusal] = field(default_factory=list)  # the first LISTED_MAX
    gaps: list[Gap] = field(default_factory=list)
    empty_starts: list[tuple[str, int, str]] = field(default_factory=list)  # file, line, instrument
    clock_back: int = 0  # lines whose local time was before the line before
    instruments: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)  # files that are cut short
    ts_first: int = 0  # ns since the epoch, local
    ts_last: int = 0

    @property
    def malformed(self) -> int:
        return sum(self.refused.values())

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"malformed": self.malformed}


def import_captures(
    files: Sequence[Path | str],
    archive_dir: Path | str,
    *,
    venue: str | None = None,
    exponents: dict[str, tuple[int, int]] | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import files, in this order, as one session into a new archive.

    `venue`: its name in the tables; None: "binance", or "binance-usdm" if the depth messages are a
    futures'. `exponents`: price and volume exponent by symbol, where they are not to be inferred.
    `progress(done, total)`: bytes, both passes together. Raises CaptureError, ValueError.
    """
    paths = [Path(file) for file in files]
    if not paths:
        raise CaptureError("no files to import")
    directory = Path(archive_dir)
    if directory.exists() and ArchiveReader(directory).streams:
        raise CaptureError(f"{directory} holds an archive already: import into a new directory")
    steps = _Steps(2 * sizes(paths), progress)
    survey = _Survey()
    for path in paths:
        for piece in pieces(path, [], steps.within):
            survey.take(piece)
        steps.file_done(path)
    tables = survey.tables(venue, exponents or {})
    metadata = {
        "clock": "utc_ns",
        "files": [path.name for path in paths],
        "tables": tables.as_dict(),
    }
    with ArchiveWriter(directory, metadata) as writer:
        session = _Session(tables, survey, writer)
        for path in paths:
            damages: list[Damage] = []
            for piece in pieces(path, damages, steps.within):
                session.take(path.name, piece)
            session.report.damaged += [f"{d.path}: line {d.line}: {d.reason}" for d in damages]
            steps.file_done(path)
        return session.finish()


IMPORTERS = {"binance": import_captures}


def parse_instrument(text: str) -> tuple[str, tuple[int, int]]:
    """`SYMBOL:price_exponent:volume_exponent` -> (symbol, exponents). Raises ValueError."""
    symbol, *exponents = text.split(":")
    try:
        price, volume = map(int, exponents)
        check_exponent(price)
        check_exponent(volume)
    except ValueError as error:
        raise ValueError(
            f"instrument {text!r}: expected SYMBOL:price_exponent:volume_exponent, "
            f"as in BTCUSDT:2:5 ({error})"
        ) from None
    return symbol.upper(), (price, volume)


class _Steps:
    """Bytes done, over all files and both passes."""

    def __init__(self, total: int, progress: Progress | None):
        self._total, self._progress, self._before = total, progress, 0

    def within(self, done: int) -> None:
        if self._progress:
            self._progress(self._before + done, self._total)

    def file_done(self, path: Path) -> None:
        self._before += path.stat().st_size


def _new_batch(l2: np.ndarray, trades: np.ndarray, decoded_record: np.ndarray) -> np.ndarray:
    batch = aligned_zeros(1, lines.BATCH)
    batch["l2"], batch["l2_capacity"] = address_of(l2), len(l2)
    batch["trades"], batch["trades_capacity"] = address_of(trades), len(trades)
    batch["decoded"] = address_of(decoded_record)
    return batch


def _set_piece(batch: np.ndarray, piece: Piece) -> None:
    batch["text"], batch["ends"] = piece.address, address_of(piece.ends)
    batch["lines"], batch["line"], batch["begin"] = len(piece.ends), 0, 0


class _Survey:
    """The first pass: what instruments there are."""

    def __init__(self) -> None:
        self.symbols: list[str] = []
        self.unnamed_snapshots = 0
        self.surveys = aligned_zeros(INSTRUMENTS_MAX, lines.SURVEY)
        self._l2 = aligned_zeros(L2_ROOM, L2_UPDATE)
        self._seen = aligned_zeros(1, DECODED)
        self._batch = _new_batch(self._l2, aligned_zeros(1, TRADE_UPDATE), self._seen)
        self._reindex()

    def _reindex(self) -> None:
        """All symbols at the finest exponents."""
        probe = Tables()
        venue, asset = probe.add_venue("probe"), probe.add_asset("?", PROBE_EXPONENT)
        exponents = {"price_exponent": PROBE_EXPONENT, "volume_exponent": PROBE_EXPONENT}
        for symbol in self.symbols:
            probe.add_instrument(venue, symbol, asset, asset, **exponents)
        self._index = SymbolIndex(probe, venue)
        self._batch["index"] = self._index.address

    def take(self, piece: Piece) -> None:
        batch = self._batch[0]
        _set_piece(self._batch, piece)
        while batch["line"] < batch["lines"]:
            line, begin = int(batch["line"]), int(batch["begin"])
            event = lines.survey_lines(address_of(self._batch), address_of(self.surveys))
            if event == lines.REFUSED and batch["reason"] == decoded.UNKNOWN_SYMBOL:
                line = int(batch["line"]) - 1
                begin = int(piece.ends[line - 1]) + 1 if line else 0
                if self._learn(piece.text[begin : int(piece.ends[line])]):
                    batch["line"], batch["begin"] = line, begin

    def _learn(self, text: np.ndarray) -> bool:
        """Take note of the symbol of a line that was refused for it; whether it is new."""
        seen = self._seen[0]
        message = text[text.tobytes().index(b" ") + 1 :].tobytes()
        symbol = message[seen["symbol"] :][: seen["symbol_length"]].decode("ascii", "replace")
        if not symbol:
            self.unnamed_snapshots += int(seen["kind"] == decoded.SNAPSHOT)
            return False
        if len(self.symbols) == INSTRUMENTS_MAX or not symbol.replace("_", "").isalnum():
            return False
        self.symbols.append(symbol.upper())
        self._reindex()
        return True

    def tables(self, venue: str | None, exponents: dict[str, tuple[int, int]]) -> Tables:
        """The tables of what was seen. Raises ValueError for exponents of a symbol not seen."""
        unknown = set(exponents) - set(self.symbols)
        if unknown:
            raise ValueError(
                f"instrument {sorted(unknown)[0]!r} is not in these files; "
                f"they have {', '.join(self.symbols) or 'none'}"
            )
        chained = int(self.surveys["chained"].sum()) > 0
        name = venue or ("binance-usdm" if chained else "binance")
        tables = Tables()
        venue_id = tables.add_venue(name)
        assets: dict[str, int] = {}
        for i, symbol in enumerate(self.symbols):
            price, tick = _fewest_decimals(int(self.surveys[i]["price_step"]))
            volume, lot = _fewest_decimals(int(self.surveys[i]["volume_step"]))
            if symbol in exponents:
                (price, volume), tick, lot = exponents[symbol], 1, 1
            pair = split_symbol(symbol)
            for asset in pair:
                if asset not in assets:
                    assets[asset] = tables.add_asset(asset, ASSET_EXPONENT)
            tables.add_instrument(
                venue_id,
                symbol,
                *(assets[asset] for asset in pair),
                price_exponent=price,
                volume_exponent=volume,
                tick_size=format_decimal(tick, price),
                lot_size=format_decimal(lot, volume),
                **VENUES.get(name, VENUES["binance"]),
            )
        return tables


def _fewest_decimals(step: int) -> tuple[int, int]:
    """(exponent, step at that exponent) of a step at PROBE_EXPONENT; (0, 1) of none."""
    exponent = PROBE_EXPONENT
    while exponent > 0 and step % 10 == 0:
        step //= 10
        exponent -= 1
    return exponent, max(step, 1)


class _Session:
    """The second pass: lines -> streams, and all that is rare."""

    def __init__(self, tables: Tables, survey: _Survey, writer: ArchiveWriter):
        self.report = ImportReport()
        self._tables, self._writer = tables, writer
        self._l2 = aligned_zeros(L2_ROOM, L2_UPDATE)
        self._trades = aligned_zeros(TRADES_ROOM, TRADE_UPDATE)
        self._seen = aligned_zeros(1, DECODED)
        self._batch = _new_batch(self._l2, self._trades, self._seen)
        count = max(len(tables.instruments), 1)
        self._bridges = aligned_zeros(count, bridging.BRIDGE)
        self._kinds = np.zeros(count, np.int64)
        self._index = SymbolIndex(tables, 0)
        batch = self._batch
        batch["index"], batch["bridges"] = self._index.address, address_of(self._bridges)
        batch["trade_kinds"] = address_of(self._kinds)
        # Snapshots still to come: a book without a base waits only for those.
        self._to_come = [int(n) for n in survey.surveys["snapshots"][:count]]
        if len(survey.symbols) == 1:
            batch["unnamed"] = self._index.slot(survey.symbols[0])
            self._to_come[0] += survey.unnamed_snapshots
        self._held: list[list[tuple[np.ndarray, tuple[int, int, int]]]] = [[] for _ in range(count)]
        self._held_records = 0
        self._skipped: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._file, self._first_line = "", 1
        for instrument in range(len(tables.instruments)):
            if not self._to_come[instrument]:
                self._begin_empty(instrument)

    # ------------------------------------------------------------ lines

    def take(self, file: str, piece: Piece) -> None:
        handlers = {
            lines.FULL: self._flush,
            lines.REFUSED: self._on_refused,
            lines.HELD: self._on_held,
            lines.GAPPED: self._on_gap,
            lines.SNAPSHOT_SEEN: self._on_snapshot,
        }
        self._file, self._first_line = file, piece.first_line
        _set_piece(self._batch, piece)
        self.report.lines += len(piece.ends)
        while (event := int(lines.import_lines(address_of(self._batch)))) != lines.END:
            handlers[event]()
        if not self.report.ts_first:
            self.report.ts_first = int(self._batch["ts_local"][0])

    def _line(self) -> int:
        """Number of the line just read, in its file."""
        return self._first_line + int(self._batch["line"][0]) - 1

    def _flush(self) -> None:
        batch = self._batch[0]
        self._write("l2", self._l2[: int(batch["l2_count"])])
        self._write("trades", self._trades[: int(batch["trades_count"])])
        batch["l2_count"] = batch["trades_count"] = 0

    def _write(self, stream: str, records: np.ndarray) -> None:
        if len(records):
            self._writer.append(stream, records)
            if stream == "l2":
                self.report.levels += len(records)
            else:
                self.report.trades += len(records)

    def _on_refused(self) -> None:
        batch = self._batch[0]
        reason = lines.REASONS[int(batch["reason"])]
        self._refused[reason] += 1
        if len(self.report.refusals) < LISTED_MAX:
            position = int(batch["position"])
            self.report.refusals.append(Refusal(self._file, self._line(), position, reason))

    # ------------------------------------------------------------ books

    def _pending(self) -> tuple[int, np.ndarray, tuple[int, int, int]]:
        """Of the message just decoded: instrument, its records (not yet taken), its ids."""
        seen, filled = self._seen[0], int(self._batch["l2_count"][0])
        ids = int(seen["first_id"]), int(seen["last_id"]), int(seen["previous_id"])
        return int(seen["instrument"]), self._l2[filled : filled + int(seen["count"])], ids

    def _on_held(self) -> None:
        instrument, records, ids = self._pending()
        self._held[instrument].append((records.copy(), ids))
        self._held_records += len(records)
        if self._held_records > HELD_MAX:
            self._let_go(instrument)

    def _on_gap(self) -> None:
        instrument, records, ids = self._pending()
        missed = int(self._bridges[instrument]["missed"])
        name = self._tables.instrument_name(instrument)
        self.report.gaps.append(Gap(self._file, self._line(), name, missed))
        self._on_held()
        if not self._to_come[instrument]:
            self._let_go(instrument)

    def _on_snapshot(self) -> None:
        instrument, records, ids = self._pending()
        self._to_come[instrument] -= 1
        if not bridging.take_snapshot(self._bridge(instrument), ids[1]):
            self._skipped["snapshot older than the book"] += 1
            return
        lines.stamp(address_of(self._batch), False)
        self._batch["l2_count"] += len(records)
        self._follow(instrument)

    def _bridge(self, instrument: int) -> int:
        return address_of(self._bridges) + instrument * bridging.BRIDGE.itemsize

    def _begin_empty(self, instrument: int) -> None:
        bridging.begin_empty(self._bridge(instrument))
        place = self._file, self._line(), self._tables.instrument_name(instrument)
        self.report.empty_starts.append(place)

    def _let_go(self, instrument: int) -> None:
        """No snapshot to wait for: what was held is the beginning."""
        self._begin_empty(instrument)
        self._follow(instrument)

    def _follow(self, instrument: int) -> None:
        """Apply what was held behind the base the book now has."""
        self._flush()
        held, self._held[instrument] = self._held[instrument], []
        for records, ids in held:
            self._held_records -= len(records)
            state = self._bridges[instrument]["state"]
            base = state == bridging.EMPTY
            if base and not len(records):
                continue
            action = int(bridging.take_depth(self._bridge(instrument), *ids))
            if action == bridging.DROP:
                self._skipped["depth before the snapshot"] += 1
            elif action == bridging.APPLY:
                records["ts_origin"] = self._batch["ts_local"]
                if base:
                    records["flags"] |= lines.SNAPSHOT
                self._write("l2", records)
            else:
                if action == bridging.GAP:
                    name = self._tables.instrument_name(instrument)
                    missed = int(self._bridges[instrument]["missed"])
                    self.report.gaps.append(Gap(self._file, self._line(), name, missed))
                self._held[instrument].append((records, ids))
                self._held_records += len(records)
        if self._held[instrument] and not self._to_come[instrument]:
            self._let_go(instrument)

    # ------------------------------------------------------------ the end

    def finish(self) -> ImportReport:
        self._flush()
        batch, report = self._batch[0], self.report
        for instrument in range(len(self._tables.instruments)):
            self._skipped["depth without a snapshot"] += len(self._held[instrument])
        self._skipped["depth already in the book"] += int(batch["old"])
        self._skipped["depth without levels"] += int(batch["no_levels"])
        self._skipped["trade told twice"] += int(batch["other_trades"])
        self._skipped["blank line"] += int(batch["blank"])
        kinds = batch["kinds"]
        for kind in (decoded.UNKNOWN, decoded.BOOK_TICKER, decoded.PARTIAL_DEPTH):
            self._skipped[KINDS[kind]] += int(kinds[kind])
        report.messages = {KINDS[i]: int(n) for i, n in enumerate(kinds) if n}
        report.skipped = {reason: n for reason, n in self._skipped.items() if n}
        report.refused = dict(self._refused)
        report.clock_back = int(batch["clock_back"])
        report.ts_last = int(batch["ts_local"])
        venues = self._tables.as_dict()
        report.venue = venues["venues"][0]["name"]
        names = self._tables.instrument_names()
        report.instruments = dict(zip(names, venues["instruments"], strict=True))
        return report
