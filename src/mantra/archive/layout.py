"""The bytes of an archive: segment files of self-contained blocks. Read this to write a reader.

An archive is a directory: `run.json` (the run's metadata) and, per stream, segment files
`<stream>.<n>.mantra`, n counting from 0. A stream is a sequence of records of one dtype, in order
of arrival, numbered from 0 through all its segments. Everything is little endian, everything is
covered by a CRC-32 (zlib's), nothing is ever rewritten, and there is no footer: the index is
rebuilt by hopping from block header to block header. A segment is a file header, then blocks.

File header: 40 bytes and the description, a JSON object (see columns.py) that holds the stream's
name, its dtype and how the fields become columns, so that a reader needs no other knowledge.

     0            8       12           16                20      24        32          36      40
     +------------+-------+------------+-----------------+-------+---------+-----------+-------+----
     |"MANTRARC"  |version|header bytes|description bytes|segment|first row|description|header |JSON
     |            |  u4   |     u4     |       u4        |  u4   |   i8    |  CRC u4   |CRC u4 | …
     +------------+-------+------------+-----------------+-------+---------+-----------+-------+----

Block header: 56 bytes and a directory of 16 bytes a column, in the order of the description. The
header CRC covers all of the header and directory behind itself; a column's CRC covers its bytes.

     0        4          8            12        16         24        32   36     40       48      56
     +--------+----------+------------+---------+----------+---------+----+------+--------+-------+
     |"BLK1"  |header CRC|header bytes| columns |body bytes|first row|rows|unused|time min|time max
     |        |    u4    |     u4     |   u4    |    i8    |   i8    | u4 |  u4  |   i8   |  i8
     +--------+----------+------------+---------+----------+---------+----+------+--------+-------+
     directory, a column:  0        4       8          12       16
                           +--------+-------+----------+--------+
                           |bytes u4|CRC u4 |encoding u4|unused |
                           +--------+-------+----------+--------+
     body: the columns' bytes, one behind the other

`time min` and `time max` are those of the stream's time column (`ts_origin`) in the block; rows
are in order of arrival, which is nearly, not strictly, the order of time. Without a time column
both are 0.
"""

import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mantra.icc.memory import record_type

VERSION = 1
SUFFIX = ".mantra"
RUN_FILE = "run.json"
STREAM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,120}")
SEGMENT_NAME = re.compile(rf"({STREAM_NAME.pattern})\.(\d+){re.escape(SUFFIX)}")

FILE_MAGIC = b"MANTRARC"
BLOCK_MAGIC = b"BLK1"
DESCRIPTION_BYTES_MAX = 1 << 20
BLOCK_ROWS_MAX = 1 << 24  # What pcodec takes in one chunk.
COLUMNS_MAX = 4096

FILE_HEADER = record_type(
    "S8 magic",
    "<u4 version header_bytes description_bytes segment",
    "<i8 first_row",
    "<u4 description_crc crc",
)

BLOCK_HEADER = record_type(
    "S4 magic",
    "<u4 crc header_bytes columns",
    "<i8 body_bytes first_row",
    "<u4 rows unused",
    "<i8 ts_min ts_max",
)

DIRECTORY_ENTRY = record_type("<u4 bytes crc encoding unused")

assert FILE_HEADER.itemsize == 40
assert BLOCK_HEADER.itemsize == 56
assert DIRECTORY_ENTRY.itemsize == 16
FILE_HEADER_MAX = FILE_HEADER.itemsize + DESCRIPTION_BYTES_MAX
BLOCK_HEADER_MAX = BLOCK_HEADER.itemsize + COLUMNS_MAX * DIRECTORY_ENTRY.itemsize
CRC_COVERS_FROM = 8  # of a block header: behind magic and CRC


class ArchiveError(Exception):
    """An archive cannot be written or read. The text names file and place, and what to do."""


@dataclass(frozen=True)
class Damage:
    """What is wrong at one place of an archive, and which rows it costs."""

    path: Path
    offset: int  # bytes from the beginning of the file
    block: int  # number in its segment; -1: not a block
    first_row: int  # first row lost, numbered through the stream
    rows: int  # rows lost; -1: unknown, nothing readable follows
    what: str
    tail: bool = False  # an unfinished end, as a crash leaves it: `repair` cuts it off

    def __str__(self) -> str:
        lost = "an unknown number of rows" if self.rows < 0 else f"{self.rows} rows"
        place = f"{self.path}: byte {self.offset}, block {self.block}"
        return f"{place}: {self.what} ({lost} from row {self.first_row})"


@dataclass(frozen=True)
class Block:
    """A block's header: where its columns lie, how many rows, of which time."""

    path: Path
    number: int  # in its segment
    offset: int  # of the header in the file
    header_bytes: int
    body_bytes: int
    first_row: int
    rows: int
    ts_min: int
    ts_max: int
    directory: np.ndarray  # DIRECTORY_ENTRY a column

    @property
    def end(self) -> int:
        """Offset of the first byte behind the block."""
        return self.offset + self.header_bytes + self.body_bytes

    def damage(self, what: str) -> Damage:
        return Damage(self.path, self.offset, self.number, self.first_row, self.rows, what)


