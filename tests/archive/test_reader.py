"""Ranges read exactly what a filter over everything would; damage is never silent."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.archive import ArchiveError, ArchiveReader, ArchiveWriter, layout
from mantra.archive.segment import index_stream
from tests.archive import naive
from tests.archive.rows import assert_same_rows, l2_rows, random_rows, trade_rows

ROWS = l2_rows(400)
BLOCK_ROWS = 100


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("archive")
    with ArchiveWriter(directory, {"run": "x"}, BLOCK_ROWS, segment_bytes=4000) as writer:
        writer.append("l2", ROWS)
        writer.append("trades", trade_rows(100))
        writer.append("untimed", np.arange(250).astype([("a", "i4")]))
    return directory


TIMES = st.none() | st.integers(-4_000, 220_000) | st.sampled_from(ROWS["ts_origin"].tolist())


@settings(max_examples=60, deadline=None)
@given(start=TIMES, end=TIMES)
def test_a_range_is_what_a_filter_gives(archive: Path, start: int | None, end: int | None) -> None:
    reader = ArchiveReader(archive)
    expected = naive.in_range(ROWS, start, end)
    assert_same_rows(reader.read("l2", start, end), expected)
    blocks = list(reader.blocks("l2", start, end))
    assert all(0 < len(rows) <= BLOCK_ROWS for rows in blocks)
    assert_same_rows(np.concatenate([np.empty(0, ROWS.dtype), *blocks]), expected)


@pytest.mark.parametrize("columns", [["price"], ["volume", "side"], ["ts_origin"], ["published"]])
def test_columns_can_be_chosen(archive: Path, columns: list[str]) -> None:
    got = ArchiveReader(archive).read("l2", 50_000, 150_000, columns)
    expected = naive.in_range(ROWS, 50_000, 150_000)
    assert got.dtype.names == tuple(columns)
    assert len(got) == len(expected)
    for name in columns:
        assert got[name].tolist() == expected[name].tolist()


def test_columns_predicted_by_others_can_be_read_alone(tmp_path: Path) -> None:
    rows = random_rows(layout_timing(), 300)
    with ArchiveWriter(tmp_path) as writer:
        writer.append("timings-x", rows)
    reader = ArchiveReader(tmp_path)
    for name in rows.dtype.names or ():
        assert reader.read("timings-x", columns=[name])[name].tolist() == rows[name].tolist()


def layout_timing() -> np.dtype:
    from mantra.messages.records import TIMING

    return TIMING


def test_what_is_there_is_told(archive: Path) -> None:
    reader = ArchiveReader(archive)
    assert reader.streams == ["l2", "trades", "untimed"]
    assert reader.metadata == {"run": "x"}
    assert reader.rows("l2") == len(ROWS)
    assert reader.damages == []


def test_wrong_questions_get_an_answer(archive: Path, tmp_path: Path) -> None:
    reader = ArchiveReader(archive)
    with pytest.raises(ArchiveError, match="no stream 'fills'; it has l2, trades, untimed"):
        reader.read("fills")
    with pytest.raises(ArchiveError, match="no column 'prize'"):
        reader.read("l2", columns=["prize"])
    with pytest.raises(ArchiveError, match="no time column: read it whole"):
        reader.read("untimed", start=3)
    assert len(reader.read("untimed")) == 250
    with pytest.raises(ArchiveError, match="no archive"):
        ArchiveReader(tmp_path)
    with pytest.raises(ArchiveError, match="no such directory"):
        ArchiveReader(tmp_path / "absent")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ArchiveError, match=r"run\.json: damaged"):
        ArchiveReader(tmp_path)


# ---------------------------------------------------------------- damage


@pytest.fixture
def damaged(tmp_path: Path) -> tuple[Path, list[layout.Block]]:
    """An archive of one segment and its blocks, for a test to damage."""
    with ArchiveWriter(tmp_path, block_rows=BLOCK_ROWS) as writer:
        writer.append("l2", ROWS)
    path = tmp_path / "l2.0.mantra"
    return path, index_stream("l2", [(0, path)]).blocks


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


@pytest.mark.parametrize("in_header", [True, False])
def test_damage_in_the_middle_raises_and_can_be_skipped(
    damaged: tuple[Path, list[layout.Block]],
    in_header: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path, blocks = damaged
    block = blocks[5]
    at = block.offset + (20 if in_header else block.header_bytes + 3)
    overwrite(path, at, b"\xa5\x5a\xa5")
    reader = ArchiveReader(path.parent)
    with pytest.raises(ArchiveError, match=rf"byte {block.offset}, block 5:.*skip_damaged=True"):
        reader.read("l2")
    with caplog.at_level(logging.WARNING):
        rest = reader.read("l2", skip_damaged=True)
    lost = slice(block.first_row, block.first_row + block.rows)
    assert_same_rows(rest, np.delete(ROWS, lost))
    assert [(d.first_row, d.rows, d.block, d.path) for d in reader.damages] == [(500, 100, 5, path)]
    assert in_header or "100 rows from row 500" in caplog.text
    assert_same_rows(np.concatenate(list(reader.blocks("l2", skip_damaged=True))), rest)


@pytest.mark.parametrize("in_header", [True, False])
def test_damage_does_not_hinder_reading_elsewhere(
    damaged: tuple[Path, list[layout.Block]], in_header: bool
) -> None:
    path, blocks = damaged
    block = blocks[5]
    overwrite(path, block.offset + (20 if in_header else block.header_bytes), b"\xa5\x5a")
    reader = ArchiveReader(path.parent)
    end = blocks[3].ts_max
    assert_same_rows(reader.read("l2", None, end), naive.in_range(ROWS, None, end))
    start = blocks[8].ts_min
    assert_same_rows(reader.read("l2", start), naive.in_range(ROWS, start, None))
    with pytest.raises(ArchiveError, match="block 5"):
        reader.read("l2", block.ts_min, block.ts_max + 1)


def test_only_the_columns_read_need_to_be_whole(damaged: tuple[Path, list[layout.Block]]) -> None:
    path, blocks = damaged
    overwrite(path, blocks[5].end - 30, b"\xa5\x5a")  # In one of the last columns.
    reader = ArchiveReader(path.parent)
    assert reader.read("l2", columns=["price"])["price"].tolist() == ROWS["price"].tolist()
    with pytest.raises(ArchiveError, match="column"):
        reader.read("l2")


def test_a_broken_tail_is_skipped_and_said(
    damaged: tuple[Path, list[layout.Block]], caplog: pytest.LogCaptureFixture
) -> None:
    path, blocks = damaged
    os.truncate(path, blocks[-1].end - 1)
    with caplog.at_level(logging.WARNING):
        reader = ArchiveReader(path.parent)
    assert [damage.tail for damage in reader.damages] == [True]
    assert str(path) in caplog.text
    assert_same_rows(reader.read("l2"), ROWS[: blocks[-1].first_row])


def test_a_missing_segment_is_missed(archive: Path, tmp_path: Path) -> None:
    files = layout.segment_files(archive)["l2"]
    for number, path in files:
        if number != 1:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    reader = ArchiveReader(tmp_path)
    lost = index_stream("l2", [files[1]]).blocks
    first, rows = lost[0].first_row, sum(block.rows for block in lost)
    with pytest.raises(ArchiveError, match="is a segment file absent"):
        reader.read("l2")
    rest = reader.read("l2", skip_damaged=True)
    assert_same_rows(rest, np.delete(ROWS, slice(first, first + rows)))
    assert [(d.first_row, d.rows) for d in reader.damages] == [(first, rows)]


def test_a_segment_with_a_broken_file_header_is_read_by_the_others_description(
    archive: Path, tmp_path: Path
) -> None:
    for _, path in layout.segment_files(archive)["l2"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    overwrite(tmp_path / "l2.1.mantra", 60, b"\xa5\x5a")
    reader = ArchiveReader(tmp_path)
    with pytest.raises(ArchiveError, match="description checksum"):
        reader.read("l2")
    assert_same_rows(reader.read("l2", skip_damaged=True), ROWS)


def test_an_alien_file_with_a_segments_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "l2.0.mantra").write_bytes(b"something else entirely" * 50)
    reader = ArchiveReader(tmp_path)
    with pytest.raises(ArchiveError, match=r"l2\.0\.mantra.*not a segment of an archive"):
        reader.read("l2")
