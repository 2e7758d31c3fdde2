"""Verify sees every flipped bit; repair cuts off the unfinished end and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from mantra.archive import ArchiveError, ArchiveWriter, layout, repair, verify
from mantra.archive.columns import ColumnEncoder, describe, take_column
from tests.archive.rows import l2_rows, trade_rows

ROWS = l2_rows(60)[:200]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ArchiveWriter(tmp_path, block_rows=50) as writer:
        writer.append("l2", ROWS)
    return tmp_path / "l2.0.mantra"


def test_a_good_archive_is_counted_and_has_no_damage(path: Path) -> None:
    with ArchiveWriter(path.parent, block_rows=50, segment_bytes=1) as writer:
        writer.append("trades", trade_rows(120))
    report = verify(path.parent)
    assert report.ok
    assert {name: (s.segments, s.blocks, s.rows) for name, s in report.streams.items()} == {
        "l2": (1, 4, 200),
        "trades": (3, 3, 120),
    }
    assert report.streams["l2"].bytes == path.stat().st_size


def test_a_flipped_bit_anywhere_is_seen(path: Path) -> None:
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    everywhere = (
        set(range(0, len(content), 11))
        | set(range(48))
        | set(range(len(content) - 9, len(content)))
    )
    for at in sorted(everywhere):
        changed = bytearray(content)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        report = verify(path.parent)
        assert not report.ok, f"flip in byte {at}"
        assert all(damage.path == path for damage in report.damages)
        assert report.damages[0].offset <= at


def test_damage_is_named_with_place_and_rows(path: Path) -> None:
    content = bytearray(path.read_bytes())
    second = content.index(layout.BLOCK_MAGIC, content.index(layout.BLOCK_MAGIC) + 1)
    content[second + 300] ^= 1
    path.write_bytes(content)
    (damage,) = verify(path.parent).damages
    assert (damage.path, damage.offset, damage.block) == (path, second, 1)
    assert (damage.first_row, damage.rows) == (50, 50)
    assert "checksum" in damage.what
    assert str(damage).startswith(f"{path}: byte {second}, block 1: ")


def blocks_of(pieces: list[tuple[np.ndarray, int, int, int]]) -> bytes:
    """A segment of hand-made blocks: (rows, row count to claim, first row to claim, time min)."""
    description = describe("l2", ROWS.dtype)
    content = layout.pack_file_header(description, 0, 0)
    for rows, count, first_row, ts_min in pieces:
        columns = [
            ColumnEncoder().encode(take_column(rows, column, len(rows)))
            for column in description["columns"]
        ]
        ts_max = int(rows["ts_origin"].max())
        content += layout.pack_block(columns, count, first_row, ts_min, ts_max)
    return content


TS_MIN = int(ROWS[:50]["ts_origin"].min())


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ([(ROWS[:50], 50, 0, TS_MIN), (ROWS[:50], 50, 0, TS_MIN)], "was there before"),
        ([(ROWS[:50], 50, 0, TS_MIN), (ROWS[:50], 50, 60, TS_MIN)], "rows before it are missing"),
        ([(ROWS[:50], 50, 7, TS_MIN)], "rows before it are missing"),
        ([(ROWS[:50], 51, 0, TS_MIN)], "cannot be decoded"),
        ([(ROWS[:50], 50, 0, TS_MIN - 1)], "not of the time its header says"),
    ],
)
def test_what_checksums_cannot_see_is_seen(
    tmp_path: Path, pieces: list[tuple[np.ndarray, int, int, int]], what: str
) -> None:
    (tmp_path / "l2.0.mantra").write_bytes(blocks_of(pieces))
    (damage,) = verify(tmp_path).damages
    assert what in damage.what


def test_a_good_hand_made_segment_is_good(tmp_path: Path) -> None:
    (tmp_path / "l2.0.mantra").write_bytes(blocks_of([(ROWS[:50], 50, 0, TS_MIN)]))
    assert verify(tmp_path).ok


def test_repair_leaves_a_good_archive_alone(path: Path) -> None:
    content = path.read_bytes()
    assert repair(path.parent) == []
    assert repair(path) == []
    assert path.read_bytes() == content


def test_repair_leaves_damage_in_the_middle_alone(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(layout.BLOCK_MAGIC) + 30] ^= 1
    path.write_bytes(content)
    assert repair(path.parent) == []
    assert path.read_bytes() == content
    assert not verify(path.parent).ok


def test_repair_refuses_other_files(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("x")
    with pytest.raises(ArchiveError, match="not the name of a segment"):
        repair(other)
    assert other.read_text() == "x"


def test_a_damaged_file_header_is_not_an_unfinished_end(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path, block_rows=50) as writer:
        writer.append("l2", l2_rows(200))
    path = tmp_path / "l2.0.mantra"
    content = bytearray(path.read_bytes())
    content[100] ^= 1  # of the description
    path.write_bytes(content)
    assert repair(tmp_path) == []
    assert path.read_bytes() == content, "whole blocks follow: nothing may be cut off"
    assert not verify(tmp_path).ok
