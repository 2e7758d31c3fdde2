"""Decimal text <-> integer: exact, or refused with the reason.

In:        ASCII text as venues and people write it: 61737.63000000, -0.5, 1E-8, 7e-7.
Out:       an int64 count of the smallest decimal unit: "61737.63" at exponent 2 is 6173763.
Must not know: what is counted.

An `exponent` here is a number of decimals, 0 to EXPONENT_MAX. Zeros beyond it are fine, anything
else there is TOO_PRECISE: nothing is ever rounded. No float is made on the way.

    number = [+-] digits [ "." digits ] [ (e|E) [+-] digits ]
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import address_of, records_at

BYTE = np.dtype("u1")

# MALFORMED: not a number, or more than a number. TOO_PRECISE: a digit other than 0 beyond the
# exponent. OVERFLOW: does not fit; it wins over nothing: the other two are said first.
OK, MALFORMED, TOO_PRECISE, OVERFLOW = range(4)
STATUSES = ("ok", "malformed", "too precise", "too large")

INT64_MAX = (1 << 63) - 1
BEFORE_LAST_DIGIT = INT64_MAX // 10
EXPONENT_MAX = 18  # 10 ** 18 still fits an int64
FAST_DIGITS = 18  # any number of so many digits fits an int64
TENS_MAX = 10_000  # powers of ten beyond this are all the same to an int64

ZERO, NINE = ord("0"), ord("9")
PLUS, MINUS, POINT = ord("+"), ord("-"), ord(".")
SMALL_E, CASE_BIT = ord("e"), 0x20


@compiled
def byte_at(at):
    """The byte at an address."""
    return np.int64(records_at(at, 1, BYTE)[0])


@compiled
def scan_decimal(text, end, exponent):
    """Read the number that begins at address `text`, looking at nothing from `end` on.

    Returns (value, status, address after the number). The number ends where its grammar ends: what
    follows is the caller's affair. Value is 0 unless the status is OK.
    """
    at = text
    negative = at < end and byte_at(at) == MINUS
    if negative:
        at += 1
    # The common case in one pass: so few digits that nothing can overflow, nothing to refuse.
    digits = at
    value, at = _digits(np.int64(0), at, min(end, digits + FAST_DIGITS - exponent))
    missing = exponent
    sound = at > digits
    if sound and at < end and byte_at(at) == POINT:
        at += 1
        decimals = at
        value, at = _digits(value, at, min(end, decimals + exponent))
        missing = exponent - (at - decimals)
        if missing == 0:
            while at < end and byte_at(at) == ZERO:
                at += 1
        sound = at > decimals
    if not sound or (at < end and _goes_on(byte_at(at))):
        return _scan_slowly(text, end, exponent)
    while missing > 0:
        value *= 10
        missing -= 1
    return -value if negative else value, np.int64(OK), at


@inlined
def _digits(value, at, limit):
    """`value` with the digits from `at` on behind it, and the address after them."""
    while at < limit:
        digit = byte_at(at) - ZERO
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        at += 1
    return value, at


@compiled
def _goes_on(byte):
    """Whether a number may go on with this byte: then the fast path has not understood it all."""
    return ZERO <= byte <= NINE or byte == POINT or byte | CASE_BIT == SMALL_E


@compiled
def _scan_slowly(text, end, exponent):
    """`scan_decimal` for all that is not common: many digits, exponents, what is refused."""
    at = text
    negative = at < end and byte_at(at) == MINUS
    if negative or (at < end and byte_at(at) == PLUS):
        at += 1
    # The digits but for the zeros they end with, and which power of ten the last digit counts.
    value, zeros, shift = np.int64(0), np.int64(0), exponent
    digits, decimals, too_large = at, False, False
    while at < end:
        digit = byte_at(at) - ZERO
        if digit == POINT - ZERO and at > digits and not decimals:
            digits, decimals = at + 1, True
        elif digit < 0 or digit > 9:
            break
        else:
            shift -= np.int64(decimals)
            zeros += 1
            if digit != 0:
                value, too_large = _times_ten(value, zeros, too_large)
                too_large = too_large or value > INT64_MAX - digit
                value += np.int64(0) if too_large else digit
                zeros = np.int64(0)
        at += 1
    if at == digits:
        return np.int64(0), np.int64(MALFORMED), at
    if at < end and byte_at(at) | CASE_BIT == SMALL_E:
        at += 1
        down = at < end and byte_at(at) == MINUS
        if down or (at < end and byte_at(at) == PLUS):
            at += 1
        tens, digits = np.int64(0), at
        while at < end and ZERO <= byte_at(at) <= NINE:
            tens = min(tens * 10 + byte_at(at) - ZERO, np.int64(TENS_MAX))
            at += 1
        if at == digits:
            return np.int64(0), np.int64(MALFORMED), at
        shift += -tens if down else tens
    shift += zeros
    if value == 0:
        return value, np.int64(OK), at
    if shift < 0:
        return np.int64(0), np.int64(TOO_PRECISE), at
    value, too_large = _times_ten(value, shift, too_large)
    if too_large:
        return np.int64(0), np.int64(OVERFLOW), at
    return -value if negative else value, np.int64(OK), at


@compiled
def _times_ten(value, times, too_large):
    """`value` times ten to the power of `times`, and whether that is, or was, too large."""
    while times > 0 and value != 0 and not too_large:
        too_large = value > BEFORE_LAST_DIGIT
        value *= 1 if too_large else 10
        times -= 1
    return value, too_large


@compiled
def parse_decimal(text, length, exponent):
    """Read `length` bytes at address `text`, all of them one number: (value, status)."""
    value, status, after = scan_decimal(text, text + length, exponent)
    if after != text + length:
        return np.int64(0), np.int64(MALFORMED)
    return value, status


def to_units(text: str, exponent: int) -> int:
    """`text` as a count of units of ten ** -`exponent`.

    Raises ValueError, naming the text, when it is no number, has more decimals, or is too large.
    """
    check_exponent(exponent)
    raw = np.frombuffer(text.encode() + b"\0", BYTE)
    value, status = parse_decimal(address_of(raw), len(raw) - 1, exponent)
    if status != OK:
        raise ValueError(f"decimal {text!r}: {STATUSES[status]} for {exponent} decimals in 64 bits")
    return int(value)


def format_decimal(value: int, exponent: int) -> str:
    """The exact text of `value` units, all `exponent` decimals written out."""
    check_exponent(exponent)
    whole, part = divmod(abs(int(value)), 10**exponent)
    decimals = f".{part:0{exponent}}" if exponent else ""
    return f"{'-' if value < 0 else ''}{whole}{decimals}"


def check_exponent(exponent: int) -> None:
    """Raises ValueError for an exponent that an int64 cannot serve."""
    if not 0 <= exponent <= EXPONENT_MAX:
        raise ValueError(f"exponent {exponent}: expected 0 to {EXPONENT_MAX} decimals")
