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
        wanted = fields_of(self.dtype(stream), columns, stream)
        parts = list(self.blocks(stream, start, end, columns, skip_damaged))
        return np.concatenate(parts) if parts else np.empty(0, wanted)

    def blocks(
        self,
        stream: str,
        start: int | None = None,
        end: int | None = None,
        columns: Sequence[str] | None = None,
        skip_damaged: bool = False,
    ) -> Iterator[np.ndarray]:
        """The same, a block at a time: arrays that are not empty, in order of arrival."""
        index = self._index(stream)
        description = self._description(stream)
        first = TIME_MIN if start is None else start
        behind = TIME_MAX if end is None else end
        whole = (start, end) == (None, None)
        time_column = description["time_column"]
        if not whole and time_column is None:
            raise ArchiveError(f"stream {stream!r} has no time column: read it whole")
        wanted = fields_of(self.dtype(stream), columns, stream)
        for position, item in enumerate(index.items):
            if isinstance(item, Damage):
                if not item.tail and _may_overlap(index, position, first, behind):
                    self._damaged(item, skip_damaged)
                continue
            if not whole and (item.ts_max < first or item.ts_min >= behind):
                continue
            inside = whole or (first <= item.ts_min and item.ts_max < behind)
            needed = wanted
            if not inside and time_column not in (wanted.names or ()):
                names = [time_column, *(wanted.names or ())]
                needed = fields_of(self.dtype(stream), names, stream)
            try:
                rows = decode_block(description, item, needed)
            except ArchiveError as error:
                self._damaged(_damage_of(item, str(error)), skip_damaged)
                continue
            if not inside:
                stamps = rows[time_column]
                rows = rows[(stamps >= first) & (stamps < behind)]
                rows = rows if needed is wanted else narrow(rows, wanted)
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


def narrow(rows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Copy of the fields that `dtype` has."""
    narrowed = np.empty(len(rows), dtype)
    for name in dtype.names or ():
        narrowed[name] = rows[name]
    return narrowed


def decode_block(description: dict, block: Block, wanted: np.dtype) -> np.ndarray:
    """The rows of a block with the fields of `wanted`. Raises ArchiveError if it is damaged."""
    names = wanted.names or ()
    order = decoding_order(description, set(names))
    columns = description["columns"]
    if len(columns) != len(block.directory):
        raise ArchiveError(f"{len(block.directory)} columns, the file header has {len(columns)}")
    whole = dtype_of(description)
    decoded = {columns[i]["field"] for i in order}
    into = wanted
    if decoded != set(names):  # Predictors come along.
        into = fields_of(whole, [name for name in whole.names or () if name in decoded], "")
    rows = np.zeros(block.rows, into)
    bodies = read_columns(block, order)
    for i in order:
        kind, shape = whole[columns[i]["field"]].base, whole[columns[i]["field"]].shape
        count = block.rows * int(np.prod(shape, dtype=np.int64))
        try:
            values = decode(int(block.directory[i]["encoding"]), bodies[i], kind, count)
        except Exception as error:  # pcodec raises RuntimeError, zlib its own, NumPy ValueError
            raise ArchiveError(f"column {i} cannot be decoded: {error}") from error
        put_column(rows, columns[i], values)
    return rows if into is wanted else narrow(rows, wanted)


def _damage_of(block: Block, what: str) -> Damage:
    return Damage(block.path, block.offset, block.number, block.first_row, block.rows, what)


def _may_overlap(index: StreamIndex, position: int, first: int, behind: int) -> bool:
    """Whether the rows lost at an item may be of [first, behind): judged by its neighbours."""
    before = [i for i in index.items[:position] if isinstance(i, Block)]
    after = [i for i in index.items[position:] if isinstance(i, Block)]
    earliest = before[-1].ts_min if before else TIME_MIN
    latest = after[0].ts_max if after else TIME_MAX
    return latest >= first and earliest < behind


__all__ = ["ArchiveReader", "decode_block", "read_metadata"]
