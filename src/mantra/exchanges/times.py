"""The times that venues write as text -> ns since the epoch. Shared by venues.

In:        addresses of a string in the text of a message.
Out:       ns, exact; the address after it, or minus the address where it is refused.
Must not know: which field it is.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.json_scanner import NINE, POINT, QUOTE, ZERO
from mantra.icc.memory import word_at
from mantra.messages.decimals import byte_at

NS_PER_S = 1_000_000_000
LARGE_Z = ord("Z")
FRACTION_MAX = 9
# Where eight bytes of a time are looked at, the bytes that must stand there, 0 for a digit; what
# carries a byte that is no digit into its high half; the bits that must then be 0.
TIME_TEXT = b"0000-00-00T00:00:00"
_TEXT = np.frombuffer(TIME_TEXT, np.uint8)
_DIGIT = _TEXT == ZERO
_ROWS = _TEXT, np.uint8(6) * _DIGIT, np.where(_DIGIT, np.uint8(0xF0), np.uint8(0xFF))
TIME = np.array([[row[at : at + 8].copy().view("i8")[0] for row in _ROWS] for at in (0, 8, 11)])
LOW_HALVES = 0x3F3F3F3F3F3F3F3F


@compiled
def _two_digits(at):
    return (byte_at(at) - ZERO) * 10 + byte_at(at + 1) - ZERO


@compiled
def days_since_epoch(year, month, day):
    """Days from 1970-01-01, Gregorian; a year here begins in March, so that leap days end it."""
    year -= np.int64(month <= 2)
    era_year = year % 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = (year // 400) * 146_097 + era_year * 365 + era_year // 4 - era_year // 100
    return days + day_of_year - 719_468


@compiled
def rfc3339_time(value, end):
    """(ns since the epoch, address after) of a string "2023-02-09T20:32:50.714964855Z", in UTC."""
    if value < 0:
        return np.int64(0), value
    at = value + 1
    if at + len(TIME_TEXT) >= end or byte_at(value) != QUOTE:
        return np.int64(0), -value
    for i in range(3):
        wrong = word_at(at + (0, 8, 11)[i]) ^ TIME[i, 0]
        if (wrong | (wrong & LOW_HALVES) + TIME[i, 1]) & TIME[i, 2]:
            return np.int64(0), -at
    year = 100 * _two_digits(at) + _two_digits(at + 2)
    month, day = _two_digits(at + 5), _two_digits(at + 8)
    hour, minute, second = _two_digits(at + 11), _two_digits(at + 14), _two_digits(at + 17)
    sound = 1970 <= year <= 2261 and 1 <= month <= 12 and 1 <= day <= 31
    if not sound or hour > 23 or minute > 59 or second > 60:
        return np.int64(0), -at
    at += len(TIME_TEXT)
    fraction, digits = np.int64(0), 0
    if at < end and byte_at(at) == POINT:
        at += 1
        while at < end and ZERO <= byte_at(at) <= NINE:
            if digits < FRACTION_MAX:  # finer than ns is cut: a time is no amount
                fraction = fraction * 10 + byte_at(at) - ZERO
                digits += 1
            at += 1
        if digits == 0:
            return np.int64(0), -at
    for _ in range(FRACTION_MAX - digits):
        fraction *= 10
    if at + 1 >= end or byte_at(at) != LARGE_Z or byte_at(at + 1) != QUOTE:
        return np.int64(0), -at
    days = days_since_epoch(year, month, day)
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second
    return seconds * NS_PER_S + fraction, at + 2
