"""Kraken's book checksum, and the cut to the depth subscribed to.

In:        a book after a whole message; the DECODED result of that message.
Out:       the CRC-32 that the venue sends with the message; deletes of levels out of depth.
Must not know: sockets, who acts on a mismatch.

The rule (https://docs.kraken.com/api/docs/guides/spot-ws-book-v2): the best ten asks, then the best
ten bids, each best first; of each level the price, then the volume, as text with the pair's number
of decimals, without the point and without leading zeros; the CRC-32 of all that.

No text is kept for it. A number n written with d decimals is the integer N = n · 10^d written in
digits with a point before the last d of them, zeros in front where N has fewer than d + 1. Without
the point and the zeros in front the digits of N are left. And N is what a book holds, so long as
the instrument's exponents are the decimals that the venue writes (instruments.py sees to it).

CRC-32 is table-driven, eight digits a step ("slicing by 8"): row r of the table says what a byte
does to the sum when r more bytes follow it in the step.
"""

from zlib import crc32

import numpy as np

from mantra.books.book import apply_level, best_price, level_price, next_price, volume_at
from mantra.compiled import compiled
from mantra.exchanges import decoded
from mantra.exchanges.decoded import DECODED
from mantra.icc.memory import records_at
from mantra.messages.enums import ASK, BID, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE

LEVELS = 10  # a side, whatever the depth
ONES = (1 << 32) - 1
STEP_DIGITS, STEP = 8, 10**8
ASCII_ZEROS = 0x3030303030303030
# CRC-32 is linear but for what it begins and ends with, which the second term takes away.
BYTES = [bytes([byte]) for byte in range(256)]
CRC_TABLE = np.array(
    [[crc32(byte + bytes(r)) ^ crc32(bytes(1 + r)) for byte in BYTES] for r in range(8)], np.uint32
)


@compiled
def _add_digits(crc, number, padded):
    """Eight digits of a `number` below STEP; without those zeros in front unless `padded`.

    Digits are made side by side in one word, most significant first: pairs of four, then of two,
    then of one. 10486 / 2**20 and 103 / 2**10 divide by 100 and 10 exactly there.
    """
    fours = number // 10_000 | number % 10_000 << 32
    hundreds = (fours * 10_486) >> 20 & 0x7F_0000_007F
    twos = hundreds | (fours - 100 * hundreds) << 16
    tens = (twos * 103) >> 10 & 0xF_000F_000F_000F
    digits = tens | (twos - 10 * tens) << 8
    count, bound = np.int64(1), np.int64(10)
    for _ in range(STEP_DIGITS - 1):
        count += np.int64(number >= bound or padded)
        bound *= 10
    # The sum so far meets the first digits; where there are fewer than four, the rest of it stays.
    missing = 8 * (STEP_DIGITS - count)
    word = digits + (ASCII_ZEROS >> missing << missing) ^ crc << missing
    after = crc >> 4 * count >> 4 * count
    for i in range(STEP_DIGITS):
        after ^= np.int64(CRC_TABLE[STEP_DIGITS - 1 - i, word >> 8 * i & 0xFF])
    return after


@compiled
def _add_number(crc, number):
    """All digits of a positive number."""
    if number >= STEP:  # divisors are constants: then they are multiplications
        if number >= STEP * STEP:
            crc = _add_digits(crc, number // (STEP * STEP), False)
        crc = _add_digits(crc, number // STEP % STEP, number >= STEP * STEP)
    return _add_digits(crc, number % STEP, number >= STEP)


@compiled
def checksum(book):
    """The venue's checksum of a book as it is now."""
    crc = np.int64(ONES)
    for side in (ASK, BID):
        price, missing = best_price(book, side), LEVELS
        while price != 0 and missing > 0:
            crc = _add_number(_add_number(crc, price), volume_at(book, side, price))
            price, missing = next_price(book, side, price), missing - 1
    return crc ^ ONES


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
