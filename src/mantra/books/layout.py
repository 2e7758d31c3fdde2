"""The bytes of a book: a head, two sides, and each side's table and window.

A book is the address of one BOOK record. All words are int64, all parts begin on a cache line.

  BOOK     0            8         16       24        32       40      48         64      192     320
           +------------+---------+--------+---------+--------+-------+----------+-------+-------+
           | consistent | updates | groups | crossed | locked |refused|  unused  |  bid  |  ask  |
           +------------+---------+--------+---------+--------+-------+----------+-------+-------+

  SIDE     two cache lines of words, below. `table` and `window` are one piece of memory:

  table    price -> volume, a hash. Buckets of two lines; a price stands in its home bucket, or,
           while that is full, in the stash behind the last bucket. Price 0 is a free slot.

           +---------------- bucket 0 ----------------+ …  bucket n-1  +---- stash buckets ----+
           | 8 prices (64 bytes) | 8 volumes (64)     |                |                       |
           +---------------------+--------------------+----------------+-----------------------+

  window   which ticks near the touch are occupied, one bit each: bit 0 is the best price the
           window can hold (`anchor`), higher is worse, on both sides. A second row has one bit
           for each word of the first. Levels outside are in the table only.

           +------- window / 64 words -------+ window / 4096 words +
           | bit i: level at anchor ∓ i·unit | bit w: word w ≠ 0   |
           +---------------------------------+---------------------+
"""

import numpy as np

from mantra.books.machine import LANES
from mantra.icc.memory import CACHE_LINE

SIDE = np.dtype(
    [
        ("sign", "i8"),  # bid +1, ask -1
        ("table", "i8"),  # address of bucket 0; the memory that a side owns begins here
        ("hash_shift", "i8"),  # 63 - log2(buckets)
        ("buckets", "i8"),  # power of two
        ("levels", "i8"),  # occupied
        ("stashed", "i8"),  # of them in the stash
        ("window", "i8"),  # address of the first word
        ("ticks", "i8"),  # bits in the window, power of two
        ("anchor", "i8"),  # price of bit 0
        ("unit", "i8"),  # price step of one bit: divides every price in the table
        ("unit_shift", "i8"),  # unit = odd << unit_shift
        ("inverse", "i8"),  # odd * inverse = 1 modulo 2**63: multiplying by it divides
        ("touch", "i8"),  # lowest set bit: the best level; `ticks` if the side is empty
        ("far", "i8"),  # address of the prices outside the window, best first; 0 until asked for
        ("far_levels", "i8"),  # how many; -1: to be made again
        ("unused", "i8"),
    ],
    align=True,
)

BOOK = np.dtype(
    [
        ("consistent", "i8"),  # 1: the last group is complete
        ("updates", "i8"),  # levels applied
        ("groups", "i8"),  # completed
        ("crossed", "i8"),  # of them with best bid > best ask
        ("locked", "i8"),  # of them with best bid = best ask
        ("refused", "i8"),  # levels not applied
        ("unused", "i8", (2,)),
        ("sides", SIDE, (2,)),
    ],
    align=True,
)

WORD = np.dtype("i8")
WORD_BYTES = 8
WORD_BITS = 64
BUCKET_BYTES = 2 * LANES * WORD_BYTES
VOLUME_OFFSET = LANES * WORD_BYTES
SIDE_BYTES = SIDE.itemsize
SIDES_OFFSET = BOOK.itemsize - 2 * SIDE_BYTES

BUCKETS_MIN = 8  # 32 levels before it grows: most instruments are thin
BUCKETS_PER_STASH = 64  # A half-full table overflows by 0.8% of its levels: ample.
LEVELS_PER_BUCKET = LANES // 2  # Above it the table doubles: 5% of buckets are full then.

TICKS_PER_BUCKET = 128  # 16 bytes of window for the 128 of a bucket
TICKS_MIN = WORD_BITS * WORD_BITS  # one word of the second row
TICKS_MAX = 1 << 18
UNIT_MAX = 10**12  # Every decimal tick divides it; UNIT_MAX * TICKS_MAX < 2**63.
LEAD = 4  # A fresh window has 1/LEAD of its ticks ahead of the touch.

assert SIDE_BYTES == 2 * CACHE_LINE
assert SIDES_OFFSET % CACHE_LINE == 0
assert UNIT_MAX * TICKS_MAX < 1 << 62  # so that an index inside the window cannot have wrapped
assert TICKS_MAX // WORD_BITS // WORD_BITS <= WORD_BITS  # the second row is short: it is searched
