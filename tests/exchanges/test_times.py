"""Texts of times beside `datetime`."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.exchanges.times import rfc3339_time
from tests.exchanges.guarded import TEXT

EXAMPLES = 300 if JIT else 100


def read(raw: bytes) -> tuple[int, int]:
    """(ns, offset behind the text) or (0, minus 1 - the offset of the refusal)."""
    begin = TEXT.put(raw)
    value, after = rfc3339_time(begin, begin + len(raw))
    return int(value), int(after - begin if after > 0 else -1 - (-after - begin))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    moment=st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31), timezones=st.just(UTC)),
    digits=st.integers(0, 12),
)
def test_a_time_is_ns_since_the_epoch(moment, digits):
    fraction = f"{moment.microsecond:06}123999"[:digits]
    text = f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{fraction}" if digits else "") + "Z"
    seconds = (moment.replace(microsecond=0) - EPOCH) // timedelta(seconds=1)
    expected = seconds * 10**9 + int(fraction[:9].ljust(9, "0"))
    raw = json.dumps(text).encode()
    assert read(raw) == (expected, len(raw))
    for cut in range(len(raw)):
        assert read(raw[:cut])[1] < 0


@pytest.mark.parametrize(
    "text",
    [
        *("2023-02-09T20:32:50", "2023-02-09T20:32:50+01:00", "2023-13-09T20:32:50Z"),
        *("2023-02-09 20:32:50Z", "2023-02-09T24:32:50Z", "2023-02-09T20:32:50.Z"),
        *("1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "2023-00-09T20:32:50Z"),
    ],
)
def test_what_is_no_time_in_utc_is_refused(text):
    assert read(json.dumps(text).encode())[1] < 0


@settings(max_examples=EXAMPLES)
@given(place=st.integers(1, 20), byte=st.integers(0, 255))
@example(place=1, byte=ord(":"))
def test_another_byte_is_refused_unless_it_is_a_digit_too(place, byte):
    raw = bytearray(b'"2023-02-09T20:32:50Z"')
    digit, raw[place] = raw[place : place + 1].isdigit(), byte
    if read(bytes(raw))[1] > 0:
        assert raw[place : place + 1].isdigit() == digit
        assert digit or bytes(raw) == b'"2023-02-09T20:32:50Z"'


def test_a_refusal_goes_through_as_it_is():
    assert rfc3339_time(-5, 10) == (0, -5)
