"""The broadcast queue: a ring of seqlocked slots. Compiled; addresses in, addresses out.

Every consumer sees every message. Producers never wait for consumers and do not know them;
consumers share nothing. A slot is one version word and the payload:

     0         8                                  slot_bytes (64, 128, 256)
     +---------+----------------------------------+
     | version | payload words                    |
     +---------+----------------------------------+

Messages are numbered from 0; message n lives in slot n & mask. The version says which message a
slot holds, and whether it is whole (low ten bits, `owner` being the producer's number 1..255):

     WHOLE    (n+1) << 10                        message n can be read
     WRITING   n    << 10 | owner << 2 | 1       owner is writing message n
     VOID     (n+1) << 10 | owner << 2 | 2       there is no message n: skip it

So no version ever comes back to a slot, and WRITING n is below WHOLE n is below VOID n. A consumer
that wants n compares the version with WHOLE n: below is EMPTY, equal is DATA if it still is equal
after the copy, VOID n is passed over, above that is SPED_PAST. It then goes on at the oldest number
that survives and counts those it lost: every number is read, voided or lost, and counted once.
(53 bits of number last for years at 10^8 a second. VOID loses its owner when he gives it back:
the one step down, and still a value the slot has never had.)

One producer (SPMC) stores its versions. Several (MPMC) claim a slot by compare-exchange on its
version, so there is no moment in which a message is promised but nobody can be seen writing it:

* A producer that dies in mid-write leaves WRITING n with its number. A consumer stuck at n looks
  whether that process still lives, and if not makes the slot VOID.
* A producer that is lapped in mid-write (stopped for a whole ring) finds its slot VOID when it
  goes on. It alone clears its number from the slot, so no other writes there while it might be
  writing still, and then publishes its message again at the head. Nothing is lost, nothing torn.
* Until then each lap makes that one slot VOID again. A producer holds at most one slot, so there is
  progress while the ring has more slots than producers that are stopped.

All processes of a run must live in one process-id namespace: liveness is asked of the kernel.

Process-private handles: a PRODUCER and a CONSUMER record each, made by queue_segment.py.
"""

import errno
import os

import numpy as np
from numba import types
from numba.extending import overload

from mantra.compiled import compiled
from mantra.icc import atomics, shm
from mantra.icc.memory import record_type, records_at

SPMC, MPMC = 1, 2

EMPTY, DATA, SPED_PAST = range(3)

PAYLOAD = 8  # offset of the payload in a slot

# The version word.
NUMBER_SHIFT = 10
OWNER_SHIFT = 2
OWNER_MASK = 0xFF
STATE_MASK = 3
WHOLE, WRITING, VOID = range(3)
OWNERS_MAX = OWNER_MASK

STUCK_POLLS = 1 << 10  # empty polls of one unfinished slot (some µs) before a look at its owner

# slots   address of slot 0
# words   payload words
# count   address of the queue's message count
# next    number of the next message (SPMC)
# owners  address of the processes by owner
PRODUCER = record_type("i8 slots mask slot_bytes words count next", "i4 owner mode", "i8 owners")

# next       number of the message wanted next
# lost       numbers overwritten before they were looked at
# sped_past  how often
# voided     numbers under which no message was
# owners     0: the mapping is read-only, heal nothing
# cursor     address of the word where progress is shown; 0 for none
CONSUMER = record_type(
    "i8 slots mask slot_bytes words count next lost sped_past voided owners stuck_version",
    "i8 stuck_polls cursor",
)

ERRNO = np.dtype("i4")
_kill = types.ExternalFunction("kill", types.int32(types.int32, types.int32))
_errno_location = types.ExternalFunction("__errno_location", types.int64())


@compiled
def whole(number):
    return (number + 1) << NUMBER_SHIFT


@compiled
def writing(number, owner):
    return number << NUMBER_SHIFT | owner << OWNER_SHIFT | WRITING


@compiled
def void(number, owner):
    return (number + 1) << NUMBER_SHIFT | owner << OWNER_SHIFT | VOID


# ---------------------------------------------------------------- producing


@compiled
def publish(producer_address, message_address):
    """Publish the payload at `message_address`; returns its number. Never waits for consumers."""
    producer = records_at(producer_address, 1, PRODUCER)[0]
    if producer["mode"] == MPMC:
        return publish_shared(producer_address, message_address)
    number = producer["next"]
    slot = producer["slots"] + (number & producer["mask"]) * producer["slot_bytes"]
    atomics.store_relaxed(slot, writing(number, np.int64(producer["owner"])))
    atomics.fence_release()  # The payload is not seen to change before the version says so.
    atomics.copy_in(slot + PAYLOAD, message_address, producer["words"])
    atomics.store_release(slot, whole(number))
    atomics.store_release(producer["count"], number + 1)
    producer["next"] = number + 1
    return number


