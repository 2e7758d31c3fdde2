"""The second pass of the import: lines -> streams; and, in Python, all that is rare.

In:        pieces of captures, the tables of the first pass or of the capture.
Out:       records to an archive writer; an ImportReport.
Must not know: files; how messages are decoded, checked and applied (market_data/take.py).

The lines go through the same feed as a handler's messages. What a handler does beside it is done
here: channels are named, books that wait for a snapshot have their changes kept.
"""

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mantra.archive import ArchiveWriter
from mantra.backtest import import_lines as lines
from mantra.backtest.captures import Piece
from mantra.backtest.import_survey import Survey, set_piece
from mantra.backtest.import_venues import IMPORT_VENUES
from mantra.backtest.sink import Sink
from mantra.exchanges import bridging, decoded
from mantra.exchanges.bitfinex import channels
from mantra.exchanges.decoded import KINDS
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data import take
from mantra.market_data.feed import Feed
from mantra.market_data.venues import VENUES
from mantra.messages import enums
from mantra.messages.decimals import BYTE
from mantra.messages.tables import Tables

HELD_MAX = 1 << 16  # messages of a book that wait for a snapshot: some 100 MB
LISTED_MAX = 20
NOT_TAKEN = (
    *(decoded.UNKNOWN, decoded.BOOK_TICKER, decoded.PARTIAL_DEPTH),
    *(decoded.CHECKSUM, decoded.HEARTBEAT, decoded.CONTROL),
)
KRAKEN_V1_DEPTH = re.compile(rb'"book-(\d+)"')


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
    checksums: int = 0  # of books, compared
    mismatches: int = 0  # of them; each is among the gaps
    empty_starts: list[tuple[str, int, str]] = field(default_factory=list)  # file, line, instrument
    unnumbered: int = 0  # trades whose id is no integer
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
    """The second pass: lines -> streams, and all that is rare.

    `survey` None: a raw capture of this engine, whose tables are known. Its books are followed as
    the handler did, and none begins empty.
    """

    def __init__(self, source: str, tables: Tables, survey: Survey | None, writer: ArchiveWriter):
        self.report = ImportReport()
        self._source, self._tables, self._writer = source, tables, writer
        self._raw = survey is None
        self._venue = tables.venue(source) if survey is None else 0
        self._batch = aligned_zeros(1, lines.BATCH)
        batch = self._batch[0]
        self._sink = Sink(self._batch["ts_local"].ctypes.data)
        self._feed = Feed(self._sink, tables, lines.CONNECTIONS_MAX)
        self._seen, self._followed = self._feed.decoded[0], self._feed.followed
        self._index, count = self._feed.index(self._venue), len(tables.instruments)
        self._before = np.full(max(count, 1), -1)
        self._of_venue = tables.instruments["venue"] == self._venue
        for instrument in np.flatnonzero(self._of_venue):
            self._feed.ask(-1 if self._raw else 0, instrument)
        batch["feed"], batch["decoded"] = self._feed.address, address_of(self._feed.decoded)
        batch["index"], batch["before"] = self._index.address, address_of(self._before)
        self._channels: dict[int, np.ndarray] = {}
        # Snapshots still to come: a book without a base waits only for those.
        self._to_come = [0] * count
        self._followed["depth"] = VENUES["kraken"].depth if source.startswith("kraken") else 0
        if survey is None:
            self._bridged = source in VENUES and bool(VENUES[source].rules.snapshot_url)
        else:
            self._bridged = IMPORT_VENUES[source].begins_empty
            self._to_come = [int(n) for n in survey.surveys["snapshots"][:count]]
            if count == 1:
                batch["unnamed"] = self._followed[0]["slot"]
        self._held: dict[int, list[tuple[int, bytes]]] = {}  # messages by instrument
        self._empty: set[int] = set()  # books told to begin with what comes
        self._skipped, self._refused, self._written = (Counter[str]() for _ in range(3))
        self._file, self._first_line = "", 1

    # ------------------------------------------------------------ lines

    def take(self, file: str, piece: Piece) -> None:
        """Import some lines of a file."""
        connections = {lines.OPENED: self._on_opened, lines.ENDED: self._on_ended}
        messages = {lines.REFUSED: self._on_refused, lines.TOLD: self._on_told}
        handlers = {lines.FULL: self._flush} | connections | messages
        self._file, self._first_line = file, piece.first_line
        set_piece(self._batch, piece)
        self.report.lines += len(piece.ends)
        while (event := int(lines.import_lines(address_of(self._batch)))) != lines.END:
            handlers[event]()

    def _line(self) -> int:
        """Number of the line just read, in its file."""
        return self._first_line + int(self._batch["line"][0]) - 1

    def _text(self) -> bytes:
        """The message just read."""
        batch = self._batch[0]
        return records_at(batch["message"], int(batch["length"]), BYTE).tobytes()

    def _take(self, connection: int, text: bytes) -> int:
        """Take a message that was read before, now."""
        self._flush()
        todo = self._feed.take(connection, text, int(self._batch["ts_local"][0]))
        self._note_gaps()
        return todo

    def _flush(self) -> None:
        for stream in ("l2", "trades"):
            rows = self._sink.take(stream)
            if len(rows):
                self._writer.append(stream, rows)
                self._written[stream] += len(rows)

    def _on_refused(self) -> None:
        batch = self._batch[0]
        reason = lines.REASONS[int(batch["reason"])]
        self._refused[reason] += 1
        if len(self.report.refusals) < LISTED_MAX:
            position = int(batch["position"])
            self.report.refusals.append(Refusal(self._file, self._line(), position, reason))
        instrument = int(self._seen["instrument"])
        if batch["reason"] == lines.NOT_A_LINE or instrument < 0:
            return
        self._note_gaps()
        if self._seen["kind"] == decoded.SNAPSHOT:
            self._snapshot_came(instrument)

    # ------------------------------------------------------------ connections

    def _on_opened(self) -> None:
        batch = self._batch[0]
        row = max(int(batch["connection"]), 0)
        batch["latest"] = max(row, batch["latest"])
        self._feed.open(row, self._source, self._venue, bridged=self._bridged)
        if self._source == "bitfinex":
            table = aligned_zeros(channels.SLOTS, channels.CHANNEL)
            self._channels[row] = table
            self._feed.connections[row]["index"] = address_of(table)

    def _on_ended(self) -> None:
        """As the handler: a successor carries the books on, if ids tell what is missing."""
        self._skipped["connection ended"] += 1
        row, connections = int(self._batch["connection"][0]), self._feed.connections
        carried, before = self._followed["connection"], self._before
        connections[row]["index"] = 0
        self._channels.pop(row, None)
        if self._bridged:
            of = (carried == row) | (before == row)
            heirs = {int(heir) for heir in (*carried[of], *before[of]) if heir >= 0}
            heirs = {heir for heir in heirs if connections[heir]["index"]}
            if heirs:
                carried[carried == row] = max(heirs)
        take.cut(self._feed.address, row)
        gone = carried == row
        before[gone] = -1 if self._bridged else self._batch["latest"][0]
        for instrument in np.flatnonzero(gone):
            self._feed.ask(-1, instrument)
        self._sink.take("events")

    def _on_control(self) -> None:
        row = int(self._batch["connection"][0])
        try:
            said = json.loads(self._text())
            if row in self._channels and said["event"] == "subscribed":
                channels.open_channel(self._channels[row], self._index, said)
            elif row in self._channels and said["event"] == "unsubscribed":
                channels.close_channel(self._channels[row], int(said["chanId"]))
            elif self._source == "kraken" and "depth" in said["result"]:
                of = self._followed["slot"] == self._index.slot(said["result"]["symbol"])
                self._followed["depth"][of] = said["result"]["depth"]
        except (ValueError, LookupError, TypeError, StopIteration):
            return  # of no book that is followed

    # ------------------------------------------------------------ books

    def _on_told(self) -> None:
        """The message just taken is a snapshot, or something is to be done about it."""
        self._note_gaps()
        kind, instrument = int(self._seen["kind"]), int(self._seen["instrument"])
        if kind == decoded.CONTROL:
            self._on_control()
        elif kind == decoded.SNAPSHOT:
            self._on_snapshot(instrument)
        elif kind == decoded.DEPTH and self._bridged and self._waits(instrument):
            held = self._held.setdefault(instrument, [])
            held.append((int(self._batch["connection"][0]), self._text()))
            self._let_go(instrument)

    def _waits(self, instrument: int) -> bool:
        return bool(self._followed[instrument]["bridge"]["state"] == bridging.WAITING)

    def _note_gaps(self) -> None:
        for event in self._sink.take("events"):
            if event["kind"] == enums.EVENT_GAP:
                name = self._tables.instrument_name(int(event["instrument"]))
                self.report.gaps.append(Gap(self._file, self._line(), name, int(event["value"])))

    def _on_snapshot(self, instrument: int) -> None:
        if self._source == "kraken-v1" and (depth := KRAKEN_V1_DEPTH.search(self._text())):
            self._followed[instrument]["depth"] = int(depth[1])
        if self._followed[instrument]["bridge"]["state"] == bridging.FOLLOWING:
            self._skipped["snapshot older than the book"] += 1
        elif not self._waits(instrument):
            self._empty.discard(instrument)
            self._follow(instrument)
        self._snapshot_came(instrument)

    def _snapshot_came(self, instrument: int) -> None:
        """One that a book may be waiting for was used, or cannot be."""
        self._to_come[instrument] -= 1
        self._let_go(instrument)

    def _follow(self, instrument: int) -> None:
        """Apply what was held behind the base the book now has, as far as it goes."""
        held = self._held.pop(instrument, [])
        old = int(self._followed[instrument]["old"])
        while held:
            connection, text = held.pop(0)
            if not self._feed.connections[connection]["index"]:
                self._skipped["depth of a connection that ended"] += 1
            elif self._take(connection, text) in (take.KEEP, take.BROKEN):
                self._held[instrument] = [(connection, text), *held]
                break
        before = "depth before the snapshot"
        self._skipped[before] += int(self._followed[instrument]["old"]) - old

    def _let_go(self, instrument: int) -> None:
        """No snapshot to wait for: the book begins with what was held."""
        waits = self._to_come[instrument] > 0 and len(self._held.get(instrument, ())) < HELD_MAX
        if self._raw or waits:
            return
        while held := self._held.get(instrument):
            if instrument not in self._empty:
                self._empty.add(instrument)
                place = self._file, self._line(), self._tables.instrument_name(instrument)
                self.report.empty_starts.append(place)
            connection, text = held.pop(0)
            self._take(connection, text)
            if self._seen["count"]:
                self._empty.discard(instrument)
                lines.begin_here(self._feed.address, connection)
                self._follow(instrument)

    # ------------------------------------------------------------ the end

    def finish(self) -> ImportReport:
        """Write what is left, and say what was done."""
        self._flush()
        batch, report, skipped = self._batch[0], self.report, self._skipped
        known = skipped["depth before the snapshot"] + skipped["snapshot older than the book"]
        skipped["depth without a snapshot"] = sum(map(len, self._held.values()))
        skipped["depth without a snapshot"] += int(batch["baseless"])
        skipped["depth already in the book"] = int(self._followed["old"].sum()) - known
        skipped["depth without levels"] = int(batch["no_levels"])
        skipped["trade told twice"] = int(self._followed["old_trades"].sum())
        skipped["line without a message"] = int(batch["blank"])
        kinds = batch["kinds"]
        for kind in NOT_TAKEN:
            skipped[KINDS[kind]] += int(kinds[kind])
        report.messages = {KINDS[i]: int(n) for i, n in enumerate(kinds) if n}
        report.skipped = {reason: n for reason, n in skipped.items() if n}
        report.refused = dict(self._refused)
        report.levels, report.trades = self._written["l2"], self._written["trades"]
        report.checksums = int(self._followed["checked"].sum())
        report.mismatches = int(self._followed["mismatches"].sum())
        report.clock_back = int(batch["clock_back"])
        report.ts_first, report.ts_last = int(batch["ts_first"]), int(batch["ts_local"])
        facts = self._tables.as_dict()
        report.venue = facts["venues"][self._venue]["name"]
        names = self._tables.instrument_names()
        for i in np.flatnonzero(self._of_venue):
            report.instruments[names[i]] = facts["instruments"][i]
        return report
