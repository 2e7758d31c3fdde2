"""Import of Tardis' CSV files -> an archive: incremental_book_L2 and trades, merged by time.

In:        files, gzip or plain, of either kind, of any exchanges and symbols, in any order:
               exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
               exchange,symbol,timestamp,local_timestamp,id,side,price,amount
Out:       an archive with the streams "l2" and "trades" and the tables; an ImportReport.
Must not know: terminals.

Source: https://docs.tardis.dev/downloadable-csv-files/data-types. Times are µs; `local_timestamp`
becomes `ts_origin`. Rows in a row that share both times are one message: one group. A snapshot
replaces the book, unless the message before was part of one too. Rows before a book's first
snapshot are of no use, and counted. Trades whose taker is unknown are left out and counted: a
record has a side. Ids that are no integers become 0 and are counted. A line that is no row ends the
import with its number: these files are made by a program, not recorded.

Prices and volumes have DECIMALS unless told otherwise; tick and lot are the coarsest steps that
divide them all. So one pass is enough, and the tables are written behind it. Only numbers and
groups need a loop, and that is compiled; all else is done to columns at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mantra.archive import ArchiveWriter
from mantra.archive.merge import Source, interleaved
from mantra.backtest.captures import CaptureError, Damage, Piece, Progress, pieces
from mantra.backtest.import_session import ImportReport
from mantra.backtest.import_survey import add_seen
from mantra.backtest.importer import new_archive
from mantra.compiled import compiled
from mantra.icc.memory import aligned_zeros
from mantra.messages.decimals import OK, parse_decimal
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables

COLUMNS = "exchange,symbol,timestamp,local_timestamp,{},side,price,amount"
HEADERS = COLUMNS.format("is_snapshot"), COLUMNS.format("id")
LEVELS, TRADES = range(2)  # which of them
TIME, LOCAL, ID, SIDE, PRICE, AMOUNT = range(2, 8)
UNKNOWN_SIDE, NO_SIDE = 2, "trade of unknown side"
# By a word's first letter: bid, buy, ask, sell, unknown; true, false.
SIDES, FLAGS = np.full((2, 256), -1)
SIDES[[*b"basu"]] = BID, ASK, ASK, UNKNOWN_SIDE
FLAGS[[*b"tf"]] = SNAPSHOT, 0
NS_DECIMALS = 3  # of µs
DECIMALS = 8  # the finest of nearly all venues; 92 billion fit
INSTRUMENTS_MAX = 1 << 16
NOTHING, CHANGES, IN_SNAPSHOT = range(3)  # what came last of a book


@compiled
def read_numbers(text, cells, column, exponents, values, bad):
    """Read a column of decimals: `cells` has where each row's columns begin, and behind the last"""
    for i in range(len(cells)):
        at, after = cells[i, column], cells[i, column + 1] - 1
        values[i], status = parse_decimal(text + at, after - at, exponents[i])
        bad[i] = status != OK or values[i] < 0


@compiled
def group_rows(rows, states, messages):
    """Make groups of levels in order of time, and leave out what has no base: how many are left."""
    left, whole = np.int64(0), np.int64(0)
    for at in range(len(rows)):
        row, before, whole_before = rows[at], rows[left - 1], whole
        instrument, whole = row["instrument"], np.int64(row["flags"])
        if (
            left > 0
            and before["instrument"] == instrument
            and before["ts_origin"] == row["ts_origin"]
            and before["ts_exchange"] == row["ts_exchange"]
            and whole_before == whole
        ):
            before["flags"] &= ~LAST
            row["flags"] = (before["flags"] & SNAPSHOT) | LAST
        elif whole == 0 and states[instrument] == NOTHING:
            messages[0] += 1
            continue
        else:
            begins = whole != 0 and states[instrument] != IN_SNAPSHOT
            messages[2 if begins else 1] += 1
            row["flags"] = FIRST | LAST | (SNAPSHOT if begins else 0)
        states[instrument] = CHANGES if whole == 0 else IN_SNAPSHOT
        rows[left] = row
        left += 1
    return left


