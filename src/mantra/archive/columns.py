"""Records <-> columns, and columns <-> bytes. Compression happens here and nowhere else.

The fields of a dtype become columns by the stream's description (JSON, in each file header):

    {"stream": "l2", "itemsize": 56, "aligned": true, "time_column": "ts_origin",
     "fields":  [["ts_origin", "<i8", offset, shape], …],
     "columns": [{"field": "published", "part": "high", "shift": 16,
                  "plus": ["ts_stop"], "minus": ["ts_origin"]}, …]}

`part` all: the field as it is; high and low: a field that packs two numbers, split at `shift` (a
publisher id costs nothing, a publish delta does; together they would cost both). `plus` and
`minus` name 8-byte fields of the same row that predict this one: the column holds the difference
(modulo 2^64), so a time stamp costs what it adds to the stamps before it.

A column's bytes are one of

    CONSTANT  the one value, `itemsize` bytes
    PCODEC    a pcodec standalone file
    RUNS      u4 runs, u4 bytes of A, A: the value of each run, B: the length of each run as u4;
              A and B pcodec. What is the same for a whole group of price levels
    ZLIB      zlib, of columns that are not numbers (booleans, byte strings)

pcodec's own choice of mode and delta order by trial costs as much as the compression: it is made
here, by size, once every TRIAL_BLOCKS blocks a column, and kept in between.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, PagingSpec, standalone

from mantra.archive.layout import ArchiveError
from mantra.messages.records import PUBLISHER_BITS

CONSTANT, PCODEC, RUNS, ZLIB = 0, 1, 2, 3
TIME_COLUMN = "ts_origin"
TRIAL_BLOCKS = 64
RUNS_PAY_FROM = 4  # mean length of a run from which RUNS is less work and fewer bytes
LEVEL = 6  # of pcodec, 0..12: 2..7% smaller than level 4, a tenth slower; level 8: 3% and a fifth
ZLIB_LEVEL = 1

# (explicit mode, delta order) tried for a column, cheapest in time first.
CANDIDATES = [(mode, order) for mode in (ModeSpec.classic, ModeSpec.auto) for order in (0, 1)]
DEARER_MUST_SAVE = 0.98  # a later candidate is taken if it needs at most this share of the bytes

# field: (plus, minus): the fields of the same record that predict it. TIMING's stamps.
PREDICTED: dict[str, tuple[list[str], list[str]]] = {
    "ts_start": (["ts_origin"], []),
    "ts_stop": (["ts_start"], []),
    "published": (["ts_stop"], ["ts_origin"]),
}


# ---------------------------------------------------------------- description


def describe(stream: str, dtype: np.dtype) -> dict:
    """The description of a stream of `dtype` records. Raises ArchiveError for what is no record."""
    if dtype.names is None:
        raise ArchiveError(f"stream {stream!r}: expected a structured dtype, got {dtype}")
    fields = []
    for name in dtype.names:
        kind, offset = dtype.fields[name][:2]  # type: ignore[index]
        base, shape = kind.subdtype or (kind, ())
        if base.hasobject or base.names:
            what = f"stream {stream!r}: field {name!r}: objects and nested records are not kept"
            raise ArchiveError(f"{what}; use fields of numbers or bytes")
        fields.append([name, base.newbyteorder("<").str, offset, list(shape)])
    time_column = TIME_COLUMN if _is_word(dtype, TIME_COLUMN) else None
    columns = [column for name in dtype.names for column in _columns_of(dtype, name)]
    said = {"stream": stream, "itemsize": dtype.itemsize, "aligned": dtype.isalignedstruct}
    return said | {"time_column": time_column, "fields": fields, "columns": columns}


def dtype_of(description: dict) -> np.dtype:
    """The records' dtype, from a description."""
    names, texts, offsets, shapes = zip(*description["fields"], strict=True)
    formats = [(text, tuple(shape)) for text, shape in zip(texts, shapes, strict=True)]
    spec: Any = {"names": names, "formats": formats, "offsets": offsets}
    spec["itemsize"] = description["itemsize"]
    return np.dtype(spec, align=description["aligned"])


def _is_word(dtype: np.dtype, name: str) -> bool:
    return name in (dtype.names or ()) and dtype[name] == np.dtype("<i8")


def _columns_of(dtype: np.dtype, name: str) -> list[dict]:
    whole: dict = {"field": name, "part": "all", "shift": 0, "plus": [], "minus": []}
    if not _is_word(dtype, name):
        return [whole]
    plus, minus = PREDICTED.get(name, ([], []))
    if all(_is_word(dtype, other) for other in plus + minus):
        whole |= {"plus": plus, "minus": minus}
    if name != "published":
        return [whole]
    low = {"part": "low", "plus": [], "minus": []}
    return [whole | {"shift": PUBLISHER_BITS} | part for part in ({"part": "high"}, low)]


# ---------------------------------------------------------------- records <-> columns


def take_column(fields: dict[str, np.ndarray] | np.ndarray, column: dict, rows: int) -> np.ndarray:
    """One column of the first `rows` rows: contiguous, one-dimensional, transforms applied."""
    values = np.ascontiguousarray(fields[column["field"]][:rows])
    if column["part"] == "high":
        values = values >> column["shift"]
    elif column["part"] == "low":
        values = values & ((1 << column["shift"]) - 1)
    for other in column["plus"]:
        values = values - fields[other][:rows]
    for other in column["minus"]:
        values = values + fields[other][:rows]
    return values.reshape(-1)


