"""A side's levels by price: a hash table in flat memory, without a branch that data decides.

One update finds, changes, adds or deletes with the same instructions: compare the 8 prices of the
home bucket at once, take the slot that matches, else a free one, and write price and volume (both
0 to delete). Only a full bucket (rare: the table is at most half full) takes the long way. A price
is in the stash only while its home bucket is full, so whoever frees a slot of a full bucket moves
one back, and nobody who finds a free slot in a bucket need look further.
"""

import numpy as np

from mantra.books.layout import BUCKET_BYTES, VOLUME_OFFSET, WORD, WORD_BYTES
from mantra.books.machine import LANES, lanes_equal, multiply_modulo
from mantra.compiled import compiled
from mantra.icc.atomics import prefetch
from mantra.icc.memory import records_at, trailing_zeros, word_at

FIRST_FACTOR = 5700357409661599243  # 2**63 / golden ratio, odd
SECOND_FACTOR = 0x27D4EB2F165667C5  # odd, bits mixed

BUCKETS_PER_STASH = 64  # A half-full table overflows by 0.8% of its levels: ample.
NO_ROOM = -1


@compiled
def stash_buckets(buckets):
    """How many buckets of stash stand behind `buckets`."""
    return max(1, buckets // BUCKETS_PER_STASH)


@compiled
def home_bucket(price, hash_shift):
    """Number of the bucket where `price` belongs."""
    mixed = multiply_modulo(price, FIRST_FACTOR)
    return multiply_modulo(mixed ^ (mixed >> 32), SECOND_FACTOR) >> hash_shift


@compiled
def prefetch_bucket(side, price):
    """Ask for the two lines that `place` needs; nothing waits."""
    bucket = side["table"] + home_bucket(price, side["hash_shift"]) * BUCKET_BYTES
    prefetch(bucket)
    prefetch(bucket + VOLUME_OFFSET)


@compiled
def place(side, price, volume):
    """Set the volume of `price`, 0 deletes. Whether it was there (1 or 0), or NO_ROOM."""
    bucket = side["table"] + home_bucket(price, side["hash_shift"]) * BUCKET_BYTES
    match = lanes_equal(bucket, price)
    free = lanes_equal(bucket, 0)
    if free == 0:
        return _place_crowded(side, bucket, match, price, volume)
    slot = trailing_zeros(match if match != 0 else free)
    _write(bucket + slot * WORD_BYTES, price, volume)
    return int(match != 0)


@compiled
def _write(slot, price, volume):
    records_at(slot, 1, WORD)[0] = price if volume != 0 else 0
    records_at(slot + VOLUME_OFFSET, 1, WORD)[0] = volume


@compiled
def _place_crowded(side, bucket, match, price, volume):
    """`place` where the home bucket is full."""
    if match != 0:
        slot = bucket + trailing_zeros(match) * WORD_BYTES
        _write(slot, price, volume)
        if volume == 0 and side["stashed"] > 0:
            _move_back(side, bucket, slot)
        return 1
    slot = _stash_slot(side, price) if side["stashed"] > 0 else 0
    was = int(slot != 0)
    if was == 0:
        if volume == 0:
            return 0
        slot = _stash_slot(side, np.int64(0))
        if slot == 0:
            return NO_ROOM
    _write(slot, price, volume)
    side["stashed"] += int(volume != 0) - was
    return was


@compiled
def _stash_slot(side, price):
    """Address of the stash's slot with `price` (0: of a free one), 0 if there is none."""
    start = side["table"] + side["buckets"] * BUCKET_BYTES
    for number in range(stash_buckets(side["buckets"])):
        bucket = start + number * BUCKET_BYTES
        match = lanes_equal(bucket, price)
        if match != 0:
            return bucket + trailing_zeros(match) * WORD_BYTES
    return 0


@compiled
def _move_back(side, bucket, slot):
    """Fill the freed slot of a bucket that was full with a level of its own from the stash."""
    home = (bucket - side["table"]) // BUCKET_BYTES
    for number in range(side["buckets"] * LANES, slot_count(side)):
        stashed = slot_at(side["table"], number)
        price = word_at(stashed)
        if price != 0 and home_bucket(price, side["hash_shift"]) == home:
            _write(slot, price, word_at(stashed + VOLUME_OFFSET))
            _write(stashed, price, np.int64(0))
            side["stashed"] -= 1
            return


@compiled
def find(side, price):
    """Volume of `price`, 0 if it is not there."""
    bucket = side["table"] + home_bucket(price, side["hash_shift"]) * BUCKET_BYTES
    match = lanes_equal(bucket, price)
    if match != 0:
        slot = bucket + trailing_zeros(match) * WORD_BYTES
    elif side["stashed"] > 0:
        slot = _stash_slot(side, price)
    else:
        slot = 0
    return word_at(slot + VOLUME_OFFSET) if slot != 0 else np.int64(0)


@compiled
def slot_count(side):
    """Slots to look through to see every level: the stash's among them."""
    return (side["buckets"] + stash_buckets(side["buckets"])) * LANES


@compiled
def slot_at(table, number):
    """Address of a slot: its price is there (0: free), its volume VOLUME_OFFSET further."""
    return table + (number // LANES) * BUCKET_BYTES + (number % LANES) * WORD_BYTES
