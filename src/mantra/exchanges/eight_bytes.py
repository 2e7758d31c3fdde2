"""Eight bytes of text at a time: which of them is the first that a scanner must look at.

In:        addresses of text.
Out:       the address of the first byte of a kind.
Must not know: JSON.

The trick is old (Lamport 1975; Hacker's Delight, 6-1): with ONES = 0x01…01 and HIGHS = 0x80…80,
`(x - ONES * n) & ~x & HIGHS` has the high bit of each byte of x below n. A borrow may mark bytes
above the first one falsely, never the first: so only the lowest mark is asked for.
"""

from mantra.compiled import inlined
from mantra.icc.memory import trailing_zeros, word_at

BYTES = 8


ONES = 0x0101010101010101
HIGHS = ONES * 0x80 - (1 << 64)  # as a signed word
QUOTES, BACKSLASHES, SPACES = ONES * ord('"'), ONES * ord("\\"), ONES * ord(" ")


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
            return at + (trailing_zeros(marks) >> 3)
        at += BYTES
    return at