def put_column(records: np.ndarray, column: dict, values: np.ndarray) -> None:
    """Inverse of `take_column`; the fields that predict this one must be there already.

    The low part is or-ed to the high part, which comes first in the description.
    """
    name = column["field"]
    for other in column["plus"]:
        values = values + records[other]
    for other in column["minus"]:
        values = values - records[other]
    if column["part"] == "high":
        records[name] = values << column["shift"]
    elif column["part"] == "low":
        records[name] |= values
    else:
        records[name] = values.reshape(records[name].shape)


def decoding_order(description: dict, wanted: set[str]) -> list[int]:
    """Columns to decode, by index, so that `wanted` fields come out; predictors come first."""
    columns = description["columns"]
    order: list[int] = []

    def visit(name: str) -> None:
        mine = [i for i, column in enumerate(columns) if column["field"] == name]
        if mine[0] in order:
            return
        for i in mine:
            for other in columns[i]["plus"] + columns[i]["minus"]:
                visit(other)
        order.extend(mine)

    for name, *_ in description["fields"]:
        if name in wanted:
            visit(name)
    return order


# ---------------------------------------------------------------- columns <-> bytes


@dataclass
class ColumnEncoder:
    """Encodes one column block after block; remembers which pcodec settings were best."""

    age: int = 0  # blocks since the last trial
    chosen: dict[str, tuple[Callable[[], ModeSpec], int]] = field(default_factory=dict)

    def encode(self, values: np.ndarray) -> tuple[int, bytes]:
        """(encoding, bytes) of a one-dimensional contiguous column, not empty."""
        if values.dtype.kind not in "iuf":
            raw = np.ascontiguousarray(values).tobytes()
            if raw == raw[: values.itemsize] * len(values):
                return CONSTANT, raw[: values.itemsize]
            return ZLIB, zlib.compress(raw, ZLIB_LEVEL)
        bits = values.view(f"<u{values.itemsize}")  # -0.0 and 0.0, and NaNs, are different values
        changes = bits[1:] != bits[:-1]
        runs = 1 + int(np.count_nonzero(changes))
        if runs == 1:
            return CONSTANT, values[:1].tobytes()
        if self.age % TRIAL_BLOCKS == 0:
            self.chosen.clear()
        self.age += 1
        if runs * RUNS_PAY_FROM > len(values):
            return PCODEC, self._pcodec("values", values)
        starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
        lengths = np.diff(starts, append=len(values)).astype("<u4")
        heads = self._pcodec("heads", values[starts])
        sizes = np.array([runs, len(heads)], "<u4").tobytes()
        return RUNS, sizes + heads + self._pcodec("lengths", lengths)

    def _pcodec(self, role: str, values: np.ndarray) -> bytes:
        """Compress with the settings chosen for this role, or choose them now."""
        if role in self.chosen:
            return _compress(values, *self.chosen[role])
        best = None
        for candidate in CANDIDATES:
            body = _compress(values, *candidate)
            if best is None or len(body) <= DEARER_MUST_SAVE * len(best):
                best, self.chosen[role] = body, candidate
        assert best is not None
        return best


def _compress(values: np.ndarray, mode: Callable[[], ModeSpec], order: int) -> bytes:
    delta = DeltaSpec.try_consecutive(order) if order else DeltaSpec.no_op()
    paging = PagingSpec.equal_pages_up_to(1 << 18)
    config = ChunkConfig(LEVEL, mode(), delta, paging, enable_8_bit=True)
    return standalone.simple_compress(values, config)


def decode(encoding: int, body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    """`count` values of `dtype` from a column's bytes. Raises ValueError if they do not hold them.

    The bytes' CRC has been checked: what fails here was written wrong, or by a newer program.
    """
    if encoding == CONSTANT:
        if len(body) != dtype.itemsize:
            raise ValueError(f"a constant of {len(body)} bytes, expected {dtype.itemsize}")
        return np.repeat(np.frombuffer(body, dtype), count)
    if encoding == PCODEC:
        return _decompress(body, dtype, count)
    if encoding == RUNS:
        runs, heads_bytes = (int(n) for n in np.frombuffer(body, "<u4", 2))
        heads = _decompress(body[8 : 8 + heads_bytes], dtype, runs)
        lengths = _decompress(body[8 + heads_bytes :], np.dtype("<u4"), runs)
        if int(lengths.sum(dtype=np.int64)) != count:
            raise ValueError(f"runs of {int(lengths.sum())} values in all, expected {count}")
        return np.repeat(heads, lengths)
    if encoding == ZLIB:
        return np.frombuffer(zlib.decompress(body), dtype, count)
    raise ValueError(f"encoding {encoding} is unknown to this version")


def _decompress(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    values = np.empty(count, dtype)
    progress = standalone.simple_decompress_into(body, values)
    if progress.n_processed != count or not progress.finished:
        raise ValueError(f"{progress.n_processed} values, expected {count}")
    return values