@compiled
def publish_shared(producer_address, message_address):
    """`publish` where other processes publish to the same queue."""
    producer = records_at(producer_address, 1, PRODUCER)[0]
    owner = np.int64(producer["owner"])
    while True:
        number = claim(producer_address)
        slot = producer["slots"] + (number & producer["mask"]) * producer["slot_bytes"]
        atomics.fence_release()
        atomics.copy_in(slot + PAYLOAD, message_address, producer["words"])
        if atomics.compare_exchange(slot, writing(number, owner), whole(number)):
            raise_count(producer["count"], number + 1)
            return number
        give_back(slot, owner)  # Lapped in mid-write: nobody saw the message; publish it anew.


@compiled
def claim(producer_address):
    """Take the next free number: its slot is WRITING by us on return."""
    producer = records_at(producer_address, 1, PRODUCER)[0]
    owner = np.int64(producer["owner"])
    number = atomics.load_acquire(producer["count"])
    while True:
        slot = producer["slots"] + (number & producer["mask"]) * producer["slot_bytes"]
        version = atomics.load_acquire(slot)
        state = version & STATE_MASK
        holder = (version >> OWNER_SHIFT) & OWNER_MASK
        if version >= whole(number) or (state == WRITING and version >> NUMBER_SHIFT == number):
            # Taken. Skip to what the version or the count says, whichever is further.
            number = max(number + 1, atomics.load_acquire(producer["count"]))
        elif holder == 0:
            if atomics.compare_exchange(slot, version, writing(number, owner)):
                return number
        elif atomics.compare_exchange(slot, version, void(number, holder)):
            # Its holder was lapped, and may be writing there still: leave it the slot.
            number += 1


@compiled
def give_back(slot, owner):
    """Take our number out of a slot we were lapped in: from here on others may write there."""
    while True:
        version = atomics.load_acquire(slot)
        if (version >> OWNER_SHIFT) & OWNER_MASK != owner:
            return  # Healed by another, who thought us dead.
        if atomics.compare_exchange(slot, version, version & ~(OWNER_MASK << OWNER_SHIFT)):
            return


@compiled
def raise_count(count_address, count):
    """Make the count at least `count`: the hint where producers begin to look."""
    seen = atomics.load_relaxed(count_address)
    while seen < count:
        if atomics.compare_exchange(count_address, seen, count):
            return
        seen = atomics.load_relaxed(count_address)


# ---------------------------------------------------------------- consuming


@compiled
def try_consume(consumer_address, target_address):
    """Copy the next message to `target_address`: DATA. Or EMPTY, or SPED_PAST: target is garbage.

    After SPED_PAST the consumer stands at the oldest message that survives; call again.
    """
    consumer = records_at(consumer_address, 1, CONSUMER)[0]
    number = consumer["next"]
    slot = consumer["slots"] + (number & consumer["mask"]) * consumer["slot_bytes"]
    version = atomics.load_acquire(slot)
    expected = whole(number)
    if version < expected:
        if version & STATE_MASK == WRITING:
            wait_or_heal(consumer_address, slot, version)
        return EMPTY
    if version == expected:
        atomics.copy_out(target_address, slot + PAYLOAD, consumer["words"])
        atomics.fence_acquire()  # The second look at the version stays behind the copy.
        if atomics.load_relaxed(slot) == expected:
            consumer["next"] = number + 1
            return DATA
    elif version >> NUMBER_SHIFT == number + 1:
        consumer["next"] = number + 1
        consumer["voided"] += 1
        return EMPTY
    return recover(consumer_address)


@compiled
def has_news(consumer_address):
    """Whether `try_consume` would find more than EMPTY: one look, small enough to be inlined.

    For those who read many queues: an idle step is then some loads and no calls.
    """
    consumer = records_at(consumer_address, 1, CONSUMER)[0]
    number = consumer["next"]
    slot = consumer["slots"] + (number & consumer["mask"]) * consumer["slot_bytes"]
    version = atomics.load_acquire(slot)
    # A message in mid-write counts: its writer may be dead, and `try_consume` heals.
    return version >= whole(number) or version & STATE_MASK != WHOLE


@compiled
def recover(consumer_address):
    """Go on at the oldest message that survives; count those lost. Returns SPED_PAST."""
    consumer = records_at(consumer_address, 1, CONSUMER)[0]
    number = consumer["next"]
    oldest = max(number + 1, atomics.load_acquire(consumer["count"]) - consumer["mask"] - 1)
    while True:
        slot = consumer["slots"] + (oldest & consumer["mask"]) * consumer["slot_bytes"]
        if atomics.load_acquire(slot) >> NUMBER_SHIFT <= oldest + 1:
            break  # The slot holds `oldest`, VOID or not, or an older one: it is not overwritten.
        oldest += 1
    consumer["lost"] += oldest - number
    consumer["sped_past"] += 1
    consumer["next"] = oldest
    return SPED_PAST


