"""CRC-32 (IEEE 802.3, as zlib's) of bytes at an address, and digits to take it of. Compiled.

In:        addresses; non-negative int64.
Out:       the CRC, unsigned; the address after the digits.
Must not know: whose checksum it is, or of what.

Venues say a checksum of the text of their book: this is for making that text, and summing it. Both
go eight bytes a step. Row r of the table says what a byte does to the sum when r more bytes follow
it in the step ("slicing by 8"); digits are made side by side in one word.
"""

from zlib import crc32 as zlib_crc32

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import records_at, trailing_zeros, word_at
from mantra.messages.decimals import byte_at

ONES = (1 << 32) - 1
# CRC-32 is linear but for what it begins and ends with, which the second term takes away.
BYTES = [bytes([byte]) for byte in range(256)]
TABLE = np.array(
    [[zlib_crc32(byte + bytes(r)) ^ zlib_crc32(bytes(1 + r)) for byte in BYTES] for r in range(8)],
    np.uint32,
)
STEP_DIGITS, STEP = 8, 10**8
ASCII_ZEROS = 0x3030303030303030
WORD = np.dtype([("word", "i8")])  # not aligned: it lies anywhere


@compiled
def crc32(address, length):
    """CRC-32 of the `length` bytes at `address`: 0 to 2**32 - 1."""
    crc, end = np.int64(ONES), address + length
    while address + 8 <= end:
        word, crc = word_at(address) ^ crc, np.int64(0)
        for i in range(8):
            crc ^= np.int64(TABLE[7 - i, word >> 8 * i & 0xFF])
        address += 8
    while address < end:
        crc = np.int64(TABLE[0, (crc ^ byte_at(address)) & 0xFF]) ^ crc >> 8
        address += 1
    return crc ^ ONES


@compiled
def put_digits(number, address):
    """Write a number, 0 or more, in decimal digits: the address after them.

    Up to seven bytes behind them are overwritten.
    """
    if number >= STEP:  # divisors are constants: then they are multiplications
        if number >= STEP * STEP:
            address = _put_eight(number // (STEP * STEP), address, False)
        address = _put_eight(number // STEP % STEP, address, number >= STEP * STEP)
    return _put_eight(number % STEP, address, number >= STEP)


@compiled
def _put_eight(number, address, padded):
    """Digits of a `number` below STEP; without the zeros in front unless `padded`.

    Most significant first: pairs of four, then of two, then of one. 10486 / 2**20 and 103 / 2**10
    divide by 100 and 10 exactly there.
    """
    fours = number // 10_000 | number % 10_000 << 32
    hundreds = (fours * 10_486) >> 20 & 0x7F_0000_007F
    twos = hundreds | (fours - 100 * hundreds) << 16
    tens = (twos * 103) >> 10 & 0xF_000F_000F_000F
    digits = tens | (twos - 10 * tens) << 8
    zeros = np.int64(0) if padded else trailing_zeros(digits | np.int64(1) << 56) >> 3
    records_at(address, 1, WORD)[0]["word"] = (digits >> 8 * zeros) + ASCII_ZEROS
    return address + STEP_DIGITS - zeros
