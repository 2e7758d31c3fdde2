"""The second pass of the import: lines -> streams; and, in Python, all that is rare.

In:        pieces of captures, the tables of the first pass.
Out:       records to an archive writer; an ImportReport.
Must not know: files; how the lines are decoded (import_lines.py).
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mantra.archive import ArchiveWriter
from mantra.backtest import import_lines as lines
from mantra.backtest.captures import Piece
from mantra.backtest.import_survey import L2_ROOM, Survey, new_batch, set_piece
from mantra.exchanges import bridging, decoded
from mantra.exchanges.decoded import DECODED, KINDS
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables

TRADES_ROOM = 16_384
HELD_MAX = 1_000_000  # records waiting for a snapshot: 56 MB
LISTED_MAX = 20
NOT_TAKEN = (
    *(decoded.UNKNOWN, decoded.BOOK_TICKER, decoded.PARTIAL_DEPTH),
    *(decoded.CHECKSUM, decoded.HEARTBEAT, decoded.CONTROL),
)


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


class Session:
    """The second pass: lines -> streams, and all that is rare."""

    def __init__(self, tables: Tables, survey: Survey, writer: ArchiveWriter):
        self.report = ImportReport()
        self._tables, self._writer = tables, writer
        self._l2 = aligned_zeros(L2_ROOM, L2_UPDATE)
        self._trades = aligned_zeros(TRADES_ROOM, TRADE_UPDATE)
        self._seen = aligned_zeros(1, DECODED)
        self._batch = new_batch(survey.venue, self._l2, self._trades, self._seen)
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
        self._held: list[list[tuple[np.ndarray, tuple[int, int, int]]]] = [[] for _ in range(count)]
        self._held_records = 0
        self._skipped: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._file, self._first_line = "", 1

    # ------------------------------------------------------------ lines

    def take(self, file: str, piece: Piece) -> None:
        """Import some lines of a file."""
        handlers = {
            lines.FULL: self._flush,
            lines.REFUSED: self._on_refused,
            lines.HELD: self._on_held,
            lines.GAPPED: self._on_gap,
            lines.SNAPSHOT_SEEN: self._on_snapshot,
        }
        self._file, self._first_line = file, piece.first_line
        set_piece(self._batch, piece)
        self.report.lines += len(piece.ends)
        while (event := int(lines.import_lines(address_of(self._batch)))) != lines.END:
            handlers[event]()

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
        seen = self._seen[0]
        if batch["reason"] < lines.NOT_A_LINE and seen["kind"] == decoded.SNAPSHOT:
            if seen["instrument"] >= 0:
                self._snapshot_lost(int(seen["instrument"]))

    def _snapshot_lost(self, instrument: int) -> None:
        """One that a book may be waiting for cannot be used."""
        self._to_come[instrument] -= 1
        if self._held[instrument] and not self._to_come[instrument]:
            self._let_go(instrument)

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
        if not self._to_come[instrument] or self._held_records > HELD_MAX:
            self._let_go(instrument)

    def _on_gap(self) -> None:
        self._note_gap(int(self._seen["instrument"][0]))
        self._on_held()

    def _note_gap(self, instrument: int) -> None:
        missed = int(self._bridges[instrument]["missed"])
        name = self._tables.instrument_name(instrument)
        self.report.gaps.append(Gap(self._file, self._line(), name, missed))

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
                    self._note_gap(instrument)
                self._held[instrument].append((records, ids))
                self._held_records += len(records)
        if self._held[instrument] and not self._to_come[instrument]:
            self._let_go(instrument)

    # ------------------------------------------------------------ the end

    def finish(self) -> ImportReport:
        """Write what is left, and say what was done."""
        self._flush()
        batch, report = self._batch[0], self.report
        for instrument in range(len(self._tables.instruments)):
            self._skipped["depth without a snapshot"] += len(self._held[instrument])
        self._skipped["depth already in the book"] += int(batch["old"])
        self._skipped["depth without levels"] += int(batch["no_levels"])
        self._skipped["trade told twice"] += int(batch["other_trades"])
        self._skipped["line without a message"] += int(batch["blank"])
        kinds = batch["kinds"]
        for kind in NOT_TAKEN:
            self._skipped[KINDS[kind]] += int(kinds[kind])
        report.messages = {KINDS[i]: int(n) for i, n in enumerate(kinds) if n}
        report.skipped = {reason: n for reason, n in self._skipped.items() if n}
        report.refused = dict(self._refused)
        report.clock_back = int(batch["clock_back"])
        report.ts_first, report.ts_last = int(batch["ts_first"]), int(batch["ts_local"])
        venues = self._tables.as_dict()
        report.venue = venues["venues"][0]["name"]
        names = self._tables.instrument_names()
        report.instruments = dict(zip(names, venues["instruments"], strict=True))
        return report
