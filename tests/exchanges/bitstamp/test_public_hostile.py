"""Hostile bytes: the decoder refuses, or reads what is there; it looks at nothing else."""

import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.icc.memory import address_of
from tests.exchanges.binance.decoding import EXAMPLES
from tests.exchanges.bitstamp import naive
from tests.exchanges.bitstamp.decoding import (
    FRAME_IDS,
    FRAMES,
    Venue,
)

PROT_NONE = 0


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue({"BTCUSD": (2, 8), "ETHUSD": (1, 8)}, unnamed="btcusd")


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_cut_at_any_byte_is_refused(venue, raw):
    text = np.frombuffer(raw, np.uint8)  # the rest lies behind the end, and must not be looked at
    for length in range(len(raw)):
        assert venue.decode_at(address_of(text), length)["status"] != decoded.OK, raw[:length]


@pytest.mark.needs_jit
@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_no_byte_behind_the_end_is_read(venue, raw):
    """The end of the text is the end of readable memory: a read behind it ends this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    pages = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(address_of(pages) + mmap.PAGESIZE)
    assert libc.mprotect(guard, mmap.PAGESIZE, PROT_NONE) == 0
    try:
        for cut in range(len(raw) + 1):
            for tail in (b"", b'"', b"{", b"\\", b"1", b'"channel', b'":"', b"[["):
                piece = raw[:cut] + tail
                begin = mmap.PAGESIZE - len(piece)
                pages[begin : mmap.PAGESIZE] = np.frombuffer(piece, np.uint8)
                venue.decode_at(address_of(pages) + begin, len(piece))
    finally:
        libc.mprotect(guard, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)


def assert_never_misread(venue: Venue, raw: bytes) -> None:
    """Whatever is accepted is sound JSON, and says what the naive twin reads in it."""
    result = venue.decode(raw)
    if result["status"] == decoded.OK:
        try:
            expected = naive.decode(raw, venue.symbols, venue.unnamed)
        except naive.RefusedError as error:
            raise AssertionError(f"accepted {raw!r}; the naive twin: {error}") from None
        assert venue.said() == expected, raw
    else:
        assert 0 <= result["position"] <= len(raw)
        assert result["count"] == 0


CHANNEL = b',"channel":"diff_order_book_ethusd"'  # put anywhere: a guess that is wrong
HOSTILE = b'"{}[]:,\\ -+.eE0179tfnbBaAsuU\n\x00\xff'


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    raw=st.sampled_from(FRAMES),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["replace", "insert", "delete", "copy", "channel"]),
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
        elif edit == "channel":
            text[place:place] = CHANNEL
        else:
            text[place:place] = text[place : place + byte % 40]
    assert_never_misread(HOSTILE_VENUE, bytes(text))


HOSTILE_VENUE = Venue({"BTCUSD": (2, 8), "ETHUSD": (1, 8)}, unnamed="btcusd")


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(st.binary(max_size=60) | st.text(HOSTILE.decode("latin-1")).map(lambda t: t.encode()))
def test_noise_is_never_misread(raw):
    assert_never_misread(HOSTILE_VENUE, raw)
