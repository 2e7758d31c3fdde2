"""What is written comes back; a crash, a full disk or a second writer costs nothing more."""

import contextlib
import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.archive import ArchiveError, ArchiveReader, ArchiveWriter, layout, repair, verify
from mantra.messages import records as messages
from tests.archive.rows import assert_same_rows, l2_rows, random_rows, trade_rows

RECORDS = {**messages.QUEUE_RECORDS, "ideal": messages.IDEAL_ORDER}


@pytest.mark.parametrize("stream", RECORDS)
@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 1000])
def test_every_record_comes_back_bit_for_bit(tmp_path: Path, stream: str, count: int) -> None:
    rows = random_rows(RECORDS[stream], count, seed=count)
    with ArchiveWriter(tmp_path, block_rows=100) as writer:
        writer.append(stream, rows)
    reader = ArchiveReader(tmp_path)
    assert reader.streams == [stream]
    assert reader.rows(stream) == count
    assert reader.dtype(stream) == RECORDS[stream]
    assert_same_rows(reader.read(stream), rows)
    assert verify(tmp_path).ok


@settings(max_examples=30, deadline=None)
@given(
    appends=st.lists(st.integers(0, 70), min_size=1, max_size=12),
    block_rows=st.integers(1, 50),
    segment_bytes=st.integers(1, 9000),
    incremental=st.booleans(),
)
def test_any_pieces_come_back_as_one_whatever_the_sizes(
    tmp_path_factory: pytest.TempPathFactory,
    appends: list[int],
    block_rows: int,
    segment_bytes: int,
    incremental: bool,
) -> None:
    directory = tmp_path_factory.mktemp("archive")
    rows = l2_rows(1000)[: sum(appends)]
    with ArchiveWriter(directory, {}, block_rows, segment_bytes, incremental) as writer:
        taken = 0
        for count in appends:
            writer.append("l2", rows[taken : taken + count])
            taken += count
            writer.step()
    if len(rows):
        assert_same_rows(ArchiveReader(directory).read("l2"), rows)
    assert verify(directory).ok


def test_segments_rotate_by_size_and_read_as_one_stream(tmp_path: Path) -> None:
    rows = l2_rows(3000)
    with ArchiveWriter(tmp_path, block_rows=500, segment_bytes=9000) as writer:
        writer.append("l2", rows)
    files = layout.segment_files(tmp_path)["l2"]
    assert len(files) > 3
    assert [number for number, _ in files] == list(range(len(files)))
    assert all(path.stat().st_size <= 9000 + 2000 for _, path in files)
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


def test_flush_writes_what_is_buffered_and_a_reader_sees_it(tmp_path: Path) -> None:
    rows = l2_rows(50)
    with ArchiveWriter(tmp_path) as writer:
        writer.append("l2", rows)
        assert writer.pending_rows == len(rows)
        assert not layout.segment_files(tmp_path)
        writer.flush()
        assert writer.pending_rows == 0
        assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


def test_incremental_writing_does_one_column_a_step(tmp_path: Path) -> None:
    rows = l2_rows(200)[:300]
    columns = 11  # L2_UPDATE has ten fields, one of them in two parts
    with ArchiveWriter(tmp_path, block_rows=100, incremental=True) as writer:
        writer.append("l2", rows)
        assert writer.pending_rows == 300
        steps = 0
        while writer.step():
            steps += 1
        assert steps + 1 == 3 * (columns + 1)
        assert writer.pending_rows == 0
        assert not writer.step()
        assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


def test_rows_given_to_append_may_be_overwritten_afterwards(tmp_path: Path) -> None:
    rows = l2_rows(100)
    buffer = rows.copy()
    with ArchiveWriter(tmp_path, block_rows=64, incremental=True) as writer:
        writer.append("l2", buffer)
        buffer["price"] = 0
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


def test_appending_goes_on_where_the_last_writer_stopped(tmp_path: Path) -> None:
    rows = l2_rows(300)
    for part in np.array_split(rows, 4):
        with ArchiveWriter(tmp_path, block_rows=200) as writer:
            assert writer.notes == []
            writer.append("l2", part)
    assert len(layout.segment_files(tmp_path)["l2"]) == 1
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)
    assert verify(tmp_path).ok


def test_a_stream_keeps_its_records(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path) as writer:
        writer.append("l2", l2_rows(5))
        with pytest.raises(ArchiveError, match="a stream of their own"):
            writer.append("l2", trade_rows(5).view([("a", "i8", 7)]))
    with ArchiveWriter(tmp_path) as writer, pytest.raises(ArchiveError, match="'l2'"):
        writer.append("l2", np.zeros(3, messages.FILL))


def test_big_endian_records_are_kept_by_value(tmp_path: Path) -> None:
    rows = np.array([(1,), (-(1 << 40),)], [("a", ">i8")])
    with ArchiveWriter(tmp_path) as writer:
        writer.append("x", rows)
    assert ArchiveReader(tmp_path).read("x")["a"].tolist() == rows["a"].tolist()


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    with (
        ArchiveWriter(tmp_path),
        pytest.raises(ArchiveError, match="another writer has this archive open"),
    ):
        ArchiveWriter(tmp_path)
    ArchiveWriter(tmp_path).close()


