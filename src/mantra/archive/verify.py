"""Checking an archive whole, and cutting off what a crash left unfinished.

`verify` reads every byte: magic, lengths, checksums, row numbers, and decodes each block to see
that it holds the rows and times its header promises. `repair` truncates a stream's last segment
behind its last good block; it touches nothing else, so damage in the middle of an archive stays
as it is: reading says which rows it costs.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mantra.archive import columns, layout, reader, segment


@dataclass
class StreamReport:
    """What `verify` found of one stream; only good blocks count."""

    segments: int = 0
    blocks: int = 0
    rows: int = 0
    bytes: int = 0  # of its files


@dataclass
class Report:
    """What `verify` found. `damages` is empty if all is well."""

    directory: Path
    streams: dict[str, StreamReport] = field(default_factory=dict)
    damages: list[layout.Damage] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.damages


def verify(directory: Path | str) -> Report:
    """Read every byte of an archive and report everything that is wrong with it."""
    report = Report(Path(directory))
    for stream, segments in layout.segment_files(report.directory).items():
        index = segment.index_stream(stream, segments)
        of = report.streams[stream] = StreamReport(len(segments))
        of.bytes = sum(path.stat().st_size for _, path in segments)
        report.damages += index.damages
        for block in index.blocks:
            if what := _check_block(index, block):
                report.damages.append(block.damage(what))
            else:
                of.blocks += 1
                of.rows += block.rows
    return report


def _check_block(index: segment.StreamIndex, block: layout.Block) -> str:
    """What is wrong with a block; empty if it is good."""
    if index.description is None:
        return "no readable file header says what its columns are"
    rows = np.zeros(block.rows, columns.dtype_of(index.description))
    try:
        reader.decode_block(index.description, block, rows)
    except layout.ArchiveError as error:
        return str(error)
    name = index.description["time_column"]
    if name and (rows[name].min() != block.ts_min or rows[name].max() != block.ts_max):
        return "its rows are not of the time its header says"
    return ""


def repair(path: Path | str) -> list[str]:
    """Cut off the unfinished end of a segment, or of each stream of a directory.

    Returns one line for each cut, empty if nothing was unfinished. Call it only when no writer
    has the archive open.
    """
    path = Path(path)
    if not path.is_dir():
        return repair_segment(path)
    ends = [segments[-1][1] for segments in layout.segment_files(path).values()]
    return [note for end in ends for note in repair_segment(end)]


def repair_segment(path: Path) -> list[str]:
    """Cut the unfinished end off one segment, which must be the last of its stream."""
    match = layout.SEGMENT_NAME.fullmatch(path.name)
    if not match:
        raise layout.ArchiveError(f"{path}: not the name of a segment, <stream>.<n>.mantra")
    index = segment.index_stream(match[1], [(int(match[2]), path)])
    size = end = path.stat().st_size
    blocks = index.blocks
    what = []
    if index.damages and index.damages[-1].tail:
        end = index.damages[-1].offset
        what.append(index.damages[-1].what)
    if blocks and blocks[-1].end == end and not _whole(blocks[-1]):
        # There by length, but not by content: the machine went down before the disk had it.
        end = blocks.pop().offset
        what.append("the last block's checksums are wrong")
    if not what:
        return []
    note = f"{path}: cut {size - end} bytes from byte {end}: {'; '.join(what)}"
    if end == 0:
        path.unlink()
        return [note + "; nothing was left, so the file is gone"]
    os.truncate(path, end)
    return [note]


def _whole(block: layout.Block) -> bool:
    """Whether the columns' checksums hold."""
    try:
        segment.read_columns(block, list(range(len(block.directory))))
    except layout.ArchiveError:
        return False
    return True
