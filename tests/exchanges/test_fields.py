"""Walks, numbers and times in JSON beside `json`, `decimal` and `datetime`."""

import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT, compiled
from mantra.exchanges import decoded, fields
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.json_scanner import value_end
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import L2_UPDATE

EXAMPLES = 300 if JIT else 100
KEYS = fields.key_table("price", "qty", "a_key_of_16_byte")
RESULT = aligned_zeros(1, DECODED)
I8 = np.dtype("i8")


def read(function, raw: bytes, *arguments):
    """(value, offset behind it) or (0, minus 1 - the offset of the refusal)."""
    text = np.frombuffer(raw + b'0"', np.uint8)
    begin = address_of(text)
    fields.begin(begin, 0, 0, address_of(RESULT))
    value, after = function(begin, begin + len(raw), *arguments)
    return int(value), int(after - begin if after > 0 else -1 - (-after - begin))


@compiled
def walk(at, end, opening, ends, capacity):
    """Over an array or object: where its elements end, how many, where it ends itself."""
    rows = fields.records_at(ends, capacity, I8)
    count = 0
    at, more = fields.enter(at, end, opening)
    while more:
        at = value_end(at, end)
        if at > 0 and count < capacity:
            rows[count] = at
            count += 1
        at, more = fields.go_on(at, end, opening)
    return count, at


@settings(max_examples=EXAMPLES, deadline=None)
@given(items=st.lists(st.integers() | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)))
@pytest.mark.parametrize("indent", [None, 1])
def test_a_walk_over_an_array_meets_every_item(indent, items):
    raw = json.dumps(items, indent=indent).encode()
    text, ends = np.frombuffer(raw + b",", np.uint8), aligned_zeros(100, I8)
    begin = address_of(text)
    room = address_of(ends), min(len(items), 100)
    count, after = walk(begin, begin + len(raw), fields.ARRAY, *room)
    assert (count, after) == (min(len(items), 100), begin + len(raw))
    for end, item in zip(ends[:count], items, strict=False):
        last = raw[: end - begin]
        assert last.endswith(json.dumps(item, indent=None).encode()[-1:])


@pytest.mark.parametrize(
    "raw", [b"[1,", b"[1", b"[", b"", b"[1}", b"{1]", b"[1 2]", b"[,]", b"[1,]"]
)
def test_a_walk_over_what_is_no_array_is_refused(raw):
    text, ends = np.frombuffer(raw + b"]", np.uint8), aligned_zeros(9, I8)
    begin = address_of(text)
    assert walk(begin, begin + len(raw), fields.ARRAY, address_of(ends), 9)[1] <= 0


def key(raw: bytes, seen: int = 0) -> tuple[int, int]:
    return read(fields.member, raw, KEYS, seen, address_of(RESULT))


def test_a_member_is_its_bit_and_where_its_value_begins():
    assert key(b'"price":1') == (1, 8)
    assert key(b'"qty" : 1') == (2, 8)
    assert key(b'"a_key_of_16_byte":1') == (4, 19)
    for other in (b'"pric":1', b'"prices":1', b'"a_key_of_16_bytes":1', b'"a_key_of_16_bytE":1'):
        assert key(other)[0] == 0
        assert key(other)[1] > 0
    for cut in range(9):
        assert key(b'"price":1'[:cut])[1] < (0 if cut < 8 else 9)


@pytest.mark.parametrize("text", ["price", "qty", "a_key_of_16_byte"])
def test_a_key_that_is_to_come_is_the_same_key_whatever_stands_behind(text):
    bit = 1 << ["price", "qty", "a_key_of_16_byte"].index(text)
    raw = f'"{text}":'.encode()
    for behind in range(1, 24):
        assert key(raw + b"1" * behind, seen=bit - 1) == (bit, len(raw))
        assert key(raw + b" 1" + b"1" * behind, seen=bit - 1) == (bit, len(raw) + 1)
        for place in range(len(raw)):
            other = bytearray(raw + b"1" * behind)
            other[place] ^= 0x80
            assert key(bytes(other), seen=bit - 1)[0] == 0


def test_a_key_that_comes_again_is_refused_with_its_reason():
    assert key(b'"price":1', seen=2) == (1, 8)
    assert key(b'"price":1', seen=1) == (0, -1)
    assert RESULT[0]["status"] == decoded.DUPLICATE_FIELD


NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?\Z")


@settings(max_examples=EXAMPLES, deadline=None)
@given(number=NUMBERS, exponent=st.integers(0, 10), quoted=st.booleans())
def test_a_number_is_exact_or_refused_bare_or_in_a_string(number, exponent, quoted):
    raw = json.dumps(number).encode() if quoted else number.encode()
    exact = Decimal(number).scaleb(exponent)
    value, after = read(fields.signed_decimal, raw, exponent, address_of(RESULT))
    if exact == exact.to_integral_value() and abs(exact) < 1 << 63:
        assert (value, after) == (int(exact), len(raw))
    else:
        assert (value, after) == (0, -1)
        assert RESULT[0]["status"] in (decoded.TOO_PRECISE, decoded.OVERFLOW)
    if exact < 0:
        assert read(fields.decimal, raw, exponent, address_of(RESULT)) == (0, -1)


@pytest.mark.parametrize(
    "raw", [b"", b"-", b"01", b"+1", b".5", b"x", b'"1', b'"', b'"1x"', b"-01"]
)
def test_what_is_no_number_is_refused(raw):
    assert read(fields.signed_decimal, raw, 2, address_of(RESULT))[1] < 0


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"12", (12, 2)),
        (b'"12"', (12, 4)),
        (b"-3,", (-3, 2)),
        (b"9223372036854775807", (2**63 - 1, 19)),
    ],
)
def test_an_integer_is_read_bare_or_in_a_string(raw, found):
    assert read(fields.integer, raw) == found


@pytest.mark.parametrize("raw", [b"", b'"12', b'"', b"1.5", b"9223372036854775808", b'"1 "', b"x"])
def test_what_is_no_integer_is_refused(raw):
    assert read(fields.integer, raw)[1] < 0


def test_a_refusal_goes_through_every_function_as_it_is():
    result = address_of(RESULT)
    assert fields.enter(-5, 10, fields.ARRAY) == (-5, False)
    assert fields.go_on(-5, 10, fields.ARRAY) == (-5, False)
    assert fields.signed_decimal(-5, 10, 2, result) == (0, -5)
    assert fields.decimal(-5, 10, 2, result) == (0, -5)
    assert fields.integer(-5, 10) == (0, -5)
    assert fields.put_levels(-5, 10, 0, 0, result) == -5


def test_levels_beyond_the_room_are_refused():
    room = aligned_zeros(2, L2_UPDATE)
    fields.begin(1, address_of(room), 0, address_of(RESULT))
    slot = aligned_zeros(1, fields.SYMBOL)
    assert fields.put_level(address_of(slot), 0, 1, 1, 7, address_of(RESULT)) == -7
    assert fields.put_trade(address_of(slot), 0, 1, 1, 1, 1, 7, address_of(RESULT)) == -7
    assert RESULT[0]["status"] == decoded.TOO_MANY_LEVELS