def test_a_second_close_does_nothing(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    writer.close()
    writer.close()


def test_metadata_is_kept_updated_and_replaced_whole(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path, {"run": "demo", "clock": {"unit": "utc_ns"}}) as writer:
        writer.update_metadata({"ended": 7})
    ArchiveWriter(tmp_path).close()
    expected = {"run": "demo", "clock": {"unit": "utc_ns"}, "ended": 7}
    assert ArchiveReader(tmp_path).metadata == expected
    assert json.loads((tmp_path / "run.json").read_text()) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_metadata_that_is_no_json_is_refused_and_the_old_stays(tmp_path: Path) -> None:
    with (
        ArchiveWriter(tmp_path, {"run": "demo"}) as writer,
        pytest.raises(ArchiveError, match="no JSON"),
    ):
        writer.update_metadata({"x": {1, 2}})
    assert ArchiveReader(tmp_path).metadata == {"run": "demo"}


# ---------------------------------------------------------------- crashes


def test_a_crash_at_any_byte_of_the_last_block_costs_only_that_block(tmp_path: Path) -> None:
    rows = l2_rows(60)[:150]
    whole = tmp_path / "whole"
    with ArchiveWriter(whole, block_rows=50) as writer:
        writer.append("l2", rows[:100])
        writer.flush()
        kept = (whole / "l2.0.mantra").stat().st_size
        writer.append("l2", rows[100:])
    content = (whole / "l2.0.mantra").read_bytes()
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    path = crashed / "l2.0.mantra"
    for size in range(kept, len(content)):
        path.write_bytes(content[:size])
        reader = ArchiveReader(crashed)
        assert_same_rows(reader.read("l2"), rows[:100])
        assert len(reader.damages) == (size > kept)
        assert all(damage.tail and damage.offset == kept for damage in reader.damages)
        assert verify(crashed).ok == (size == kept)
        assert len(repair(crashed)) == (size > kept)
        assert path.stat().st_size == kept
    assert verify(crashed).ok


def test_appending_after_a_crash_repairs_and_says_so(tmp_path: Path) -> None:
    rows = l2_rows(60)[:150]
    with ArchiveWriter(tmp_path, block_rows=50) as writer:
        writer.append("l2", rows)
    path = tmp_path / "l2.0.mantra"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    with ArchiveWriter(tmp_path, block_rows=50) as writer:
        assert len(writer.notes) == 1
        assert "cut" in writer.notes[0]
        assert str(path) in writer.notes[0]
        writer.append("l2", rows[100:])
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)
    assert verify(tmp_path).ok


@pytest.mark.parametrize("zeros", [False, True])
def test_a_last_block_the_disk_never_got_is_cut_off_too(tmp_path: Path, zeros: bool) -> None:
    """After a power cut a file may have its length and not its content."""
    rows = l2_rows(60)[:150]
    with ArchiveWriter(tmp_path, block_rows=50) as writer:
        writer.append("l2", rows)
    path = tmp_path / "l2.0.mantra"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 200)
        file.write(bytes(200))
        if zeros:
            file.write(bytes(5000))
    with ArchiveWriter(tmp_path, block_rows=50) as writer:
        assert len(writer.notes) == 1
        writer.append("l2", rows[100:])
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


@pytest.mark.parametrize("size", [0, 3, 8, 39, 41, 200])
def test_a_segment_cut_in_its_file_header_is_begun_again(tmp_path: Path, size: int) -> None:
    rows = l2_rows(100)
    with ArchiveWriter(tmp_path, block_rows=100, segment_bytes=1) as writer:
        writer.append("l2", rows)
    last = layout.segment_files(tmp_path)["l2"][-1][1]
    content = last.read_bytes()
    last.write_bytes(content[:size])
    lost = len(rows) % 100 or 100
    reader = ArchiveReader(tmp_path)
    assert_same_rows(reader.read("l2"), rows[:-lost])
    assert len(reader.damages) == 1
    with ArchiveWriter(tmp_path, block_rows=100, segment_bytes=1) as writer:
        assert len(writer.notes) == 1
        writer.append("l2", rows[-lost:])
    assert last.read_bytes() == content
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


# ---------------------------------------------------------------- a full disk


@contextlib.contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow beyond `size`: a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_whole_blocks_and_the_writer_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    rows = l2_rows(200)[:600]
    path = tmp_path / "l2.0.mantra"
    with ArchiveWriter(tmp_path, block_rows=100) as writer:
        writer.append("l2", rows[:100])
        good = path.stat().st_size
        with no_file_longer_than(good + 500):
            with pytest.raises(ArchiveError, match=r"l2\.0\.mantra: byte \d+.*make room"):
                writer.append("l2", rows[100:350])
            assert path.stat().st_size == good, "nothing half-written stays"
            assert writer.pending_rows == 250
            with pytest.raises(ArchiveError, match="make room"):
                writer.flush()
            assert verify(tmp_path).ok
        writer.append("l2", rows[350:])
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)
    assert verify(tmp_path).ok


def test_a_disk_full_from_the_start_leaves_an_archive_that_can_be_begun(tmp_path: Path) -> None:
    rows = l2_rows(200)
    with contextlib.suppress(ArchiveError), no_file_longer_than(100):
        writer = ArchiveWriter(tmp_path)
        writer.append("l2", rows)
        writer.close()
    assert writer.pending_rows == len(rows)
    with ArchiveWriter(tmp_path) as writer:
        writer.append("l2", rows)
    assert_same_rows(ArchiveReader(tmp_path).read("l2"), rows)


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path) as writer:
        writer.append("l2", l2_rows(5))
        shutil.rmtree(tmp_path)
        with pytest.raises(ArchiveError, match="cannot be written"):
            writer.flush()
        tmp_path.mkdir()
