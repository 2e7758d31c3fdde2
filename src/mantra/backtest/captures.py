"""Recorded captures as text: files of lines, gzip or plain, read in big pieces of whole lines.

In:        paths of files whose lines are `<local time> <message>`, or a dump's (dumps.py).
Out:       pieces of whole lines with the place where each line ends, as often as wanted.
Must not know: venues, messages.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mantra.backtest.dumps import as_capture, is_dump
from mantra.icc.memory import address_of

PIECE_BYTES = 1 << 20
PACKED_BYTES = 1 << 18
KEEP_BYTES = 256 << 20  # text kept between two passes
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
    line: int  # the last whole line of it
    reason: str


class Captures:
    """Files as one session of lines, to be gone through several times: `for path, piece in …`.

    The text is kept from the first time if it is not too much; else the files are read again.
    Raises CaptureError for files that are not there.
    """

    def __init__(self, paths: list[Path], passes: int, progress: Progress | None):
        try:
            self._sizes = {path: path.stat().st_size for path in paths}
        except OSError as error:
            raise CaptureError(f"{error.filename}: {error.strerror}") from None
        self._paths, self._progress = paths, progress
        self._done, self._total = 0, passes * sum(self._sizes[path] for path in paths)
        self._kept: dict[int, list[Piece]] = {}  # by position in paths
        self._room = KEEP_BYTES
        self.damages: list[Damage] = []  # found while going through

    def __iter__(self) -> Iterator[tuple[Path, Piece]]:
        for i, path in enumerate(self._paths):
            if i in self._kept:
                yield from ((path, piece) for piece in self._kept[i])
            else:
                kept: list[Piece] = []
                for piece, done in pieces(path, self.damages):
                    self._tell(self._done + done)
                    self._room -= piece.text.nbytes
                    if self._room > 0:
                        kept.append(piece)
                    yield path, piece
                if self._room > 0:
                    self._kept[i] = kept
            self._done += self._sizes[path]
            self._tell(self._done)

    def _tell(self, done: int) -> None:
        if self._progress:
            self._progress(done, self._total)


def pieces(path: Path, damages: list[Damage]) -> Iterator[tuple[Piece, int]]:
    """The lines of a file, in pieces, with the bytes of the file read so far; a dump's translated.

    A file cut short is read as far as it goes and added to `damages`.
    """
    line, rest, dump = 1, b"", False
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        texts = _unpacked(raw) if packed else iter(lambda: raw.read(PIECE_BYTES), b"")
        while True:
            try:
                more = next(texts, b"")
            except (EOFError, zlib.error) as error:
                damages.append(Damage(path, line - 1, str(error)))
                more = b""
            text = rest + more
            cut = len(text) if not more else text.rfind(b"\n") + 1
            if cut == 0 and len(text) > LINE_BYTES_MAX:
                cut = len(text)
            text, rest = text[:cut], text[cut:]
            if text:
                dump = is_dump(text) if line == 1 else dump
                piece = piece_of(as_capture(text) if dump else text, line)
                line += len(piece.ends)
                yield piece, raw.tell()
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


def piece_of(text: bytes, line: int) -> Piece:
    """A piece from whole lines, the first of them with this number."""
    raw = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(raw == NEWLINE).astype(np.int64)
    if raw[-1] != NEWLINE:
        ends = np.append(ends, len(raw))
    return Piece(raw, ends, line)