class _Reader:
    """Files -> rows, and what is known of their instruments."""

    def __init__(self, exponents: dict[str, tuple[int, int]], progress: Progress | None):
        self.report, self._given, self._progress = ImportReport(venue="tardis"), exponents, progress
        self.total, self._done, self.damages = 0, 0, list[Damage]()
        self.instruments: dict[str, int] = {}  # "exchange,symbol" -> number
        self.exponents = np.zeros((INSTRUMENTS_MAX, 2), np.int64)  # of price and volume
        self.steps = np.zeros_like(self.exponents)  # their greatest common divisors

    def rows(self, path: Path) -> Iterator[np.ndarray]:
        """All rows of a file, piece by piece, as L2_UPDATE: trades are the same bytes, TRADES."""
        latest, before, kind = 0, 0, -1
        for piece, done in pieces(path, self.damages):
            self._done, before = self._done + done - before, done
            if self._progress:
                self._progress(self._done, self.total)
            if piece.first_line == 1:
                header = piece.text[: int(piece.ends[0])].tobytes().decode(errors="replace")
                if header not in HEADERS:
                    known = " or ".join(HEADERS)
                    raise CaptureError(f"{path}: line 1 is {header[:100]!r}, expected {known}")
                kind = HEADERS.index(header)
            commas = np.flatnonzero(piece.text == ord(","))
            count = np.diff(np.searchsorted(commas, piece.ends), prepend=0)
            _refuse(path, piece.first_line, count != AMOUNT, "not a row of eight columns")
            begins = np.append(0, piece.ends[:-1] + 1)
            cells = np.column_stack([begins, commas.reshape(-1, AMOUNT) + 1, piece.ends + 1])
            rows = self._records(path, piece, cells[piece.first_line == 1 :], kind)
            local = np.append(latest, rows["ts_origin"])
            rows["ts_origin"] = np.maximum.accumulate(local)[1:]
            latest = int(local.max())
            self.report.lines += len(piece.ends)
            self.report.clock_back += int((local[1:] < rows["ts_origin"]).sum())
            if len(rows):
                yield rows

    def _records(self, path: Path, piece: Piece, cells: np.ndarray, kind: int) -> np.ndarray:
        text = piece.text.tobytes().decode("latin-1")  # a character a byte
        rows = aligned_zeros(len(cells), L2_UPDATE)
        line, bad = piece.first_line + len(piece.ends) - len(cells), np.zeros(len(cells), np.bool_)
        bounds = cells[:, 0].tolist(), (cells[:, TIME] - 1).tolist()
        names = [text[at:after] for at, after in zip(*bounds, strict=True)]
        for name in dict.fromkeys(names):
            if name not in self.instruments:
                self.exponents[len(self.instruments)] = self._given.get(
                    name.partition(",")[2], (DECIMALS, DECIMALS)
                )
                self.instruments[name] = len(self.instruments)
        of = np.array([self.instruments[name] for name in names], np.int64)
        rows["instrument"], rows["unused"] = of, kind
        side, flags = SIDES[piece.text[cells[:, SIDE]]], FLAGS[piece.text[cells[:, ID]]]
        _refuse(path, line, (side < 0) | (side > ASK + kind), "the side is none")
        _refuse(path, line, flags < -kind, "is_snapshot is neither true nor false")
        rows["side"], rows["flags"] = side, FIRST | LAST if kind == TRADES else flags
        time, whole = np.full((2, len(rows)), [[NS_DECIMALS], [0]])
        price, volume = np.ascontiguousarray(self.exponents[of].T)
        for column, name, exponents in (
            *((TIME, "ts_exchange", time), (LOCAL, "ts_origin", time)),
            *((PRICE, "price", price), (AMOUNT, "volume", volume), (ID, "sequence", whole)),
        ):
            found = np.zeros(len(rows), np.int64)
            read_numbers(piece.address, cells, column, exponents, found, bad)
            rows[name] = found
            if column != ID:
                _refuse(path, line, bad, f"the {name} is none, or does not fit its decimals")
        self.report.unnumbered += int(bad.sum()) if kind == TRADES else 0
        sizes = np.column_stack([rows["price"], rows["volume"]])
        for i in np.unique(of):
            self.steps[i] = np.gcd(self.steps[i], np.gcd.reduce(sizes[of == i]))
        return rows

    def tables(self) -> Tables:
        tables = Tables()
        for name, number in self.instruments.items():
            exchange, symbol = name.split(",")
            steps = np.maximum(self.steps[number], 1).tolist()
            price, volume = zip(self.exponents[number].tolist(), steps, strict=True)
            add_seen(tables, exchange, symbol, price, volume)
        return tables


