"""The scanner beside `json`: what it passes over is sound, and it stops where the value stops."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.exchanges import json_scanner as scanner
from mantra.icc.memory import address_of

EXAMPLES = 200 if JIT else 80

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # `json` escapes what is not ASCII, and quotes
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def over(function, raw: bytes, hidden: bytes = b"0") -> int:
    """Offset behind what was passed over, or minus 1 - the offset where it is refused."""
    text = np.frombuffer(raw + hidden, np.uint8)
    at = function(address_of(text), address_of(text) + len(raw))
    at = int(at[1] if isinstance(at, tuple) else at)
    return at - address_of(text) if at > 0 else -1 - (-at - address_of(text))


@settings(max_examples=EXAMPLES, deadline=None)
@given(value=VALUES, indent=st.sampled_from([None, 0, 2]), tail=st.sampled_from(["", ",1", "]"]))
def test_a_sound_value_is_passed_over_to_its_end(value, indent, tail):
    raw = json.dumps(value, indent=indent).encode()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        tail = tail or " "
    assert over(scanner.value_end, raw + tail.encode()) == len(raw)


@settings(max_examples=EXAMPLES, deadline=None)
@given(value=VALUES, data=st.data())
def test_a_value_cut_short_is_refused(value, data):
    raw = json.dumps([value]).encode()
    cut = data.draw(st.integers(0, len(raw) - 1))
    assert over(scanner.value_end, raw[:cut], hidden=raw[cut:]) < 0


@settings(max_examples=EXAMPLES, deadline=None)
@given(raw=st.text('[]{}",:0123456789.-+eEtruefalsn \\u\n', max_size=14).map(str.encode))
def test_what_json_refuses_is_refused(raw):
    end = over(scanner.value_end, raw)
    if end >= 0:
        json.loads(raw[:end])


@pytest.mark.parametrize(
    ("raw", "value"),
    [(b"0", 0), (b"-0", 0), (b"-17,", -17), (b"9223372036854775807]", 2**63 - 1)],
)
def test_integers_are_read_exactly(raw, value):
    text = np.frombuffer(raw, np.uint8)
    read, after = scanner.scan_integer(address_of(text), address_of(text) + len(raw))
    assert read == value
    assert after == address_of(text) + len(raw.rstrip(b",]"))


@pytest.mark.parametrize(
    "raw", [b"", b"-", b"01", b"1.0", b"1e3", b"x", b"9223372036854775808", b'"1"', b"+1"]
)
def test_what_is_no_integer_or_too_large_is_refused(raw):
    assert over(scanner.scan_integer, raw) < 0


@pytest.mark.parametrize("raw", [b'"\\u0062"', b'"a\n"', b'"open', b"open", b""])
def test_keys_with_escapes_or_without_end_are_refused(raw):
    assert over(scanner.plain_string_end, raw) < 0


def test_values_nest_as_deep_as_the_limit_and_no_deeper():
    deep = scanner.NESTING_MAX
    assert over(scanner.value_end, b"[" * deep + b"1" + b"]" * deep) == 2 * deep + 1
    assert over(scanner.value_end, b"[" * (deep + 1) + b"1" + b"]" * (deep + 1)) < 0


def test_white_space_is_skipped_to_the_end_and_not_beyond():
    assert over(scanner.skip_space, b" \t\r\n", hidden=b"  ") == 4
    assert over(scanner.value_begin, b' : "x"') == 3
    assert over(scanner.value_begin, b' "x"') < 0


def test_words_are_compared_as_they_are_packed():
    text = np.frombuffer(b"stream", np.uint8)
    assert scanner.pack(address_of(text), 6) == scanner.word("stream")
    assert scanner.pack(address_of(text), 5) != scanner.word("stream")


def test_packing_is_the_same_with_and_without_room_behind():
    raw = b"abcdefghijkl"
    text = np.frombuffer(raw, np.uint8)
    begin = address_of(text)
    for at in range(len(raw)):
        for length in range(min(9, len(raw) - at) + 1):
            packed = scanner.pack(begin + at, length)
            assert scanner.pack_within(begin + at, length, begin + len(raw)) == packed
            assert packed == int.from_bytes(raw[at : at + min(length, 8)], "little")
