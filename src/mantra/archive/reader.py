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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mantra.archive import merge, segment
from mantra.archive.columns import decode, decoding_order, dtype_of, put_column
from mantra.archive.layout import RUN_FILE, ArchiveError, Block, Damage, segment_files

LOG = logging.getLogger("mantra.archive")
Time = int | None  # None: open
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
            sought = "neither run.json nor <stream>.<n>.mantra files"
            raise ArchiveError(f"{self.directory}: no archive: {sought}")
        self._indexes = {stream: segment.index_stream(stream, files[stream]) for stream in files}
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

    def read(
        self,
        stream: str,
        start: Time = None,
        end: Time = None,
        columns: Sequence[str] | None = None,
        skip_damaged: bool = False,
    ) -> np.ndarray:
        """All rows of [start, end) as one array of the stream's dtype, or of these fields of it."""
        parts = list(self.blocks(stream, start, end, columns, skip_damaged))
        kept = fields_of(self.dtype(stream), columns, stream)
        result = np.empty(sum(map(len, parts)), kept)
        return np.concatenate(parts, out=result) if parts else result

    def blocks(
        self,
        stream: str,
        start: Time = None,
        end: Time = None,
        columns: Sequence[str] | None = None,
        skip_damaged: bool = False,
    ) -> Iterator[np.ndarray]:
        """The same, a block at a time: arrays that are not empty, in order of arrival."""
        items, dtype = self._index(stream).items, self.dtype(stream)
        time_column = self._description(stream)["time_column"]
        if time_column is None and (start, end) != (None, None):
            raise ArchiveError(f"stream {stream!r} has no time column: read it whole")
        wanted = fields_of(dtype, columns, stream)
        names = wanted.names or ()
        timed = wanted
        if time_column not in (None, *names):
            timed = fields_of(dtype, [time_column, *names], stream)
        first = TIME_MIN if start is None else start
        behind = TIME_MAX if end is None else end
        for position, item in enumerate(items):
            earliest, latest = span_of(items, position)
            if latest < first or earliest >= behind:
                continue
            if isinstance(item, Damage):
                if not item.tail:
                    self._damaged(item, skip_damaged)
                continue
            all_wanted = first <= earliest and latest < behind
            rows = np.zeros(item.rows, wanted if all_wanted else timed)
            try:
                decode_block(self._description(stream), item, rows)
            except ArchiveError as error:
                self._damaged(item.damage(str(error)), skip_damaged)
                continue
            if not all_wanted:
                stamps = rows[time_column]
                rows = narrowed(rows[(stamps >= first) & (stamps < behind)], wanted)
            if len(rows):
                yield rows

    def interleaved(
        self, streams: list[str], start: Time = None, end: Time = None, skip_damaged: bool = False
    ) -> merge.Chunks:
        """Several streams in order of time: chunks of (rows of each stream, order).

        order[k] (int8) is the index in `streams` of the chunk's k-th row; take that stream's next
        row. Chunk behind chunk this is the whole range.
        """
        sources = []
        for stream in streams:
            column = self._description(stream)["time_column"]
            if column is None:
                raise ArchiveError(f"stream {stream!r} has no time column: it cannot be merged")
            blocks = self.blocks(stream, start, end, None, skip_damaged)
            sources.append(merge.Source(blocks, column, np.empty(0, self.dtype(stream))))
        return merge.interleaved(sources)

    def _damaged(self, damage: Damage, skip: bool) -> None:
        if not skip:
            advice = "Read with skip_damaged=True to go on without these rows"
            more = "`verify` lists all damage; `repair` cuts it off if it is the file's last block"
            raise ArchiveError(f"{damage}. {advice}; {more}")
        if damage not in self.damages:
            self.damages.append(damage)
            LOG.warning("%s", damage)

    def _index(self, stream: str) -> segment.StreamIndex:
        if stream not in self._indexes:
            there = ", ".join(self.streams)
            raise ArchiveError(f"{self.directory} has no stream {stream!r}; it has {there}")
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


def fields_of(dtype: np.dtype, columns: Iterable[str] | None, stream: str) -> np.dtype:
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
    bodies = segment.read_columns(block, order)
    for i in order:
        field = whole[columns[i]["field"]]
        count = block.rows * int(np.prod(field.shape, dtype=np.int64))
        try:
            values = decode(int(block.directory[i]["encoding"]), bodies[i], field.base, count)
        except Exception as error:  # pcodec raises RuntimeError, zlib its own, NumPy ValueError
            raise ArchiveError(f"column {i} cannot be decoded: {error}") from error
        put_column(into, columns[i], values)
    if into is not rows:
        rows[:] = narrowed(into, rows.dtype)


def narrowed(rows: np.ndarray, wanted: np.dtype) -> np.ndarray:
    """These rows with only the fields of `wanted`."""
    if rows.dtype == wanted:
        return rows
    kept = np.zeros(len(rows), wanted)
    for name in wanted.names or ():
        kept[name] = rows[name]
    return kept


def span_of(items: list[Block | Damage], position: int) -> tuple[int, int]:
    """First and last time that rows of an item can have: of damage, judged by what is around it."""
    item = items[position]
    if isinstance(item, Block):
        return item.ts_min, item.ts_max
    before = [i.ts_min for i in items[:position] if isinstance(i, Block)]
    after = [i.ts_max for i in items[position:] if isinstance(i, Block)]
    return before[-1] if before else TIME_MIN, after[0] if after else TIME_MAX
