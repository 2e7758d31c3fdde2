"""The bytes on disk stay where the drawing has them, and other files are told apart."""

from pathlib import Path

import numpy as np
import pytest

from mantra.archive import ArchiveError, layout

DESCRIPTION = {"stream": "l2", "fields": []}


def test_headers_are_laid_out_as_drawn() -> None:
    def offsets(dtype: np.dtype) -> dict[str, int]:
        return {name: dtype.fields[name][1] for name in dtype.names}

    assert offsets(layout.FILE_HEADER) == {
        "magic": 0,
        "version": 8,
        "header_bytes": 12,
        "description_bytes": 16,
        "segment": 20,
        "first_row": 24,
        "description_crc": 32,
        "crc": 36,
    }
    assert offsets(layout.BLOCK_HEADER) == {
        "magic": 0,
        "crc": 4,
        "header_bytes": 8,
        "columns": 12,
        "body_bytes": 16,
        "first_row": 24,
        "rows": 32,
        "unused": 36,
        "ts_min": 40,
        "ts_max": 48,
    }
    assert offsets(layout.DIRECTORY_ENTRY) == {"bytes": 0, "crc": 4, "encoding": 8, "unused": 12}


def test_a_file_header_comes_back_from_its_bytes() -> None:
    content = layout.pack_file_header(DESCRIPTION, segment=3, first_row=1 << 40)
    header = layout.unpack_file_header(Path("x"), content + b"blocks")
    assert header == (3, 1 << 40, DESCRIPTION, len(content))


def test_a_block_comes_back_from_its_bytes() -> None:
    content = layout.pack_block([(1, b"abc"), (0, b""), (3, b"de")], 7, 1 << 40, -5, 6)
    block = layout.unpack_block(Path("x"), 2, 100, content)
    assert isinstance(block, layout.Block)
    assert (block.first_row, block.rows, block.ts_min, block.ts_max) == (1 << 40, 7, -5, 6)
    assert block.directory["bytes"].tolist() == [3, 0, 2]
    assert block.directory["encoding"].tolist() == [1, 0, 3]
    assert block.end == 100 + len(content)
    assert content.endswith(b"abcde")


def test_every_flipped_bit_of_a_header_is_seen() -> None:
    header = layout.pack_file_header(DESCRIPTION, 0, 0)
    block = layout.pack_block([(1, b"abc")], 7, 0, -5, 6)
    block_header = block[: len(block) - 3]
    for at in range(8 * len(header)):
        with pytest.raises(ArchiveError):
            layout.unpack_file_header(Path("x"), flipped(header, at))
    for at in range(8 * len(block_header)):
        assert isinstance(layout.unpack_block(Path("x"), 0, 0, flipped(block_header, at)), str)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_another_file_is_refused_with_its_name_and_what_to_do() -> None:
    with pytest.raises(ArchiveError, match=r"notes\.mantra: not a segment.*Move the file"):
        layout.unpack_file_header(Path("notes.mantra"), b"something else entirely")


def test_a_newer_version_is_refused_with_what_to_do() -> None:
    newer = bytearray(layout.pack_file_header(DESCRIPTION, 0, 0))
    newer[8] = 9
    newer[36:40] = layout.zlib.crc32(bytes(newer[:36])).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="format version 9; this program reads 1"):
        layout.unpack_file_header(Path("x"), bytes(newer))


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "a b", "x" * 200])
def test_a_stream_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ArchiveError, match="expected letters"):
        layout.segment_path(Path(), name, 0)


def test_segments_are_found_by_name_and_number(tmp_path: Path) -> None:
    for name in ("l2.0", "l2.10", "l2.9", "timings-md.x.0", "other", "l2.x"):
        (tmp_path / f"{name}.mantra").touch()
    (tmp_path / "run.json").touch()
    found = layout.segment_files(tmp_path)
    assert {s: [n for n, _ in found[s]] for s in found} == {"l2": [0, 9, 10], "timings-md.x": [0]}
