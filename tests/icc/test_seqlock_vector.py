"""Rows in one process: written, read, left in mid-write; and what an attacher is refused."""

import os

import numpy as np
import pytest

from mantra.icc import seqlock_vector as sv
from mantra.icc import shm
from mantra.icc.atomics import store_release
from mantra.icc.memory import address_of, aligned_zeros

RECORD = np.dtype([("price", "i8"), ("volume", "i8")])


@pytest.fixture
def vector():
    made = sv.create(f"unit-{os.getpid()}", "rows", RECORD, 3)
    yield made
    made.segment.path.unlink()


def write(vector, row: int, price: int) -> None:
    record = aligned_zeros(1, RECORD)
    record["price"], record["volume"] = price, -price
    sv.write_row(address_of(vector.handle), row, address_of(record))


def read(vector, row: int) -> tuple[int, int]:
    """Version, price."""
    target = aligned_zeros(1, RECORD)
    version = sv.try_read_row(address_of(vector.handle), row, address_of(target))
    assert target["volume"][0] == -target["price"][0]
    return int(version), int(target["price"][0])


def test_rows_are_apart_and_the_latest_value_wins(vector):
    write(vector, 0, 5)
    write(vector, 2, 6)
    write(vector, 2, 7)
    assert [read(vector, row) for row in range(3)] == [(2, 5), (0, 0), (4, 7)]
    assert sv.writes(address_of(vector.handle)) == 3
    assert sv.row_version(address_of(vector.handle), 2) == 4


def test_a_row_left_in_mid_write_is_busy_until_the_next_write_heals_it(vector):
    write(vector, 1, 5)
    store_release(int(vector.handle["first"][0] + vector.handle["row_bytes"][0]), 3)
    assert read(vector, 1)[0] == sv.BUSY
    write(vector, 1, 6)
    assert read(vector, 1) == (4, 6)


def test_an_attacher_sees_the_same_rows(vector):
    write(vector, 1, 9)
    other = sv.attach(f"unit-{os.getpid()}", "rows", RECORD, writable=False)
    assert read(other, 1) == (2, 9)


def test_other_rows_are_refused_with_both_sizes(vector):
    other = np.dtype([("price", "i8"), ("volume", "i8"), ("more", "i8")])
    with pytest.raises(shm.SegmentError, match="16 bytes there, 24 here"):
        sv.attach(f"unit-{os.getpid()}", "rows", other)


@pytest.mark.parametrize(("rows", "record"), [(0, RECORD), (1, np.dtype([("a", "i4")]))])
def test_impossible_vectors_are_refused(rows, record):
    with pytest.raises(ValueError, match="8n wanted"):
        sv.create(f"unit-{os.getpid()}", "bad", record, rows)
