"""The bytes of a book: a head, two sides, and each side's table and window.

A book is the address of one BOOK record. All words are int64, all parts begin on a cache line.

  BOOK     0            8         16       24        32       40      48         64      192     320
           +------------+---------+--------+---------+--------+-------+----------+-------+-------+
           | consistent | updates | groups | crossed | locked |refused|  unused  |  bid  |  ask  |
           +------------+---------+--------+---------+--------+-------+----------+-------+-------+

  SIDE     two cache lines of words:

           sign        bid +1, ask -1
           table       address of bucket 0; the memory that a side owns begins here
           hash_shift  63 - log2(buckets)
           buckets     power of two
           levels      occupied
           stashed     of them in the stash
           window      address of the first word
           ticks       bits in the window, power of two
           anchor      price of bit 0
           unit        price step of one bit: divides every price in the table
           unit_shift  unit = odd << unit_shift
           inverse     odd * inverse = 1 modulo 2**63: multiplying by it divides
           touch       lowest set bit: the best level; `ticks` if the side is empty
           far         address of the prices outside the window, best first; 0 until asked for
           far_levels  how many; -1: to be made again

           `table` and `window` are one piece of memory:

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
from mantra.icc.memory import CACHE_LINE, record_type

SIDE = record_type(
    "i8 sign table hash_shift buckets levels stashed window ticks",
    "i8 anchor unit unit_shift inverse touch far far_levels unused",
)
BOOK = record_type(
    "i8 consistent updates groups crossed locked refused", "(2,)i8 unused", ("sides", SIDE, (2,))
)

WORD = np.dtype("i8")
WORD_BYTES, WORD_BITS = 8, 64
BUCKET_BYTES = 2 * LANES * WORD_BYTES
VOLUME_OFFSET = LANES * WORD_BYTES
SIDE_BYTES = SIDE.itemsize
SIDES_OFFSET = BOOK.itemsize - 2 * SIDE_BYTES

LEVELS_PER_BUCKET = LANES // 2  # Above it the table doubles: 5% of buckets are full then.

assert SIDE_BYTES == 2 * CACHE_LINE
assert SIDES_OFFSET % CACHE_LINE == 0