def segment_path(directory: Path, stream: str, segment: int) -> Path:
    """Path of a stream's segment. Raises ArchiveError for a name that cannot be a file's."""
    if not STREAM_NAME.fullmatch(stream):
        expected = "letters, digits and '_.+-', at most 121 of them"
        raise ArchiveError(f"stream {stream!r}: expected {expected}")
    return directory / f"{stream}.{segment}{SUFFIX}"


def segment_files(directory: Path) -> dict[str, list[tuple[int, Path]]]:
    """The segments of each stream in a directory: (number, path), ascending."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in directory.iterdir():
        if match := SEGMENT_NAME.fullmatch(path.name):
            found.setdefault(match[1], []).append((int(match[2]), path))
    return {stream: sorted(found[stream]) for stream in sorted(found)}


def pack_file_header(description: dict, segment: int, first_row: int) -> bytes:
    text = json.dumps(description, separators=(",", ":")).encode()
    header = np.zeros(1, FILE_HEADER)
    header["magic"], header["version"] = FILE_MAGIC, VERSION
    header["header_bytes"] = FILE_HEADER.itemsize + len(text)
    header["description_bytes"], header["description_crc"] = len(text), zlib.crc32(text)
    header["segment"], header["first_row"] = segment, first_row
    header["crc"] = zlib.crc32(header.tobytes()[:-4])
    return header.tobytes() + text


def unpack_file_header(path: Path, content: bytes) -> tuple[int, int, dict, int]:
    """(segment, first row, description, where the first block begins) from a segment's beginning.

    Raises ArchiveError if it is not one, or is damaged.
    """
    if not FILE_MAGIC.startswith(content[:8]):
        what = f"{path}: not a segment of an archive: begins with {content[:8]!r}"
        advice = "Move the file out of the archive's directory"
        raise ArchiveError(f"{what}, expected {FILE_MAGIC!r}. {advice}")
    if len(content) < FILE_HEADER.itemsize:
        raise ArchiveError(f"{path}: only {len(content)} bytes: the file header is unfinished")
    header = np.frombuffer(content, FILE_HEADER, 1)[0]
    if zlib.crc32(content[: FILE_HEADER.itemsize - 4]) != header["crc"]:
        raise ArchiveError(f"{path}: byte 0: the file header's checksum is wrong")
    if header["version"] != VERSION:
        what = f"{path}: format version {header['version']}; this program reads {VERSION}"
        advice = "Read it with the version of mantra that wrote it (see run.json)"
        raise ArchiveError(f"{what}. {advice}")
    end = int(header["header_bytes"])
    text = content[FILE_HEADER.itemsize : end]
    if end != FILE_HEADER.itemsize + int(header["description_bytes"]) or len(content) < end:
        raise ArchiveError(f"{path}: byte {FILE_HEADER.itemsize}: the description is unfinished")
    if zlib.crc32(text) != header["description_crc"]:
        raise ArchiveError(f"{path}: byte {FILE_HEADER.itemsize}: description checksum is wrong")
    return int(header["segment"]), int(header["first_row"]), json.loads(text), end


def pack_block(
    columns: list[tuple[int, bytes]], rows: int, first_row: int, ts_min: int, ts_max: int
) -> bytes:
    """A whole block from its columns: (encoding, bytes) each, in the description's order."""
    directory = np.zeros(len(columns), DIRECTORY_ENTRY)
    directory["bytes"] = [len(body) for _, body in columns]
    directory["crc"] = [zlib.crc32(body) for _, body in columns]
    directory["encoding"] = [encoding for encoding, _ in columns]
    header = np.zeros(1, BLOCK_HEADER)
    header["magic"], header["header_bytes"] = BLOCK_MAGIC, BLOCK_HEADER.itemsize + directory.nbytes
    header["columns"], header["body_bytes"] = len(columns), directory["bytes"].sum(dtype=np.int64)
    header["first_row"], header["rows"] = first_row, rows
    header["ts_min"], header["ts_max"] = ts_min, ts_max
    covered = header.tobytes()[CRC_COVERS_FROM:] + directory.tobytes()
    header["crc"] = zlib.crc32(covered)
    head = header.tobytes()[:CRC_COVERS_FROM]
    return b"".join([head, covered, *(body for _, body in columns)])


def unpack_block(path: Path, number: int, offset: int, content: bytes) -> Block | str:
    """Parse a block header at the start of `content`; or say what is wrong with it."""
    if content[:4] != BLOCK_MAGIC:
        return f"no block begins here: {content[:4]!r}, expected {BLOCK_MAGIC!r}"
    if len(content) < BLOCK_HEADER.itemsize:
        return "the block header is unfinished"
    header = np.frombuffer(content, BLOCK_HEADER, 1)[0]
    end, columns = int(header["header_bytes"]), int(header["columns"])
    if end != BLOCK_HEADER.itemsize + columns * DIRECTORY_ENTRY.itemsize or columns > COLUMNS_MAX:
        return "the block header is damaged: its sizes do not fit together"
    if len(content) < end:
        return "the block header is unfinished"
    if zlib.crc32(content[CRC_COVERS_FROM:end]) != header["crc"]:
        return "the block header's checksum is wrong"
    directory = np.frombuffer(content, DIRECTORY_ENTRY, columns, BLOCK_HEADER.itemsize)
    names = ("header_bytes", "body_bytes", "first_row", "rows", "ts_min", "ts_max")
    facts = {name: int(header[name]) for name in names}
    return Block(path, number, offset, directory=directory, **facts)
