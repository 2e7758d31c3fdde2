"""Hostile bytes: the decoders refuse, or read what is there; they look at nothing else."""

import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.icc.memory import address_of
from tests.exchanges.kraken.decoding import (
    EXAMPLES,
    FRAMES,
    LEGACY_FRAMES,
    PAIRS,
    Venue,
    assert_never_misread,
)

PROT_NONE = 0
VENUES = {False: Venue(PAIRS), True: Venue(PAIRS, v1=True)}
ALL = [(False, raw) for raw in FRAMES] + [(True, raw) for raw in LEGACY_FRAMES]
HOSTILE = b'"{}[]:,\\ -+.eE0179tfnsbcZT/\n\x00\xff'


@pytest.mark.parametrize(("v1", "raw"), ALL)
def test_a_message_cut_at_any_byte_is_refused(v1, raw):
    text = np.frombuffer(raw, np.uint8)  # the rest lies behind the end, and must not be looked at
    for length in range(len(raw)):
        status = VENUES[v1].decode_at(address_of(text), length)["status"]
        assert status != decoded.OK, raw[:length]


@pytest.mark.needs_jit
@pytest.mark.parametrize(("v1", "raw"), ALL)
def test_no_byte_behind_the_end_is_read(v1, raw):
    """The end of the text is the end of readable memory: a read behind it ends this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    pages = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(address_of(pages) + mmap.PAGESIZE)
    assert libc.mprotect(guard, mmap.PAGESIZE, PROT_NONE) == 0
    tails = (b"", b'"', b"{", b"\\", b"1", b'":"', b"[[", b'","",1]', b'"trade",1]', b'{"price"')
    try:
        for cut in range(len(raw) + 1):
            for tail in tails:
                piece = raw[:cut] + tail
                begin = mmap.PAGESIZE - len(piece)
                pages[begin : mmap.PAGESIZE] = np.frombuffer(piece, np.uint8)
                VENUES[v1].decode_at(address_of(pages) + begin, len(piece))
    finally:
        libc.mprotect(guard, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(
    frame=st.sampled_from(ALL),
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
def test_mutated_messages_are_never_misread(frame, edits):
    v1, raw = frame
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
    assert_never_misread(VENUES[v1], bytes(text))


NUMBERS = st.sampled_from(
    [
        "1e1",
        "1E-8",
        "-1",
        "01",
        "1.",
        ".5",
        "9" * 19,
        "9" * 40,
        "1e99",
        "1e-99",
        "0e0",
        "+1",
        "1e+1",
    ]
)


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(frame=st.sampled_from(ALL), number=NUMBERS, where=st.integers(0, 30))
def test_numbers_of_all_kinds_are_never_misread(frame, number, where):
    v1, raw = frame
    places = [i for i in range(1, len(raw)) if raw[i : i + 1].isdigit() and raw[i - 1] in b':"[']
    if places:
        at = places[where % len(places)]
        after = at
        while raw[after : after + 1] in (*[b"%d" % i for i in range(10)], b"."):
            after += 1
        assert_never_misread(VENUES[v1], raw[:at] + number.encode() + raw[after:])


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(
    v1=st.booleans(),
    raw=st.binary(max_size=60) | st.text(HOSTILE.decode("latin-1")).map(lambda t: t.encode()),
)
def test_noise_is_never_misread(v1, raw):
    assert_never_misread(VENUES[v1], raw)
