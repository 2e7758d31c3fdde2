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

from mantra.archive import layout
from mantra.archive.layout import ArchiveError, Block, Damage, unpack_block


@dataclass
class StreamIndex:
    """Of one stream: its description and its blocks and damages in order of rows."""

    description: dict | None  # None: no segment of it has a readable header
    items: list[Block | Damage]
    next_row: int  # number of the first row behind the last readable block

    @property
    def blocks(self) -> list[Block]:
        return [item for item in self.items if isinstance(item, Block)]

    @property
    def damages(self) -> list[Damage]:
        return [item for item in self.items if isinstance(item, Damage)]


def index_stream(stream: str, segments: list[tuple[int, Path]]) -> StreamIndex:
    """Index the segments of a stream, given as (number, path), ascending."""
    index = StreamIndex(None, [], 0)
    for position, (number, path) in enumerate(segments):
        _index_segment(index, number, path, last=position == len(segments) - 1)
    _settle_row_counts(index)
    return index


def _index_segment(index: StreamIndex, number: int, path: Path, last: bool) -> None:
    """Append what one segment holds to the index."""
    start = (path, 0, -1)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = 0
        content = os.pread(file.fileno(), layout.FILE_HEADER_MAX, 0)
        try:
            said, first_row, description, begin = layout.unpack_file_header(path, content)
            if said != number:
                _say(index, start, f"the header says segment {said}", 0)
            if index.description is None:
                index.description = description
            elif index.description["fields"] != description["fields"]:
                _say(index, start, "its records differ from those of earlier segments", -1)
                return
            what = "rows before this segment are missing (is a segment file absent?)"
            _say_missing(index, start, what, first_row)
        except ArchiveError as error:
            what = str(error).removeprefix(f"{path}: ")
            unfinished = last and _begins_unfinished(content, size)
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
    place = (item.path, item.offset, item.number)
    if item.first_row < index.next_row:
        _say(index, place, f"its row number {item.first_row} was there before", 0)
        return
    _say_missing(index, place, "rows before it are missing", item.first_row)
    index.items.append(item)
    index.next_row = item.first_row + item.rows


def _say(index: StreamIndex, place: tuple[Path, int, int], what: str, rows: int) -> None:
    """Note damage at a (path, offset, block) in front of the rows that come next."""
    index.items.append(Damage(*place, index.next_row, rows, what))


def _say_missing(index: StreamIndex, place: tuple[Path, int, int], what: str, row: int) -> None:
    """Note that rows before `row` are missing, unless damage has been said to have cost them."""
    if row > index.next_row and not (index.items and isinstance(index.items[-1], Damage)):
        _say(index, place, what, row - index.next_row)


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
        rows, what = -1, found
        if isinstance(found, Block):
            rows = found.rows
            what = f"the block ends at byte {found.end}, the file at byte {size}"
        following = _next_block(path, fd, offset + 1, size)
        yield Damage(path, offset, number, 0, rows, str(what), tail=following < 0)
        offset, number = following, number + 1


def block_at(path: Path, fd: int, number: int, offset: int) -> Block | str:
    """The block whose header is at `offset`; or what is wrong there."""
    return unpack_block(path, number, offset, os.pread(fd, layout.BLOCK_HEADER_MAX, offset))


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


def _begins_unfinished(content: bytes, size: int) -> bool:
    """Whether a file that has no good header is what a crash at its creation leaves."""
    if content[:8] != layout.FILE_MAGIC:
        zeros = size == len(content) and not content.strip(b"\0")
        return zeros or layout.FILE_MAGIC.startswith(content[:8])
    # The header and its first block are one write: behind a header cut short there is nothing.
    return size < max(layout.FILE_HEADER.itemsize, int.from_bytes(content[12:16], "little"))


def _next_block(path: Path, fd: int, begin: int, size: int) -> int:
    """Offset of the next block from `begin` whose header checksum holds; -1 if there is none."""
    if begin >= size:
        return -1
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as content:
        at = content.find(layout.BLOCK_MAGIC, begin)
        while at >= 0:
            if isinstance(block_at(path, fd, 0, at), Block):
                return at
            at = content.find(layout.BLOCK_MAGIC, at + 1)
    return -1
