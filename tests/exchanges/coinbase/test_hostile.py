"""Hostile bytes, both forms: a decoder refuses, or reads what is there, and nothing else."""

import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.icc.memory import address_of
from tests.exchanges.coinbase import naive
from tests.exchanges.coinbase.decoding import (
    ADVANCED,
    ADVANCED_IDS,
    BOTH,
    EXAMPLES,
    EXCHANGE,
    EXCHANGE_IDS,
    Venue,
)

PROT_NONE = 0
VENUES = {form: Venue(form, BOTH) for form in ("advanced", "exchange")}
FRAMES = [("advanced", raw) for raw in ADVANCED] + [("exchange", raw) for raw in EXCHANGE]
every_frame = pytest.mark.parametrize(("form", "raw"), FRAMES, ids=ADVANCED_IDS + EXCHANGE_IDS)


@every_frame
def test_a_message_cut_at_any_byte_is_refused(form, raw):
    text = np.frombuffer(raw, np.uint8)  # the rest lies behind the end, and must not be looked at
    for length in range(len(raw)):
        status = VENUES[form].decode_at(address_of(text), length)["status"]
        assert status != decoded.OK, raw[:length]


@pytest.mark.needs_jit
@every_frame
def test_no_byte_behind_the_end_is_read(form, raw):
    """The end of the text is the end of readable memory: a read behind it ends this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    pages = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(address_of(pages) + mmap.PAGESIZE)
    assert libc.mprotect(guard, mmap.PAGESIZE, PROT_NONE) == 0
    try:
        for cut in range(len(raw) + 1):
            for tail in (b"", b'"', b"{", b"\\", b"1", b'{"side":', b'":"', b"[[", b'[{"'):
                piece = raw[:cut] + tail
                begin = mmap.PAGESIZE - len(piece)
                pages[begin : mmap.PAGESIZE] = np.frombuffer(piece, np.uint8)
                VENUES[form].decode_at(address_of(pages) + begin, len(piece))
    finally:
        libc.mprotect(guard, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)


def assert_never_misread(venue: Venue, raw: bytes) -> None:
    """Whatever is accepted is sound JSON, and says what the naive twin reads in it."""
    result = venue.decode(raw)
    if result["status"] == decoded.OK:
        try:
            expected = venue.naive(raw, venue.symbols)
        except naive.RefusedError as error:
            raise AssertionError(f"accepted {raw!r}; the naive twin: {error}") from None
        assert venue.said() == expected, raw
    else:
        assert 0 <= result["position"] <= len(raw)
        assert result["count"] == 0


HOSTILE = b'"{}[]:,\\ -+.eE0179tfnlsbuTZ\n\x00\xff'
PIECES = (
    *(
        b"1e3",
        b"1E-9",
        b"9" * 25,
        b'"side"',
        b'"price"',
        b'"\\u0062"',
        b'"offer"',
        b"null",
        b"true",
    ),
    *(b'"snapshot"', b'"update"', b'"":1,', b'"type":"match",', b'"BTC-USD"', b'"ETH-USD"', b"{}"),
    *(b'"events":[],', b'"product_id":"ETH-USD",', b'"trades":[],', b'"updates":[],', b"[]"),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    frame=st.sampled_from(FRAMES),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["replace", "insert", "delete", "copy", "piece"]),
            st.integers(0, 2000),
            st.sampled_from(HOSTILE),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_mutated_messages_are_never_misread(frame, edits):
    form, raw = frame
    text = bytearray(raw)
    for edit, anywhere, byte in edits:
        place = anywhere % len(text)
        if edit == "replace":
            text[place] = byte
        elif edit == "insert":
            text.insert(place, byte)
        elif edit == "delete":
            del text[place]
        elif edit == "copy":
            text[place:place] = text[place : place + byte % 40]
        else:
            quote = text.find(b'"', place)
            text[max(quote, 0) : max(quote, 0)] = PIECES[byte % len(PIECES)]
    assert_never_misread(VENUES[form], bytes(text))


@settings(max_examples=EXAMPLES, deadline=None)
@given(frame=st.sampled_from(FRAMES), data=st.data())
def test_values_put_in_the_place_of_others_are_never_misread(frame, data):
    """Members and items stay whole, so what is put there is met, not refused on the way."""
    form, raw = frame
    quotes = [place for place, byte in enumerate(raw) if byte == ord('"')]
    first = 2 * data.draw(st.integers(0, len(quotes) // 2 - 1))
    begin, end = quotes[first], quotes[first + 1] + 1
    other = 2 * data.draw(st.integers(0, len(quotes) // 2 - 1))
    swapped = raw[quotes[other] : quotes[other + 1] + 1]
    piece = data.draw(st.sampled_from([*PIECES[:13], b"[]", b"{}", b"-0", b"-1", swapped]))
    assert_never_misread(VENUES[form], raw[:begin] + piece + raw[end:])


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(
    st.sampled_from(["advanced", "exchange"]),
    st.binary(max_size=60) | st.text(HOSTILE.decode("latin-1")).map(lambda t: t.encode()),
)
def test_noise_is_never_misread(form, raw):
    assert_never_misread(VENUES[form], raw)
