"""Hostile bytes: the decoder refuses, or reads what is there; it looks at nothing else."""

import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.icc.memory import address_of
from tests.exchanges.bitfinex import naive
from tests.exchanges.bitfinex.decoding import (
    EXAMPLES,
    FRAME_IDS,
    FRAMES,
    Connection,
    a_connection,
)

PROT_NONE = 0
CONNECTION = a_connection()


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_cut_at_any_byte_is_refused(raw):
    text = np.frombuffer(raw, np.uint8)  # the rest lies behind the end, and must not be looked at
    for length in range(len(raw)):
        said = CONNECTION.decode_at(address_of(text), length)
        assert said["status"] != decoded.OK, raw[:length]


@pytest.mark.needs_jit
@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_no_byte_behind_the_end_is_read(raw):
    """The end of the text is the end of readable memory: a read behind it ends this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    pages = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(address_of(pages) + mmap.PAGESIZE)
    assert libc.mprotect(guard, mmap.PAGESIZE, PROT_NONE) == 0
    try:
        for cut in range(len(raw) + 1):
            for tail in (b"", b'"', b"{", b"\\", b"1", b"[", b"-", b'"t', b"1e", b"0."):
                piece = raw[:cut] + tail
                begin = mmap.PAGESIZE - len(piece)
                pages[begin : mmap.PAGESIZE] = np.frombuffer(piece, np.uint8)
                CONNECTION.reset()
                CONNECTION.decode_at(address_of(pages) + begin, len(piece))
    finally:
        libc.mprotect(guard, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)


def assert_never_misread(connection: Connection, raw: bytes) -> None:
    """Whatever is accepted is sound JSON, and says what the naive twin reads in it."""
    connection.reset()
    result = connection.decode(raw)
    if result["status"] == decoded.OK:
        try:
            expected = connection.expected(raw)
        except naive.RefusedError as error:
            raise AssertionError(f"accepted {raw!r}; the naive twin: {error}") from None
        assert connection.said() == expected, raw
    else:
        assert 0 <= result["position"] <= len(raw)
        assert result["count"] == 0
        assert (
            connection.channels["has_snapshot"] == (connection.channels["number"] == 225206)
        ).all()


HOSTILE = b'"{}[]:,\\ -+.eE0179tfnbBaAsuU\n\x00\xff'


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    raw=st.sampled_from(FRAMES),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["replace", "insert", "delete", "copy"]),
            st.integers(0, 2000),
            st.sampled_from(HOSTILE),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_mutated_messages_are_never_misread(raw, edits):
    text = bytearray(raw)
    for edit, anywhere, byte in edits:
        place = anywhere % len(text)
        if edit == "replace":
            text[place] = byte
        elif edit == "insert":
            text.insert(place, byte)
        elif edit == "delete":
            del text[place]
        else:
            text[place:place] = text[place : place + byte % 40]
    assert_never_misread(CONNECTION, bytes(text))


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(st.binary(max_size=60) | st.text(HOSTILE.decode("latin-1")).map(lambda t: t.encode()))
def test_noise_is_never_misread(raw):
    assert_never_misread(CONNECTION, raw)


NUMBERS = st.sampled_from(
    [
        *("0", "-0", "1", "-1", "0.5", "-7e-7", "1.2E+3", "1e-8", "-1e-9", "9223372036854775807"),
        *("9223372036854775808", "92233720368.54775807", "1e400", "00", "1.", ".5", "+1", "null"),
        *('"5"', '"-5"', '"+5"', "true", "[]", "[1]", "1574694478808", "9223372036855", "NaN"),
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    channel=st.sampled_from(["225206", "17082", "343351", "11534", "5"]),
    tag=st.sampled_from(["", '"te",', '"tu",', '"cs",', '"hb",', '"",']),
    rows=st.lists(st.lists(NUMBERS, max_size=5), max_size=3),
    is_list=st.booleans(),
    behind=st.lists(NUMBERS, max_size=3),
)
def test_frames_of_any_numbers_are_never_misread(channel, tag, rows, is_list, behind):
    texts = [f"[{','.join(row)}]" for row in rows]
    payload = f"[{','.join(texts)}]" if is_list else ",".join(texts)
    parts = [channel, *([tag[:-1]] if tag else []), *([payload] if payload else []), *behind]
    assert_never_misread(CONNECTION, f"[{','.join(parts)}]".encode())
