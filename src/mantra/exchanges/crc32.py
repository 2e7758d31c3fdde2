"""CRC-32 (IEEE 802.3, as zlib's) of bytes at an address, and digits to take it of. Compiled.

In:        addresses; non-negative int64.
Out:       the CRC, unsigned; the address after the digits.
Must not know: whose checksum it is, or of what.

Venues say a checksum of the text of their book: this is for making that text, and summing it.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import records_at
from mantra.messages.decimals import BYTE, ZERO

POLYNOMIAL = 0xEDB88320  # of the CRC, bits reversed
ONES = 0xFFFFFFFF


def _table() -> np.ndarray:
    """What each value of a byte does to the CRC."""
    words: np.ndarray = np.arange(256, dtype=np.int64)
    for _ in range(8):
        words = np.where(words & 1, POLYNOMIAL ^ words >> 1, words >> 1)
    return words


TABLE = _table()


@compiled
def crc32(address, length):
    """CRC-32 of the `length` bytes at `address`: 0 to 2**32 - 1."""
    crc = np.int64(ONES)
    for byte in records_at(address, length, BYTE):
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ ONES


@compiled
def put_digits(number, address):
    """Write a number, 0 or more, in decimal digits: the address after them."""
    after, rest = address + 1, number // 10
    while rest > 0:
        after, rest = after + 1, rest // 10
    digits = records_at(address, after - address, BYTE)
    for i in range(after - address - 1, -1, -1):
        digits[i] = ZERO + number % 10
        number //= 10
    return after
