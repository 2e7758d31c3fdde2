"""Archive: record a queue, read it back, verify. Same messages, compressed.

In:        records of any dtype, in order of arrival, by stream name.
Out:       the same records bit for bit, by range of time, one stream or several merged.
Must not know: what the records mean beyond their time column; who publishes or reads them.

layout.py    the bytes on disk, drawn; headers packed and parsed
columns.py   records <-> columns <-> bytes: transforms and pcodec
segment.py   where the blocks of a file lie, and what is damaged
writer.py    ArchiveWriter
reader.py    ArchiveReader
merge.py     several streams in order of time
verify.py    verify, repair
recorder.py  the actor that records every queue of a run
"""

from mantra.archive.layout import ArchiveError
from mantra.archive.reader import ArchiveReader
from mantra.archive.verify import repair, verify
from mantra.archive.writer import ArchiveWriter

__all__ = ["ArchiveError", "ArchiveReader", "ArchiveWriter", "repair", "verify"]
