"""Reading an archive: by stream and range of time, in bounded memory, exact.

    reader = ArchiveReader(directory)
    reader.read("l2", start, end, columns=["price", "volume"])

Opening reads headers only. What a crash left unfinished is skipped, and said in `damages` and in
the log. Any other damage raises ArchiveError when a range that may hold its rows is read, unless
`skip_damaged` is given: then the rest is read and `damages` names the rows lost, exactly.

A range of time is [start, end) of the time column, None being open; units are those of the run's
clock (metadata). Rows come in the order of arrival, as they were published.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mantra.archive.columns import decode, decoding_order, dtype_of, put_column
from mantra.archive.layout import RUN_FILE, ArchiveError, Block, Damage, segment_files
from mantra.archive.merge import Source, interleaved, runs
from mantra.archive.segment import StreamIndex, index_stream, read_columns

LOG = logging.getLogger("mantra.archive")
TIME_MIN, TIME_MAX = -(1 << 63), 1 << 63


class ArchiveReader:
    """Reads the archive as it is when opened. Raises ArchiveError if it is none.

    `damages` lists what is known to be wrong with it.
    """

    def __init__(self, directory: Path | str):
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise ArchiveError(f"{self.directory}: no such directory")
        files = segment_files(self.directory)
        self.metadata = read_metadata(self.directory)
        if not files and not self.metadata:
            raise ArchiveError(
                f"{self.directory}: no archive: neither run.json nor <stream>.<n>.mantra files"
            )
        self._indexes = {stream: index_stream(stream, files[stream]) for stream in files}
        self.damages = [d for index in self._indexes.values() for d in index.damages]
        for damage in self.damages:
            LOG.warning("%s", damage)

    @property
    def streams(self) -> list[str]:
        return list(self._indexes)

    def dtype(self, stream: str) -> np.dtype:
        """The stream's records, as they were written."""
        return dtype_of(self._description(stream))

    def rows(self, stream: str) -> int:
        """Rows that can be read, as far as headers tell."""
        return sum(block.rows for block in self._index(stream).blocks)

    def time_range(self, stream: str) -> tuple[int, int] | None:
        """(first, last) time of a stream, both inclusive; None if it has no rows or no time."""
        blocks = self._index(stream).blocks
        if not blocks or not self._description(stream)["time_column"]:
            return None
        return min(b.ts_min for b in blocks), max(b.ts_max for b in blocks)

    def time_column(self, stream: str) -> str | None:
        """Name of the field that ranges of time mean; None if the stream has none."""
        return self._description(stream)["time_column"]

    def read(
        self,
        stream: str,
        start: int | None = None,
        end: int | None = None,
        columns: Sequence[str] | None = None,
        skip_damaged: bool = False,
    ) -> np.ndarray:
        """All rows of [start, end) as one array of the stream's dtype, or of these fields of it."""
        span = self._span(stream, start, end, columns)
        most = sum(b.rows for b in self._index(stream).blocks if span.overlaps(b))
        result = np.zeros(most, span.wanted)
        count = 0
        for block in self._selected(span, skip_damaged):
            if span.holds(block):  # Decode it where it belongs.
                rows = result[count : count + block.rows]
                count += self._decode(span, block, rows, skip_damaged)
            else:
                rows = np.zeros(block.rows, span.needs(block))
                if self._decode(span, block, rows, skip_damaged):
                    rows = span.cut(block, rows)
                    result[count : count + len(rows)] = rows
                    count += len(rows)
        return result[:count] if 2 * count > most else result[:count].copy()

    def blocks(
        self,
        stream: str,
        start: int | None = None,
        end: int | None = None,
        columns: Sequence[str] | None = None,
        skip_damaged: bool = False,
    ) -> Iterator[np.ndarray]:
        """The same, a block at a time: arrays that are not empty, in order of arrival."""
        span = self._span(stream, start, end, columns)
        for block in self._selected(span, skip_damaged):
            rows = np.zeros(block.rows, span.needs(block))
            if self._decode(span, block, rows, skip_damaged):
                rows = span.cut(block, rows)
                if len(rows):
                    yield rows

    def interleaved(
        self,
        streams: Sequence[str],
        start: int | None = None,
        end: int | None = None,
        skip_damaged: bool = False,
    ) -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
        """Several streams in order of time: chunks of (rows of each stream, order).

        order[k] (int8) is the index in `streams` of the chunk's k-th row; take that stream's next
        row. Chunk behind chunk this is the whole range.
        """
        return interleaved(self._sources(streams, start, end, skip_damaged))

    def merged(
        self,
        streams: Sequence[str],
        start: int | None = None,
        end: int | None = None,
        skip_damaged: bool = False,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Several streams in order of time: runs of (stream, rows), as long as the runs are."""
        for chunk in self.interleaved(streams, start, end, skip_damaged):
            yield from ((streams[i], rows) for i, rows in runs(*chunk))

    def _sources(
        self, streams: Sequence[str], start: int | None, end: int | None, skip_damaged: bool
    ) -> list[Source]:
        sources = []
        for stream in streams:
            column = self.time_column(stream)
            if column is None:
                raise ArchiveError(f"stream {stream!r} has no time column: it cannot be merged")
            blocks = self.blocks(stream, start, end, None, skip_damaged)
            sources.append(Source(blocks, column, np.empty(0, self.dtype(stream))))
        return sources

    def _span(
        self, stream: str, start: int | None, end: int | None, columns: Sequence[str] | None
    ) -> "_Span":
        description = self._description(stream)
        time_column = description["time_column"]
        if time_column is None and (start, end) != (None, None):
            raise ArchiveError(f"stream {stream!r} has no time column: read it whole")
        dtype = dtype_of(description)
        wanted = fields_of(dtype, columns, stream)
        timed = wanted
        if time_column and time_column not in (wanted.names or ()):
            timed = fields_of(dtype, [time_column, *(wanted.names or ())], stream)
        first = TIME_MIN if start is None else start
        behind = TIME_MAX if end is None else end
        return _Span(self._index(stream), description, first, behind, wanted, timed)

    def _selected(self, span: "_Span", skip_damaged: bool) -> Iterator[Block]:
        """Blocks that may hold rows of the span. Raises where rows of it are known to be lost."""
        for position, item in enumerate(span.index.items):
            if isinstance(item, Block):
                if span.overlaps(item):
                    yield item
            elif not item.tail and span.may_have_lost(position):
                self._damaged(item, skip_damaged)

    def _decode(self, span: "_Span", block: Block, rows: np.ndarray, skip_damaged: bool) -> int:
        """Decode a block into `rows`; how many rows, 0 if it is damaged and may be skipped."""
        try:
            decode_block(span.description, block, rows)
        except ArchiveError as error:
            place = (block.path, block.offset, block.number, block.first_row, block.rows)
            self._damaged(Damage(*place, str(error)), skip_damaged)
            return 0
        return block.rows

    def _damaged(self, damage: Damage, skip: bool) -> None:
        if not skip:
            raise ArchiveError(
                f"{damage}. Read with skip_damaged=True to go on without these rows; "
                f"`verify` lists all damage; `repair` cuts it off if it is the file's last block"
            )
        if damage not in self.damages:
            self.damages.append(damage)
            LOG.warning("%s", damage)

    def _index(self, stream: str) -> StreamIndex:
        if stream not in self._indexes:
            raise ArchiveError(
                f"{self.directory} has no stream {stream!r}; it has {', '.join(self.streams)}"
            )
        return self._indexes[stream]

    def _description(self, stream: str) -> dict:
        index = self._index(stream)
        if index.description is None:
            raise ArchiveError(f"{index.items[0]}. No other segment says what the records are")
        return index.description


def read_metadata(directory: Path) -> dict[str, Any]:
    """Content of run.json; empty if there is none. Raises ArchiveError if it is damaged."""
    path = directory / RUN_FILE
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ArchiveError(f"{path}: damaged: {error}") from error


def fields_of(dtype: np.dtype, columns: Sequence[str] | None, stream: str) -> np.dtype:
    """The dtype itself, or an aligned one of these fields, in the given order."""
    if columns is None:
        return dtype
    unknown = [name for name in columns if name not in (dtype.names or ())]
    if unknown:
        raise ArchiveError(f"stream {stream!r} has no column {unknown[0]!r}; it has {dtype.names}")
    return np.dtype([(name, dtype[name]) for name in columns], align=True)


def decode_block(description: dict, block: Block, rows: np.ndarray) -> None:
    """Fill `rows` (as many as the block's, any fields). Raises ArchiveError if it is damaged."""
    names = set(rows.dtype.names or ())
    order = decoding_order(description, names)
    columns = description["columns"]
    if len(columns) != len(block.directory):
        raise ArchiveError(f"{len(block.directory)} columns, the file header has {len(columns)}")
    whole = dtype_of(description)
    decoded = {columns[i]["field"] for i in order}
    into = rows
    if decoded != names:  # Fields that predict those wanted come along.
        into = np.zeros(len(rows), fields_of(whole, sorted(decoded), description["stream"]))
    bodies = read_columns(block, order)
    for i in order:
        field = whole[columns[i]["field"]]
        count = block.rows * int(np.prod(field.shape, dtype=np.int64))
        try:
            values = decode(int(block.directory[i]["encoding"]), bodies[i], field.base, count)
        except Exception as error:  # pcodec raises RuntimeError, zlib its own, NumPy ValueError
            raise ArchiveError(f"column {i} cannot be decoded: {error}") from error
        put_column(into, columns[i], values)
    if into is not rows:
        copy_fields(into, rows)


def copy_fields(source: np.ndarray, target: np.ndarray) -> None:
    """Copy the fields that `target` has."""
    for name in target.dtype.names or ():
        target[name] = source[name]


@dataclass(frozen=True)
class _Span:
    """What a call wants of a stream: [first, behind) of its time, and these fields."""

    index: StreamIndex
    description: dict
    first: int
    behind: int
    wanted: np.dtype
    timed: np.dtype  # wanted, and the time column

    def overlaps(self, block: Block) -> bool:
        return block.ts_max >= self.first and block.ts_min < self.behind

    def holds(self, block: Block) -> bool:
        """Whether all of the block's rows are of the span."""
        return self.first <= block.ts_min and block.ts_max < self.behind

    def needs(self, block: Block) -> np.dtype:
        """Fields to decode: the time too, if not all rows of the block are of the span."""
        return self.wanted if self.holds(block) else self.timed

    def cut(self, block: Block, rows: np.ndarray) -> np.ndarray:
        """The rows that are of the span, with the fields wanted."""
        if self.holds(block):
            return rows
        stamps = rows[self.description["time_column"]]
        rows = rows[(stamps >= self.first) & (stamps < self.behind)]
        if rows.dtype == self.wanted:
            return rows
        narrowed = np.zeros(len(rows), self.wanted)
        copy_fields(rows, narrowed)
        return narrowed

    def may_have_lost(self, position: int) -> bool:
        """Whether rows lost at an item may be of the span: judged by the blocks around it."""
        before = [i for i in self.index.items[:position] if isinstance(i, Block)]
        after = [i for i in self.index.items[position:] if isinstance(i, Block)]
        earliest = before[-1].ts_min if before else TIME_MIN
        latest = after[0].ts_max if after else TIME_MAX
        return latest >= self.first and earliest < self.behind


__all__ = ["ArchiveReader", "decode_block", "read_metadata"]
