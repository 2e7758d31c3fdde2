"""The index of a stream: headers only, exact about what is missing, found again behind damage."""

from pathlib import Path

import pytest

from mantra.archive import ArchiveError, ArchiveWriter, layout
from mantra.archive.segment import index_stream, read_columns
from tests.archive.rows import l2_rows

ROWS = l2_rows(200)[:500]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ArchiveWriter(tmp_path, block_rows=100) as writer:
        writer.append("l2", ROWS)
    return tmp_path / "l2.0.mantra"


def test_blocks_lie_one_behind_the_other_to_the_end_of_the_file(path: Path) -> None:
    index = index_stream("l2", [(0, path)])
    assert index.damages == []
    assert [(b.number, b.first_row, b.rows) for b in index.blocks] == [
        (n, 100 * n, 100) for n in range(5)
    ]
    assert all(a.end == b.offset for a, b in zip(index.blocks, index.blocks[1:], strict=False))
    assert index.blocks[-1].end == path.stat().st_size
    assert index.next_row == 500


def test_the_index_knows_the_time_of_each_block(path: Path) -> None:
    for block in index_stream("l2", [(0, path)]).blocks:
        stamps = ROWS["ts_origin"][block.first_row : block.first_row + block.rows]
        assert (block.ts_min, block.ts_max) == (stamps.min(), stamps.max())


@pytest.mark.parametrize("at", [0, 9, 13, 40, 60])
def test_a_damaged_block_header_costs_its_block_only(path: Path, at: int) -> None:
    whole = index_stream("l2", [(0, path)])
    content = bytearray(path.read_bytes())
    content[whole.blocks[2].offset + at] ^= 0xFF
    path.write_bytes(content)
    index = index_stream("l2", [(0, path)])
    assert [b.first_row for b in index.blocks] == [0, 100, 300, 400]
    (damage,) = index.damages
    assert (damage.offset, damage.first_row, damage.rows) == (whole.blocks[2].offset, 200, 100)
    assert not damage.tail


def test_a_damaged_last_header_is_a_tail(path: Path) -> None:
    last = index_stream("l2", [(0, path)]).blocks[-1]
    content = bytearray(path.read_bytes())
    content[last.offset + 9] ^= 0xFF
    path.write_bytes(content)
    (damage,) = index_stream("l2", [(0, path)]).damages
    assert damage.tail
    assert damage.offset == last.offset


def test_a_segment_under_another_number_is_said(path: Path) -> None:
    (damage,) = index_stream("l2", [(3, path)]).damages
    assert "the header says segment 0" in damage.what


def test_a_columns_checksum_is_checked_when_it_is_read(path: Path) -> None:
    block = index_stream("l2", [(0, path)]).blocks[1]
    assert len(read_columns(block, [0, 1])[0]) == block.directory["bytes"][0]
    content = bytearray(path.read_bytes())
    content[block.offset + block.header_bytes] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="column 0 at byte"):
        read_columns(block, [0])
    assert layout.BLOCK_MAGIC in path.read_bytes()
