"""SeqlockVector: random-access rows in shared memory, the latest value wins.

One writer, any readers. A row is one version word and its payload; odd means a write is going on.
`writes` counts them all: a reader that watches many rows first looks at this one word.

     0          64         128       192
     +----------+----------+---------+----------------------------------
     | segment  | geometry | writes  | rows: count × row_bytes
     | header   |          |         |   version | payload words
     +----------+----------+---------+----------------------------------

A writer that dies in mid-write leaves the row BUSY: readers keep what they had, the next writer's
write heals it.
"""

from dataclasses import dataclass

import numpy as np

from mantra.compiled import compiled
from mantra.icc import atomics, shm
from mantra.icc.memory import CACHE_LINE, aligned_zeros, record_type, records_at

BUSY = -1
PAYLOAD = 8
READ_TRIES = 64  # a write takes some ns: more tries than this means a dead or stopped writer

VECTOR_GEOMETRY = record_type("i8 rows row_bytes payload_bytes record_layout")

# first   address of row 0
# words   payload words
# writes  address of the count of writes
VECTOR = record_type("i8 first row_bytes words writes rows")

GEOMETRY_AT = CACHE_LINE
WRITES_AT = 2 * CACHE_LINE
ROWS_AT = 3 * CACHE_LINE
LAYOUT = shm.layout_hash("seqlock vector", VECTOR_GEOMETRY, ROWS_AT)


@compiled
def write_row(vector_address, row, source_address):
    """Write one row. Only the vector's one writer may call this."""
    vector = records_at(vector_address, 1, VECTOR)[0]
    slot = vector["first"] + row * vector["row_bytes"]
    # Odd already: our predecessor died here; finish for it.
    version = atomics.load_relaxed(slot) | 1
    atomics.store_relaxed(slot, version)
    atomics.fence_release()
    atomics.copy_in(slot + PAYLOAD, source_address, vector["words"])
    atomics.store_release(slot, version + 1)
    atomics.store_release(vector["writes"], atomics.load_relaxed(vector["writes"]) + 1)


@compiled
def try_read_row(vector_address, row, target_address):
    """Copy a row to `target_address`; its version (even, 0 = never written), or BUSY: garbage."""
    vector = records_at(vector_address, 1, VECTOR)[0]
    slot = vector["first"] + row * vector["row_bytes"]
    for _ in range(READ_TRIES):
        version = atomics.load_acquire(slot)
        if version & 1:
            continue
        atomics.copy_out(target_address, slot + PAYLOAD, vector["words"])
        atomics.fence_acquire()
        if atomics.load_relaxed(slot) == version:
            return version
    return np.int64(BUSY)


@compiled
def row_version(vector_address, row):
    """The row's version: changes with each write."""
    vector = records_at(vector_address, 1, VECTOR)[0]
    return atomics.load_acquire(vector["first"] + row * vector["row_bytes"])


@compiled
def writes(vector_address):
    """How many writes the whole vector has seen."""
    return atomics.load_acquire(records_at(vector_address, 1, VECTOR)[0]["writes"])


@dataclass(frozen=True)
class Vector:
    """A mapped vector; `handle` is a VECTOR record (array of one; pass its address)."""

    segment: shm.Segment
    handle: np.ndarray


def create(run: str, name: str, record: np.dtype, rows: int) -> Vector:
    """Make a vector of `rows` zeroed records. Raises SegmentError, ValueError."""
    if rows < 1 or record.itemsize % 8:
        raise ValueError(f"vector {name!r}: {rows} rows of {record.itemsize} bytes (8n wanted)")
    row_bytes = -(-(record.itemsize + PAYLOAD) // CACHE_LINE) * CACHE_LINE
    segment = shm.create(run, name, ROWS_AT - CACHE_LINE + rows * row_bytes, LAYOUT)
    facts = (rows, row_bytes, record.itemsize, shm.layout_hash(record))
    segment.records(GEOMETRY_AT, 1, VECTOR_GEOMETRY)[0] = facts
    segment.publish()
    return _open(segment)


def attach(run: str, name: str, record: np.dtype | None = None, writable: bool = True) -> Vector:
    """Map a vector that is there. Raises SegmentError if its rows are not `record`s."""
    segment = shm.attach(run, name, LAYOUT, writable)
    geometry = segment.records(GEOMETRY_AT, 1, VECTOR_GEOMETRY)[0]
    if record is not None:
        shm.refuse_other_records("vector", segment, geometry, record)
    return _open(segment)


def _open(segment: shm.Segment) -> Vector:
    geometry = segment.records(GEOMETRY_AT, 1, VECTOR_GEOMETRY)[0]
    handle = aligned_zeros(1, VECTOR)
    handle["first"], handle["writes"] = segment.address + ROWS_AT, segment.address + WRITES_AT
    handle["words"] = geometry["payload_bytes"] // 8
    handle["row_bytes"], handle["rows"] = geometry["row_bytes"], geometry["rows"]
    return Vector(segment, handle)
