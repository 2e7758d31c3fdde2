"""Kraken's book checksum, and the cut to the depth subscribed to.

In:        a book after a whole message; the DECODED result of that message.
Out:       the CRC-32 that the venue sends with the message; deletes of levels out of depth.
Must not know: sockets, who acts on a mismatch.

The rule (https://docs.kraken.com/api/docs/guides/spot-ws-book-v2): the best ten asks, then the best
ten bids, each best first; of each level the price, then the volume, as text with the pair's number
of decimals, without the point and without leading zeros; the CRC-32 of all that.

No text of the venue is kept for it. A number n written with d decimals is the integer N = n · 10^d
written in digits with a point before the last d of them, zeros in front where N has fewer than
d + 1. Without the point and the zeros in front the digits of N are left. And N is what a book
holds, so long as the instrument's exponents are the decimals that the venue writes (instruments.py
sees to it).
"""

import numpy as np

from mantra.books.book import apply_level, best_price, level_price, next_price, volume_at
from mantra.compiled import compiled
from mantra.exchanges import decoded
from mantra.exchanges.crc32 import crc32, put_digits
from mantra.exchanges.decoded import DECODED
from mantra.icc.memory import records_at
from mantra.messages.enums import ASK, BID, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE

LEVELS = 10  # a side, whatever the depth
TEXT_BYTES = 2 * LEVELS * 2 * 19 + 8


@compiled
def checksum(book, room):
    """The venue's checksum of a book as it is now; `room` is the address of TEXT_BYTES."""
    at = room
    for side in (ASK, BID):
        price, missing = best_price(book, side), LEVELS
        while price != 0 and missing > 0:
            at = put_digits(volume_at(book, side, price), put_digits(price, at))
            price, missing = next_price(book, side, price), missing - 1
    return crc32(room, at - room)


@compiled
def truncate(book, depth, result_address):
    """Delete the levels beyond `depth` from a book to which the result's last group was applied.

    The venue sends no deletes for them. They are appended to the group, whose LAST moves on: all
    books that follow it are equal. Returns OK, or TOO_MANY_LEVELS where there was no more room:
    then the book is not what others see.
    """
    result = records_at(result_address, 1, DECODED)[0]
    for side in (BID, ASK):
        price = level_price(book, side, depth)  # 0: there are not so many
        while price != 0:
            count = result["count"]
            if count == 0 or count >= result["capacity"]:
                return np.int64(decoded.TOO_MANY_LEVELS)
            rows = records_at(result["records"], count + 1, L2_UPDATE)
            rows[count] = rows[count - 1]
            rows[count - 1]["flags"] &= ~LAST
            rows[count]["flags"] &= LAST | SNAPSHOT
            rows[count]["side"], rows[count]["price"], rows[count]["volume"] = side, price, 0
            result["count"] = count + 1
            apply_level(book, side, price, np.int64(0))
            price = next_price(book, side, price)
    return np.int64(decoded.OK)
