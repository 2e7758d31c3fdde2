"""What both forms share: words, and members in the order sent or another. The rest by its users."""

import numpy as np
import pytest

from mantra.exchanges import decoded, fields
from mantra.exchanges.coinbase.wire import SIDES, choice, gather, resume
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.json_scanner import value_end
from mantra.icc.memory import address_of, aligned_zeros

KEYS = fields.key_table("a", "b", "levels")
RESULT = aligned_zeros(1, DECODED)


@pytest.mark.parametrize(
    ("raw", "place", "after"),
    [
        (b'"bid",', 0, 5),
        (b'"offer"]', 1, 7),
        (b'"SELL"', 5, 6),
        (b'"sel"', -1, 5),
        (b'"sells and more than sixteen"', -1, 29),
        (b'""', -1, 2),
        (b"17,", -1, 2),
        (b'["bid"]', -1, 7),
        (b'"b\\u0069d"', -1, None),
        (b'"bid', -1, None),
        (b"", -1, None),
        (b"x", -1, None),
    ],
)
def test_a_word_is_its_place_in_the_table(raw, place, after):
    text = np.frombuffer(raw + b'"', np.uint8)
    begin = address_of(text)
    found, at = choice(begin, begin + len(raw), SIDES)
    assert found == place
    assert at == begin + after if after is not None else at < 0


def read(raw: bytes) -> tuple[bool, dict[str, bytes], int]:
    """(whether `levels` was met in its place, values by key, length read) of an object."""
    text = np.frombuffer(raw + b"1", np.uint8)
    begin = address_of(text)
    end = begin + len(raw)
    fields.begin(begin, 0, 0, address_of(RESULT))
    values = RESULT[0]["scratch"][:8]
    seen, at, more = gather(begin, np.int64(0), end, KEYS, values, address_of(RESULT))
    stopped, done = bool(more), value_end(values[2], end) if more else at
    at = resume(done, at, more, seen, end, KEYS, values, address_of(RESULT))
    found = {}
    for key, value, bit in zip("abl", values, (1, 2, 4), strict=False):
        if seen & bit and at > 0:
            found[key] = raw[value - begin : value_end(value, end) - begin]
    return stopped, found, int(at - begin) if at > 0 else -1


def test_the_last_key_is_met_in_its_place_when_the_others_came_before():
    raw = b'{"a":1,"x":0,"b":[2],"levels":[3],"y":{}}'
    assert read(raw) == (True, {"a": b"1", "b": b"[2]", "l": b"[3]"}, len(raw))


def test_in_another_order_it_is_passed_over():
    raw = b'{"levels":[3],"a":1,"b":2}'
    assert read(raw) == (False, {"a": b"1", "b": b"2", "l": b"[3]"}, len(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"b":2,"levels":[3],"levels":4}',
        b'{"a":1,"b":2,"levels":[3],"a":4}',
        b'{"a":1,"a":2,"levels":[3]}',
        b'{"a":1,"b":2,"levels":[3',
        b'{"a":1,"b":2,"levels":[3]',
        b'{"a":1,"b":2,"levels":[3],}',
        b'{"a":1,"b":2 "levels":[3]}',
        b"{",
        b"",
    ],
)
def test_what_is_twice_or_cut_is_refused(raw):
    assert read(raw)[2] == -1


def test_a_key_told_twice_is_the_reason():
    read(b'{"a":1,"a":2}')
    assert RESULT[0]["status"] == decoded.DUPLICATE_FIELD
