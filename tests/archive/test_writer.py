"""What is written comes back; a crash, a full disk or a second writer costs nothing more."""

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mantra.archive import ArchiveError, ArchiveReader, ArchiveWriter, verify
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
