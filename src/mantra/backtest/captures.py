"""Recorded captures as text: files of lines, gzip or plain, read in big pieces of whole lines.

In:        paths of files whose lines are `<local time> <message>`.
Out:       pieces of whole lines with the place where each line ends; how far we are.
Must not know: venues, messages.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mantra.icc.memory import address_of

PIECE_BYTES = 1 << 20
PACKED_BYTES = 1 << 18
LINE_BYTES_MAX = 64 << 20  # the largest snapshots are below 1 MB: more is no line of text
GZIP_MAGIC, GZIP_FORMAT = b"\x1f\x8b", 31
NEWLINE = ord("\n")

Progress = Callable[[int, int], None]  # bytes of the files done, bytes in all


class CaptureError(Exception):
    """A capture cannot be read, or not into this archive."""


@dataclass
class Piece:
    """Some whole lines. `ends[i]` is the offset behind line i's last byte, its newline left out."""

    text: np.ndarray
    ends: np.ndarray
    first_line: int  # number of the first of them in its file, from 1

    @property
    def address(self) -> int:
        return address_of(self.text)


@dataclass
class Damage:
    """A file that ends before its content does, as when the recorder was killed."""

    path: Path
    line: int  # the last line that was read
    reason: str


def sizes(paths: list[Path]) -> int:
    """Bytes of all files. Raises CaptureError for one that is not there."""
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise CaptureError(f"{error.filename}: {error.strerror}") from None


def pieces(path: Path, damages: list[Damage], done: Callable[[int], None]) -> Iterator[Piece]:
    """The lines of a file, in pieces. `done` is called with the bytes of the file read so far.

    A file cut short is read as far as it goes and added to `damages`.
    """
    line, rest = 1, b""
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        texts = _unpacked(raw) if packed else iter(lambda: raw.read(PIECE_BYTES), b"")
        while True:
            try:
                more = next(texts, b"")
            except (EOFError, zlib.error) as error:
                damages.append(Damage(path, line + rest.count(b"\n"), str(error)))
                more = b""
            text = rest + more
            cut = len(text) if not more else text.rfind(b"\n") + 1
            if cut == 0 and len(text) > LINE_BYTES_MAX:
                cut = len(text)
            text, rest = text[:cut], text[cut:]
            if text:
                piece = _piece(text, line)
                line += len(piece.ends)
                yield piece
            done(raw.tell())
            if not more:
                return


def _unpacked(raw: BinaryIO) -> Iterator[bytes]:
    """The text of a gzip file, member by member. Raises EOFError, zlib.error where it is damaged.

    Not `gzip.open`: that throws away what it has unpacked when the end is missing.
    """
    unpack = zlib.decompressobj(GZIP_FORMAT)
    while packed := raw.read(PACKED_BYTES):
        while packed:
            text = unpack.decompress(packed)
            if text:
                yield text
            packed = unpack.unused_data.lstrip(b"\0") if unpack.eof else b""
            if unpack.eof and packed:
                unpack = zlib.decompressobj(GZIP_FORMAT)
    if not unpack.eof:
        raise EOFError("the compressed file ends before its content does")


def _piece(text: bytes, line: int) -> Piece:
    raw = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(raw == NEWLINE).astype(np.int64)
    if raw[-1] != NEWLINE:
        ends = np.append(ends, len(raw))
    return Piece(raw, ends, line)
