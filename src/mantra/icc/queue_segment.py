"""The queue in shared memory: its layout, and attaching producers and consumers to it.

     0            64         128       192        2304            8192 + …
     +------------+----------+---------+----------+---------------+---------------------
     | segment    | geometry | count   | owners   | consumers     | slots: capacity ×
     | header     |          | (hot)   | 256 × i8 | 64 × 64 bytes | slot_bytes
     +------------+----------+---------+----------+---------------+---------------------

`owners` holds the process of each producer (`shm.this_process`) by its number; 0 is never used.

     0 ---attach---> process ---release---> 0       a number changes hands by compare-exchange only
                       | dies
                       +---heal---> -healer ---slots healed---> 0     (healer dies: heal again)

So a number that is given out is in no slot, and one process at a time heals a dead one's slots: a
second, late, would VOID slots of the number's next holder, who may be writing.

`consumers` shows who reads, how far they are and what they lost: observers look at it, producers
never do. A replay that must not lose anything paces itself by it (actors/pacing.py).
"""

import time
from dataclasses import dataclass

import numpy as np

from mantra.compiled import compiled
from mantra.icc import atomics, queue, shm
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, record_type

PAYLOADS = (56, 120, 248)  # bytes: one, two and four cache lines a slot
CONSUMERS_MAX = 64
NAME_BYTES = 32

# capacity       slots, a power of two
# record_layout  hash of the record's dtype, given by the creator
GEOMETRY = record_type("i8 mode payload_bytes slot_bytes capacity record_layout")

# cursor   number of the message wanted next
# process  `shm.this_process()`; 0: free
# paces    1: a replay may not run ahead of this consumer
CONSUMER_LINE = record_type("i8 cursor lost process", f"S{NAME_BYTES} name", "i8 paces")

GEOMETRY_AT = CACHE_LINE
COUNT_AT = 2 * CACHE_LINE
OWNERS_AT = 3 * CACHE_LINE
CONSUMERS_AT = OWNERS_AT + 8 * (queue.OWNERS_MAX + 1) + CACHE_LINE
SLOTS_AT = 8192
PROTOCOL = 1  # Raise it when the meaning of a version or an owner word changes.
LAYOUT = shm.layout_hash("queue", PROTOCOL, GEOMETRY, CONSUMER_LINE, SLOTS_AT)
PROCESS_AT = 16  # of a consumer line
HEAL_TRIES = 1000  # of 1 ms: how long an attaching producer waits for a healer at work

assert CONSUMER_LINE.itemsize == CACHE_LINE
assert CONSUMERS_AT % CACHE_LINE == 0
assert CONSUMERS_AT + CONSUMERS_MAX * CACHE_LINE <= SLOTS_AT


@dataclass(frozen=True)
class Queue:
    """A mapped queue. Make one by `create` or `attach`."""

    segment: shm.Segment

    @property
    def geometry(self) -> np.void:
        return self.segment.records(GEOMETRY_AT, 1, GEOMETRY)[0]

    @property
    def count(self) -> int:
        """Messages published so far; in MPMC mode at least that many."""
        return int(self.segment.records(COUNT_AT, 1, np.dtype("i8"))[0])

    @property
    def owners(self) -> np.ndarray:
        return self.segment.records(OWNERS_AT, queue.OWNERS_MAX + 1, np.dtype("i8"))

    @property
    def consumers(self) -> np.ndarray:
        return self.segment.records(CONSUMERS_AT, CONSUMERS_MAX, CONSUMER_LINE)

    @property
    def capacity(self) -> int:
        return int(self.geometry["capacity"])


def create(run: str, name: str, record: np.dtype, capacity: int, mode: int = queue.SPMC) -> Queue:
    """Make a queue of `capacity` records. Raises SegmentError, ValueError."""
    if capacity < 2 or capacity & (capacity - 1):
        raise ValueError(f"queue {name!r}: capacity {capacity} is not a power of two >= 2")
    if mode not in (queue.SPMC, queue.MPMC):
        raise ValueError(f"queue {name!r}: mode {mode} is neither SPMC (1) nor MPMC (2)")
    if record.itemsize not in PAYLOADS:
        size = f"{record.itemsize} bytes; a slot takes one of {PAYLOADS}"
        raise ValueError(f"queue {name!r}: records of {size}")
    slot_bytes = record.itemsize + queue.PAYLOAD
    content = SLOTS_AT - CACHE_LINE + capacity * slot_bytes
    made = Queue(shm.create(run, name, content, LAYOUT))
    facts = (mode, record.itemsize, slot_bytes, capacity, shm.layout_hash(record))
    made.segment.records(GEOMETRY_AT, 1, GEOMETRY)[0] = facts
    made.segment.publish()
    return made


def attach(run: str, name: str, record: np.dtype | None = None, writable: bool = True) -> Queue:
    """Map a queue that is there. Raises SegmentError if its records are not `record`s."""
    found = Queue(shm.attach(run, name, LAYOUT, writable))
    if record is not None:
        shm.refuse_other_records("queue", found.segment, found.geometry, record)
    return found


