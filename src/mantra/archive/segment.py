"""Indexing segment files: where the blocks lie, and what is damaged. Reads headers only.

A stream's index is a list of Block and Damage in the order of rows. What a crash leaves (a last
block that is not whole) is Damage with `tail` set. Behind a broken header the scan looks for the
next block whose header checksum holds, so that the rows lost are known exactly.
"""

import mmap
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mantra.archive.layout import (
    BLOCK_HEADER,
    BLOCK_MAGIC,
    DIRECTORY_ENTRY,
    FILE_HEADER,
    FILE_MAGIC,
    ArchiveError,
    Block,
    Damage,
    unpack_block,
    unpack_file_header,
)

HEADER_READ = 4096  # Holds the header of nearly every file and block.


@dataclass
class StreamIndex:
    """Of one stream: its description and its blocks and damages in order of rows."""

    stream: str
    description: dict | None  # None: no segment of it has a readable header
    items: list[Block | Damage]
    paths: list[Path]
    next_row: int  # number of the first row behind the last readable block

    @property
    def blocks(self) -> list[Block]:
        return [item for item in self.items if isinstance(item, Block)]

    @property
    def damages(self) -> list[Damage]:
        return [item for item in self.items if isinstance(item, Damage)]


def index_stream(stream: str, segments: list[tuple[int, Path]]) -> StreamIndex:
    """Index the segments of a stream, given as (number, path), ascending."""
    index = StreamIndex(stream, None, [], [path for _, path in segments], 0)
    for position, (number, path) in enumerate(segments):
        last = position == len(segments) - 1
        _index_segment(index, number, path, last)
    _settle_row_counts(index)
    return index


def _index_segment(index: StreamIndex, number: int, path: Path, last: bool) -> None:
    """Append what one segment holds to the index."""
    start = (path, 0, -1)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = 0
        try:
            header = unpack_file_header(path, _head(file.fileno()))
            begin = header.bytes
            if header.segment != number:
                _say(index, start, f"the header says segment {header.segment}", 0)
            if index.description is None:
                index.description = header.description
            elif index.description["fields"] != header.description["fields"]:
                _say(index, start, "its records differ from those of earlier segments", -1)
                return
            if header.first_row > index.next_row:
                missing = header.first_row - index.next_row
                what = "rows before this segment are missing (is a segment file absent?)"
                if not (index.items and isinstance(index.items[-1], Damage)):
                    _say(index, start, what, missing)
        except ArchiveError as error:
            what = str(error).removeprefix(f"{path}: ")
            unfinished = last and _begins_unfinished(path, size)
            index.items.append(Damage(*start, index.next_row, -1, what, unfinished))
            if unfinished:
                return
        for item in _items(path, file.fileno(), begin, size):
            _take(index, item, last)


def _take(index: StreamIndex, item: Block | Damage, last: bool) -> None:
    """Append one item of a segment; give damages their rows, and find jumps of row numbers."""
    if isinstance(item, Damage):
        tail = item.tail and last
        index.items.append(replace(item, first_row=index.next_row, tail=tail))
        return
    if item.first_row < index.next_row:
        what = f"its row number {item.first_row} was there before"
        _say(index, (item.path, item.offset, item.number), what, 0)
        return
    if item.first_row > index.next_row and not (
        index.items and isinstance(index.items[-1], Damage)
    ):
        missing = item.first_row - index.next_row
        _say(index, (item.path, item.offset, item.number), "rows before it are missing", missing)
    index.items.append(item)
    index.next_row = item.first_row + item.rows


def _say(index: StreamIndex, place: tuple[Path, int, int], what: str, rows: int) -> None:
    """Note damage at a (path, offset, block) in front of the rows that come next."""
    index.items.append(Damage(*place, index.next_row, rows, what))


def _settle_row_counts(index: StreamIndex) -> None:
    """Where a block follows, the rows that a damage before it cost are known."""
    following: int | None = None
    for position in range(len(index.items) - 1, -1, -1):
        item = index.items[position]
        if isinstance(item, Block):
            following = item.first_row
        elif item.rows < 0 and following is not None:
            index.items[position] = replace(item, rows=following - item.first_row, tail=False)
            following = item.first_row


def _items(path: Path, fd: int, begin: int, size: int) -> Iterator[Block | Damage]:
    """Hop over the blocks of an open segment from `begin`."""
    offset, number = begin, 0
    if begin == 0:
        offset = _next_block(path, fd, 0, size)  # The file header is damaged: said already.
    while 0 <= offset < size:
        found = block_at(path, fd, number, offset)
        if isinstance(found, Block) and found.end <= size:
            yield found
            offset, number = found.end, number + 1
            continue
        rows = -1
        what = found
        if isinstance(found, Block):
            rows = found.rows
            what = f"the block ends at byte {found.end}, the file at byte {size}"
        following = _next_block(path, fd, offset + 1, size)
        yield Damage(path, offset, number, 0, rows, str(what), tail=following < 0)
        offset, number = following, number + 1


def block_at(path: Path, fd: int, number: int, offset: int) -> Block | str:
    """The block whose header is at `offset`; or what is wrong there."""
    content = os.pread(fd, HEADER_READ, offset)
    found = unpack_block(path, number, offset, content)
    if isinstance(found, str) and len(content) == HEADER_READ:
        longest = BLOCK_HEADER.itemsize + DIRECTORY_ENTRY.itemsize * 4096
        found = unpack_block(path, number, offset, os.pread(fd, longest, offset))
    return found


def read_columns(block: Block, columns: list[int]) -> dict[int, bytes]:
    """The bytes of these columns of a block, checksums checked. Raises ArchiveError."""
    ends = block.directory["bytes"].cumsum(dtype="i8")
    bodies = {}
    with block.path.open("rb") as file:
        for column in columns:
            entry = block.directory[column]
            at = block.offset + block.header_bytes + int(ends[column]) - int(entry["bytes"])
            body = os.pread(file.fileno(), int(entry["bytes"]), at)
            if len(body) != entry["bytes"] or zlib.crc32(body) != entry["crc"]:
                raise ArchiveError(f"column {column} at byte {at}: its checksum is wrong")
            bodies[column] = body
    return bodies


def _head(fd: int) -> bytes:
    """The file header with its description: the first few KB, or more if it says so."""
    content = os.pread(fd, HEADER_READ, 0)
    if len(content) >= FILE_HEADER.itemsize and content[:8] == FILE_MAGIC:
        end = int.from_bytes(content[12:16], "little")
        if HEADER_READ < end <= 1 << 20:
            content = os.pread(fd, end, 0)
    return content


def _begins_unfinished(path: Path, size: int) -> bool:
    """Whether a file that has no good header is what a crash at its creation leaves."""
    content = path.read_bytes() if size <= 1 << 20 else b"x"
    if not content.strip(b"\0") or FILE_MAGIC.startswith(content[:8]):
        return True
    # The header and its first block are one write: behind a header cut short there is nothing.
    if content[:8] != FILE_MAGIC:
        return False
    return size < FILE_HEADER.itemsize or size < int.from_bytes(content[12:16], "little")


def _next_block(path: Path, fd: int, begin: int, size: int) -> int:
    """Offset of the next block from `begin` whose header checksum holds; -1 if there is none."""
    if begin >= size:
        return -1
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as content:
        at = content.find(BLOCK_MAGIC, begin)
        while at >= 0:
            if isinstance(block_at(path, fd, 0, at), Block):
                return at
            at = content.find(BLOCK_MAGIC, at + 1)
    return -1