@compiled
def wait_or_heal(consumer_address, slot, version):
    """A slot stays in mid-write: after many polls, make it VOID if its writer is dead.

    A number goes to another process only after its dead holder's slots were healed
    (queue_segment.heal), and no version comes back: what is VOIDed here is what was looked at.
    """
    consumer = records_at(consumer_address, 1, CONSUMER)[0]
    if version != consumer["stuck_version"]:
        consumer["stuck_version"], consumer["stuck_polls"] = version, 0
    consumer["stuck_polls"] += 1
    if consumer["stuck_polls"] < STUCK_POLLS or version >> NUMBER_SHIFT != consumer["next"]:
        return
    consumer["stuck_polls"] = 0
    owner = (version >> OWNER_SHIFT) & OWNER_MASK
    if consumer["owners"] != 0 and not owner_alive(consumer["owners"], owner):
        atomics.compare_exchange(slot, version, void(version >> NUMBER_SHIFT, 0))


@compiled
def heal_owner(slots, capacity, slot_bytes, owner, owner_at, seen, healer):
    """Make VOID what a dead producer left in mid-write, then free its number; how many slots.

    `seen` is the number's word as read when its process was found dead, `healer` the caller, below
    0. Nothing is done (-1) if another changed the word since: he heals, or has it newly.
    """
    if not atomics.compare_exchange(owner_at, seen, healer):
        return -1
    healed = 0
    for slot in range(slots, slots + capacity * slot_bytes, slot_bytes):
        while True:  # Producers that lap the dead one change the version under us.
            version = atomics.load_acquire(slot)
            if (version >> OWNER_SHIFT) & OWNER_MASK != owner:
                break
            number = version >> NUMBER_SHIFT
            if version & STATE_MASK == VOID:
                number -= 1
            if atomics.compare_exchange(slot, version, void(number, 0)):
                healed += 1
                break
    atomics.compare_exchange(owner_at, healer, 0)
    return healed


@compiled
def take_owner(owners_address, numbers, process):
    """Take the first free one of the producer's numbers 1 … `numbers`; 0 if there is none."""
    for owner in range(1, numbers + 1):
        if atomics.compare_exchange(owners_address + 8 * owner, 0, process):
            atomics.fence_release()  # Who sees a slot WRITING by this number, sees whose it is now.
            return owner
    return 0


@compiled
def find_head(slots, capacity, slot_bytes, count_at):
    """Number of the first message nobody published: the count, or beyond it if that lags."""
    head = atomics.load_acquire(count_at)
    while atomics.load_acquire(slots + (head & (capacity - 1)) * slot_bytes) >= whole(head):
        head += 1
    return head


@compiled
def owner_alive(owners_address, owner):
    """Whether the process behind a producer's number is there (a zombie still counts as there)."""
    # Below 0: dead, somebody heals its slots.
    process = atomics.load_acquire(owners_address + 8 * owner)
    return process > 0 and not process_gone(process & shm.PID_MASK)


def process_gone(pid: int) -> bool:
    """Whether there is no process of this id. One of another user is there."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


@overload(process_gone)
def _process_gone_compiled(pid):
    def gone(pid):
        if _kill(np.int32(pid), np.int32(0)) == 0:
            return False
        return records_at(_errno_location(), 1, ERRNO)[0] == errno.ESRCH

    return gone


@compiled
def show_progress(consumer_address):
    """Let others see how far this consumer is. Once a batch: it is a write to shared memory."""
    consumer = records_at(consumer_address, 1, CONSUMER)[0]
    if consumer["cursor"] != 0:
        atomics.store_release(consumer["cursor"], consumer["next"])
        atomics.store_relaxed(consumer["cursor"] + 8, consumer["lost"])


@compiled
def consume_many(consumer_address, target_address, capacity):
    """Copy up to `capacity` messages one behind the other to `target_address`; how many."""
    consumer = records_at(consumer_address, 1, CONSUMER)[0]
    payload_bytes = consumer["words"] * 8
    taken = np.int64(0)
    empty_at = np.int64(-1)
    while taken < capacity:
        status = try_consume(consumer_address, target_address + taken * payload_bytes)
        if status == DATA:
            taken += 1
        elif status == EMPTY:
            if consumer["next"] == empty_at:
                break
            empty_at = consumer["next"]  # A void number looks empty once: look again behind it.
    return taken