def _refuse(path: Path, line: int, bad: np.ndarray, reason: str) -> None:
    """Raises CaptureError for the first bad line; `line` is the number of the first of all."""
    if bad.any():
        raise CaptureError(f"{path}: line {line + int(np.argmax(bad))}: {reason}")


def merged(files: Sequence[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """The rows of several files in order of time, all of a moment in one array."""
    rest = np.zeros(0, L2_UPDATE)
    sources = [Source(rows, "ts_origin", rest) for rows in files]
    for parts, order in interleaved(sources):
        rows = np.concatenate([rest, *parts])
        rows[len(rest) + np.argsort(order, kind="stable")] = np.concatenate(parts)
        cut = int(np.searchsorted(rows["ts_origin"], rows["ts_origin"][-1]))
        rest = rows[cut:]
        yield rows[:cut]
    yield rest


def import_tardis(
    files: Sequence[Path | str],
    archive_dir: Path | str,
    *,
    exponents: dict[str, tuple[int, int]] | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import files into a new archive. Raises CaptureError, OSError, ValueError.

    `exponents`: price and volume exponent by symbol, where they are not to be DECIMALS.
    """
    directory, paths = new_archive(archive_dir), [Path(file) for file in files]
    reader = _Reader(exponents or {}, progress)
    reader.total = sum(path.stat().st_size for path in paths)
    report, groups = reader.report, np.zeros(3, np.int64)
    states = np.zeros(INSTRUMENTS_MAX, np.int64)
    with ArchiveWriter(directory, {"clock": "utc_ns"}) as writer:
        for rows in merged([reader.rows(path) for path in paths]):
            levels, trades = (rows[rows["unused"] == kind] for kind in (LEVELS, TRADES))
            levels = levels[: int(group_rows(levels, states, groups))]
            sided = trades[trades["side"] != UNKNOWN_SIDE]
            report.levels, report.trades = report.levels + len(levels), report.trades + len(sided)
            report.skipped[NO_SIDE] = report.skipped.get(NO_SIDE, 0) + len(trades) - len(sided)
            sided["unused"] = 0
            for stream, kept in (("l2", levels), ("trades", sided.view(TRADE_UPDATE))):
                if len(kept):
                    writer.append(stream, kept)
                    report.ts_first = min(report.ts_first or 1 << 62, int(kept[0]["ts_origin"]))
                    report.ts_last = max(report.ts_last, int(kept[-1]["ts_origin"]))
        tables, names = reader.tables(), [path.name for path in paths]
        writer.update_metadata({"files": names, "tables": tables.as_dict()})
    report.skipped["depth before the snapshot"], depth, snapshots = groups.tolist()
    report.messages = {"depth": depth, "snapshot": snapshots, "trade": report.trades}
    report.damaged = [str(damage) for damage in reader.damages]
    facts = tables.as_dict()["instruments"]
    report.instruments = dict(zip(tables.instrument_names(), facts, strict=True))
    return report
