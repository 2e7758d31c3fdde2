"""JSON by address: the primitives that all venues' decoders share. Nothing is built, only found.

In:        `at`, the address to begin at, and `end`, the address after the last byte of the text.
Out:       the address after what was found; or minus the address where the text is refused.
Must not know: what the fields mean.

No function looks at a byte from `end` on, or trusts one before it has seen it: truncated or mutated
text is refused, never misread. The grammar is RFC 8259's, with two limits: values nest NESTING_MAX
deep, and the bytes of strings are not checked to be UTF-8 (venues' keys and numbers are ASCII).

    key = string_end(at, end)              # `"price"`: the address after the closing quote
    at = value_begin(key, end)             # over `:` and white space
    at = value_end(at, end)                # over anything: strings, numbers, whole objects
    if at < 0: ...                         # refused at address -at
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.exchanges.eight_bytes import string_stop
from mantra.icc.memory import word_at
from mantra.messages.decimals import FAST_DIGITS, INT64_MAX, byte_at

NESTING_MAX = 32  # venues nest 4 deep; one bit each of an int64 says object or array
WORD_BYTES = 8

QUOTE, BACKSLASH, COMMA, COLON = ord('"'), ord("\\"), ord(","), ord(":")
OBJECT, OBJECT_END, ARRAY, ARRAY_END = ord("{"), ord("}"), ord("["), ord("]")
MINUS, PLUS, POINT, ZERO, NINE = ord("-"), ord("+"), ord("."), ord("0"), ord("9")
SPACE, TAB, NEWLINE, RETURN = ord(" "), ord("\t"), ord("\n"), ord("\r")
SMALL_A, SMALL_E, SMALL_F, SMALL_N, SMALL_T, SMALL_U = (ord(c) for c in "aefntu")
SMALL_B, SMALL_R, SLASH = ord("b"), ord("r"), ord("/")
CASE_BIT = 0x20


def word(text: str) -> int:
    """Up to eight bytes of ASCII as `pack` makes them: for comparing with constants."""
    assert len(text) <= WORD_BYTES
    assert text.isascii()
    return int.from_bytes(text.encode(), "little")


TRUE, FALSE, NULL = word("true"), word("false"), word("null")


@compiled
def pack(at, length):
    """The first `length` bytes, at most eight, as one int64."""
    packed = np.int64(0)
    for i in range(min(length, WORD_BYTES)):
        packed |= byte_at(at + i) << (8 * i)
    return packed


@inlined
def pack_within(at, length, end):
    """`pack`, at once where eight bytes may be looked at."""
    if length >= WORD_BYTES and at + WORD_BYTES <= end:
        return word_at(at)
    if at + WORD_BYTES <= end:
        return word_at(at) & ((np.int64(1) << (8 * length)) - 1)
    return pack(at, length)


@inlined
def skip_space(at, end):
    """Over white space: the address of the first byte that is none, or `end`."""
    while at < end:
        byte = byte_at(at)
        if byte > SPACE or byte not in (SPACE, NEWLINE, TAB, RETURN):
            break
        at += 1
    return at


@compiled
def string_end(at, end):
    """Over a string whose opening quote is at `at`."""
    if at >= end or byte_at(at) != QUOTE:
        return -at
    at = string_stop(at + 1, end)
    while at < end:
        byte = byte_at(at)
        if byte == QUOTE:
            return at + 1
        if byte < SPACE:
            return -at
        if byte == BACKSLASH:
            at = _escape_end(at, end)
            if at < 0:
                return at
            at = string_stop(at, end)
        else:
            at += 1
    return -at


@compiled
def _escape_end(at, end):
    if at + 1 >= end:
        return -end
    byte = byte_at(at + 1)
    if byte == SMALL_U:
        for i in range(at + 2, at + 6):
            if i >= end:
                return -end
            digit = byte_at(i)
            letter = digit | CASE_BIT
            if not (ZERO <= digit <= NINE or SMALL_A <= letter <= SMALL_F):
                return -i
        return at + 6
    if byte in (QUOTE, BACKSLASH, SLASH, SMALL_B, SMALL_F, SMALL_N, SMALL_R, SMALL_T):
        return at + 2
    return -(at + 1)


@inlined
def plain_string_end(at, end):
    """Over a string without escapes, as keys and numbers are: `\\u0062` for b is refused."""
    if at >= end or byte_at(at) != QUOTE:
        return -at
    at = string_stop(at + 1, end)
    while at < end:
        byte = byte_at(at)
        if byte == QUOTE:
            return at + 1
        if byte < SPACE or byte == BACKSLASH:
            return -at
        at += 1
    return -at


@inlined
def value_begin(at, end):
    """Over the colon behind a key, and white space: the address of the value."""
    at = skip_space(at, end)
    if at >= end or byte_at(at) != COLON:
        return -at
    return skip_space(at + 1, end)


@compiled
def _digits_end(at, end):
    begin = at
    while at < end and ZERO <= byte_at(at) <= NINE:
        at += 1
    return at if at > begin else -at


@compiled
def number_end(at, end):
    """Over a number."""
    if at < end and byte_at(at) == MINUS:
        at += 1
    if at < end and byte_at(at) == ZERO:
        at += 1
    else:
        at = _digits_end(at, end)
    if at > 0 and at < end and byte_at(at) == POINT:
        at = _digits_end(at + 1, end)
    if at > 0 and at < end and byte_at(at) | CASE_BIT == SMALL_E:
        at += 1
        if at < end and (byte_at(at) == PLUS or byte_at(at) == MINUS):
            at += 1
        at = _digits_end(at, end)
    return at


@compiled
def scan_integer(at, end):
    """(value, address after) of an integer; the address is negative if it is none or too large."""
    begin = at
    negative = at < end and byte_at(at) == MINUS
    if negative:
        at += 1
    digits = at
    value = np.int64(0)
    while at < end:
        digit = byte_at(at) - ZERO
        if digit < 0 or digit > 9:
            break
        if at - digits >= FAST_DIGITS and value > (INT64_MAX - digit) // 10:
            return np.int64(0), -begin
        value = value * 10 + digit
        at += 1
    if at == digits or (byte_at(digits) == ZERO and at > digits + 1):
        return np.int64(0), -begin
    if at < end and (byte_at(at) == POINT or byte_at(at) | CASE_BIT == SMALL_E):
        return np.int64(0), -begin
    return -value if negative else value, at


@compiled
def _scalar_end(at, end):
    """Over a string, number or literal."""
    if at >= end:
        return -end
    byte = byte_at(at)
    if byte == QUOTE:
        return string_end(at, end)
    if byte == MINUS or ZERO <= byte <= NINE:
        return number_end(at, end)
    if end - at >= 4:
        packed = pack(at, np.int64(4))
        if packed in (TRUE, NULL):
            return at + 4
        if end - at >= 5 and pack(at, np.int64(5)) == FALSE:
            return at + 5
    return -at


@compiled
def _member_begin(at, end):
    """Over `"key" :` and the white space around it: the address of the value."""
    at = string_end(skip_space(at, end), end)
    return value_begin(at, end) if at > 0 else at


@compiled
def value_end(at, end):
    """Over any value, whatever is nested in it. `at` is its first byte; a refusal stays one."""
    if at < 0:
        return at
    if at < end and byte_at(at) == QUOTE:
        return string_end(at, end)
    depth, objects = np.int64(0), np.int64(0)  # bit n of `objects`: level n is an object
    while True:
        if at >= end:
            return -end
        byte = byte_at(at)
        if byte in (OBJECT, ARRAY):
            at = skip_space(at + 1, end)
            if at >= end:
                return -end
            if byte_at(at) == byte + 2:  # empty: '}' is '{' + 2, ']' is '[' + 2
                at += 1
            else:
                if depth == NESTING_MAX:
                    return -at
                depth += 1
                objects = objects << 1 | np.int64(byte == OBJECT)
                if byte == OBJECT:
                    at = _member_begin(at, end)
                    if at < 0:
                        return at
                continue
        else:
            at = _scalar_end(at, end)
            if at < 0:
                return at
        # A value has ended: close what it closes, until a comma or the whole is done.
        while depth > 0:
            at = skip_space(at, end)
            if at >= end:
                return -end
            byte = byte_at(at)
            in_object = objects & 1
            if byte == COMMA:
                at = skip_space(at + 1, end)
                if in_object:
                    at = _member_begin(at, end)
                    if at < 0:
                        return at
                break
            if byte != (OBJECT_END if in_object else ARRAY_END):
                return -at
            at += 1
            depth -= 1
            objects >>= 1
        if depth == 0:
            return at