def producer(of: Queue) -> np.ndarray:
    """A PRODUCER handle (array of one; pass its address). One a process and queue.

    In SPMC mode a second producer is refused while the first one lives; after it died the new one
    goes on where it stopped, behind the slot it may have left in mid-write. Raises SegmentError.
    """
    _need_writable(of)
    owner = _take_owner(of)
    handle = _handle(of, queue.PRODUCER)
    handle["owner"], handle["mode"] = owner, of.geometry["mode"]
    handle["next"] = queue.find_head(*_ring(of), of.segment.address + COUNT_AT)
    return handle


def release_producer(of: Queue, handle: np.ndarray) -> None:
    """Give a producer's number back, so that another process may take it."""
    exchange(_owner_at(of, int(handle["owner"][0])), shm.this_process(), 0)


def consumer(
    of: Queue, name: str, from_oldest: bool = False, paces: bool = False, shown: bool = True
) -> np.ndarray:
    """A CONSUMER handle (array of one; pass its address), at the next message or the oldest.

    `shown` registers it where observers see its progress; a full registry raises SegmentError. A
    read-only mapping takes only consumers that are not shown; they heal nothing.
    """
    handle = _handle(of, queue.CONSUMER)
    handle["next"] = max(0, of.count - of.capacity) if from_oldest else of.count
    if shown:
        _need_writable(of)
        handle["cursor"] = _register(of, name, int(handle["next"][0]), paces)
        if not from_oldest:
            handle["next"] = of.count  # Read after a pacing replay could see us: none is lost.
            queue.show_progress(address_of(handle))
    return handle


def heal(of: Queue) -> int:
    """Make VOID what dead producers left in mid-write, and free their numbers; how many slots.

    For a supervisor that saw a producer die, and for an attaching producer. Consumers heal the
    slot they are stuck at by themselves.
    """
    _need_writable(of)
    healed, healer = 0, -shm.this_process()
    for owner in np.flatnonzero(of.owners):
        process = int(of.owners[owner])
        if shm.process_alive(abs(process)):
            continue
        arguments = (int(owner), _owner_at(of, owner), process, healer)
        healed += max(0, queue.heal_owner(*_ring(of), *arguments))
    return healed


@compiled
def exchange(address, expected, desired):
    """`compare_exchange` for Python callers: the instruction, not its twin."""
    return atomics.compare_exchange(address, expected, desired)


def _handle(of: Queue, kind: np.dtype) -> np.ndarray:
    """A PRODUCER or CONSUMER with all they have in common."""
    handle = aligned_zeros(1, kind)
    geometry, segment = of.geometry, of.segment
    handle["slots"], handle["count"] = segment.address + SLOTS_AT, segment.address + COUNT_AT
    handle["mask"], handle["slot_bytes"] = geometry["capacity"] - 1, geometry["slot_bytes"]
    handle["words"] = geometry["payload_bytes"] // 8
    handle["owners"] = segment.address + OWNERS_AT if segment.writable else 0
    return handle


def _need_writable(of: Queue) -> None:
    if not of.segment.writable:
        what = f"queue {of.segment.path} is mapped read-only"
        raise shm.SegmentError(f"{what}: attach it with writable=True")


def _owner_at(of: Queue, owner: int) -> int:
    return of.segment.address + OWNERS_AT + 8 * int(owner)


def _ring(of: Queue) -> tuple[int, int, int]:
    """Address of slot 0, slots, bytes of a slot."""
    return of.segment.address + SLOTS_AT, of.capacity, int(of.geometry["slot_bytes"])


def _take_owner(of: Queue) -> int:
    # One number where one producer is allowed: of two that attach at once one gets it.
    numbers = 1 if of.geometry["mode"] == queue.SPMC else queue.OWNERS_MAX
    for _ in range(HEAL_TRIES):
        heal(of)
        owner = queue.take_owner(of.segment.address + OWNERS_AT, numbers, shm.this_process())
        if owner:
            return int(owner)
        if (of.owners[1 : numbers + 1] > 0).all():
            break
        time.sleep(0.001)  # Another process heals: its number will be free.
    which = f"{numbers} producers" if numbers > 1 else "its one producer"
    last = int(of.owners[numbers]) & shm.PID_MASK
    raise shm.SegmentError(f"queue {of.segment.path} has {which} already: process {last}")


def _register(of: Queue, name: str, cursor: int, paces: bool) -> int:
    first = of.segment.address + CONSUMERS_AT
    for index, line in enumerate(of.consumers):
        address = first + index * CACHE_LINE
        seen = int(line["process"])
        if shm.process_alive(seen):
            continue
        if not exchange(address + PROCESS_AT, seen, shm.this_process()):
            continue  # Another was faster.
        line["cursor"], line["lost"] = cursor, 0
        line["name"], line["paces"] = name.encode()[:NAME_BYTES], paces
        return address
    raise shm.SegmentError(f"queue {of.segment.path} has {CONSUMERS_MAX} consumers already")
