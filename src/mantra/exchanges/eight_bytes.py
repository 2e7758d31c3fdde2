"""Eight bytes of text at a time: which of them is the first that a scanner must look at.

In:        addresses of text.
Out:       words of eight bytes, little-endian; the place of a byte in one.
Must not know: JSON.

The trick is old (Lamport 1975; Hacker's Delight, 6-1): with ONES = 0x01…01 and HIGHS = 0x80…80,
`(x - ONES * n) & ~x & HIGHS` has the high bit of each byte of x below n. A borrow may mark bytes
above the first one falsely, never the first: so only the lowest mark is asked for.
"""

import ctypes

from llvmlite import ir
from numba.types import int64

from mantra.compiled import emits, inlined

BYTES = 8
WORD = ir.IntType(64)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


ONES = 0x0101010101010101
HIGHS = _signed(ONES * 0x80)
QUOTES, BACKSLASHES, SPACES = ONES * ord('"'), ONES * ord("\\"), ONES * ord(" ")


def word_at(address: int) -> int:
    """The eight bytes at `address`, aligned or not."""
    return ctypes.c_int64.from_address(int(address)).value


@emits(word_at, int64, int64)
def _word_at(builder, address):
    return builder.load(builder.inttoptr(address, WORD.as_pointer()), align=1)


def lowest_bit(word: int) -> int:
    """Place of the lowest bit that is set; the word is not 0."""
    return (word & -word).bit_length() - 1


@emits(lowest_bit, int64, int64)
def _lowest_bit(builder, word):
    return builder.cttz(word, ir.Constant(ir.IntType(1), 1))


@inlined
def string_stop(at, end):
    """The first byte from `at` on that may not simply stand in a JSON string: a quote, a backslash
    or a control character. Its address; or where fewer than eight bytes are left to look at."""
    while at + BYTES <= end:
        word = word_at(at)
        quote, backslash = word ^ QUOTES, word ^ BACKSLASHES
        marks = (quote - ONES) & ~quote | (backslash - ONES) & ~backslash | (word - SPACES) & ~word
        marks &= HIGHS
        if marks != 0:
            return at + (lowest_bit(marks) >> 3)
        at += BYTES
    return at
