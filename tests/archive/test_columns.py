"""Whatever is encoded is decoded to the same bits, and the transforms undo themselves."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mantra.archive import ArchiveError, columns
from mantra.messages import records as messages
from tests.archive.rows import assert_same_rows, random_rows

NUMBERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]
OTHERS = ["?", "S5", "V3", "U2"]
EXTREMES = [-(1 << 63), (1 << 63) - 1, -1, 0, 1]

RECORDS = {**messages.QUEUE_RECORDS, "ideal": messages.IDEAL_ORDER}
ODD = np.dtype(
    [
        ("name", "S6"),
        ("yes", "?"),
        ("price", "f8"),
        ("grid", "i2", (2, 3)),
        ("raw", "V3"),
        ("text", "U3"),
        ("big", ">i4"),
    ]
)


def encoded_and_decoded(values: np.ndarray) -> tuple[int, np.ndarray]:
    encoding, body = columns.ColumnEncoder().encode(values)
    return encoding, columns.decode(encoding, body, values.dtype, len(values))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NUMBERS + OTHERS), st.integers(1, 400), st.data())
def test_any_column_comes_back_bit_for_bit(kind: str, count: int, data: st.DataObject) -> None:
    elements = None
    if kind == "V3":
        elements = st.binary(min_size=3, max_size=3).map(np.void)
    values = data.draw(hnp.arrays(np.dtype(kind), count, elements=elements))
    _, decoded = encoded_and_decoded(values)
    assert decoded.dtype == values.dtype
    assert decoded.tobytes() == values.tobytes()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(EXTREMES) | st.integers(-3, 3), min_size=1, max_size=300))
def test_extremes_of_int64_come_back(numbers: list[int]) -> None:
    values = np.array(numbers, np.int64)
    _, decoded = encoded_and_decoded(values)
    assert decoded.tolist() == numbers


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        (np.full(500, 7), columns.CONSTANT),
        (np.arange(500) ** 3 % 1009, columns.PCODEC),
        (np.repeat(np.arange(10), 50), columns.RUNS),
        (np.array([b"a", b"b"] * 9), columns.ZLIB),
        (np.array([b"a"] * 9), columns.CONSTANT),
        (np.array([0.0, -0.0]), columns.PCODEC),
        (np.full(9, np.nan), columns.CONSTANT),
    ],
)
def test_each_kind_of_column_takes_its_encoding(values: np.ndarray, encoding: int) -> None:
    taken, decoded = encoded_and_decoded(values)
    assert taken == encoding
    assert decoded.tobytes() == values.tobytes()


def test_an_encoder_keeps_its_settings_and_chooses_again_when_the_time_comes() -> None:
    encoder = columns.ColumnEncoder()
    rng = np.random.default_rng(0)
    rising, noise = np.cumsum(rng.integers(0, 9, 5000)), rng.integers(0, 50, 5000)
    encoder.encode(rising)
    chosen = dict(encoder.chosen)
    assert chosen["values"][1] == 1, "rising values are taken by their differences"
    for _ in range(columns.TRIAL_BLOCKS - 1):
        encoder.encode(noise)
    assert encoder.chosen == chosen
    encoder.encode(noise)
    assert encoder.chosen["values"][1] == 0


@pytest.mark.parametrize("dtype", [*RECORDS.values(), ODD], ids=[*RECORDS, "odd"])
def test_records_come_back_from_their_columns(dtype: np.dtype) -> None:
    description = json.loads(json.dumps(columns.describe("x", dtype)))
    kept = columns.dtype_of(description)
    assert kept == dtype.newbyteorder("<")
    rows = random_rows(kept, 200) if dtype is not ODD else np.zeros(200, kept)
    again = np.zeros(200, kept)
    for i in columns.decoding_order(description, set(kept.names or ())):
        column = description["columns"][i]
        columns.put_column(again, column, columns.take_column(rows, column, len(rows)))
    assert_same_rows(again, rows)


@pytest.mark.parametrize("field", messages.TIMING.names)
def test_one_field_can_be_decoded_with_only_those_that_predict_it(field: str) -> None:
    description = columns.describe("timings-x", messages.TIMING)
    order = columns.decoding_order(description, {field})
    decoded = [description["columns"][i]["field"] for i in order]
    needed = {
        "ts_start": ["ts_origin", "ts_start"],
        "ts_stop": ["ts_origin", "ts_start", "ts_stop"],
        "published": ["ts_origin", "ts_start", "ts_stop", "published", "published"],
    }
    assert decoded == needed.get(field, [field])


@pytest.mark.parametrize(
    "dtype", [np.dtype("i8"), np.dtype([("a", "O")]), np.dtype([("a", [("b", "i4")])])]
)
def test_what_is_no_record_is_refused(dtype: np.dtype) -> None:
    with pytest.raises(ArchiveError, match="stream 'x'"):
        columns.describe("x", dtype)


def test_a_column_that_holds_something_else_is_refused() -> None:
    encoding, body = columns.ColumnEncoder().encode(np.arange(300) ** 2 % 77)
    with pytest.raises(ValueError, match="expected 301"):
        columns.decode(encoding, body, np.dtype("i8"), 301)
    with pytest.raises(ValueError, match="encoding 9 is unknown"):
        columns.decode(9, body, np.dtype("i8"), 300)
    with pytest.raises(ValueError, match="a constant of 2 bytes"):
        columns.decode(columns.CONSTANT, b"ab", np.dtype("i8"), 300)
    encoding, body = columns.ColumnEncoder().encode(np.repeat(np.arange(9), 9))
    with pytest.raises(ValueError, match="runs of 81 values"):
        columns.decode(encoding, body, np.dtype("i8"), 80)
