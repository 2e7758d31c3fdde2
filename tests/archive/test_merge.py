"""Several streams come out in one order of time, each in its order of arrival."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.archive import ArchiveError, ArchiveReader, ArchiveWriter
from mantra.messages import records as messages
from tests.archive import naive
from tests.archive.rows import assert_same_rows, l2_rows, trade_rows

STREAMS = ["l2", "trades", "events"]


def write(directory: Path, streams: dict[str, np.ndarray], block_rows: int) -> ArchiveReader:
    with ArchiveWriter(directory, {}, block_rows=block_rows) as writer:
        for stream, rows in streams.items():
            writer.append(stream, rows)
    return ArchiveReader(directory)


def merged(reader: ArchiveReader, streams: list[str], *span: int) -> list[tuple[int, np.void]]:
    """Every row with the index of its stream, in the order that the chunks say."""
    rows = []
    for parts, order in reader.interleaved(streams, *span):
        left = [iter(part) for part in parts]
        rows += [(int(source), next(left[source])) for source in order]
        assert all(next(part, None) is None for part in left)
    return rows


stamps = st.lists(st.integers(0, 12), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(stamps, min_size=3, max_size=3), st.integers(1, 20))
def test_merged_order_is_that_of_the_naive_twin(
    tmp_path_factory: pytest.TempPathFactory, times: list[list[int]], block_rows: int
) -> None:
    rows = {}
    for stream, stamped in zip(STREAMS, times, strict=True):
        rows[stream] = np.zeros(len(stamped), messages.QUEUE_RECORDS[stream])
        rows[stream]["ts_origin"] = stamped
        rows[stream]["ts_exchange"] = np.arange(len(stamped))
    reader = write(tmp_path_factory.mktemp("archive"), rows, block_rows)
    got = [(source, int(row["ts_exchange"])) for source, row in merged(reader, STREAMS)]
    assert got == naive.merged([rows[stream] for stream in STREAMS])


def test_chunks_say_whose_row_comes_next(tmp_path: Path) -> None:
    l2, trades = l2_rows(400), trade_rows(200)
    reader = write(tmp_path, {"l2": l2, "trades": trades}, block_rows=100)
    order, parts = [], ([], [])
    for chunk, owners in reader.interleaved(["l2", "trades"]):
        assert owners.dtype == np.int8
        assert np.bincount(owners, minlength=2).tolist() == [len(rows) for rows in chunk]
        assert sum(len(rows) for rows in chunk) <= 400, "memory is a few blocks, not the archive"
        order.append(owners)
        for part, rows in zip(parts, chunk, strict=True):
            part.append(rows)
    assert_same_rows(np.concatenate(parts[0]), l2)
    assert_same_rows(np.concatenate(parts[1]), trades)
    expected = [number for number, _ in naive.merged([l2, trades])]
    assert np.concatenate(order).tolist() == expected


def test_a_range_is_merged_like_the_rows_of_that_range(tmp_path: Path) -> None:
    l2, trades = l2_rows(300), trade_rows(100)
    reader = write(tmp_path, {"l2": l2, "trades": trades}, block_rows=64)
    start, end = 30_000, 90_000
    ranged = [naive.in_range(l2, start, end), naive.in_range(trades, start, end)]
    got = [source for source, _ in merged(reader, ["l2", "trades"], start, end)]
    assert got == [n for n, _ in naive.merged(ranged)]


def test_streams_without_a_time_column_cannot_be_merged(tmp_path: Path) -> None:
    reader = write(tmp_path, {"l2": l2_rows(3), "x": np.zeros(3, [("a", "i4")])}, 10)
    with pytest.raises(ArchiveError, match="'x' has no time column"):
        reader.interleaved(["l2", "x"])
