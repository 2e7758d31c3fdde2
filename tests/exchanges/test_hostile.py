"""Hostile bytes, all venues: a decoder refuses, or reads what is there, and nothing else.

Texts lie at the end of readable memory (guarded.py): a look behind it ends this process.
"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.exchanges import decoded
from tests.exchanges.bitfinex.decoding import BOOK, FRESH, TICKER, TRADES
from tests.exchanges.decoding import assert_never_misread, assert_same_as_naive
from tests.exchanges.guarded import TEXT
from tests.exchanges.hostile import CODECS, EVERY_FRAME
from tests.fuzz.mutate import NUMBERS, VALUES, mutate

EXAMPLES = 500 if JIT else 60
TAILS = (
    b'"',
    b"{",
    b"\\",
    b"1",
    b"-",
    b"1e",
    b"0.",
    b'":"',
    b"[[",
    b'{"',
    b'":t',
    b'"channel',
    b'"t',
)
HOSTILE = b'"{}[]:,\\ -+.eE0179tfnlsbBaAsuUTZ/\n\x00\xff'

every_codec = pytest.mark.parametrize("name", CODECS)


@pytest.mark.parametrize(("codec", "name"), EVERY_FRAME)
def test_frames_are_read_as_the_naive_twin_reads_them(codec, name):
    CODECS[codec].venue.reset()
    assert_same_as_naive(CODECS[codec].venue, CODECS[codec].frames[name])


@pytest.mark.parametrize(("codec", "name"), EVERY_FRAME)
def test_a_message_cut_at_any_byte_is_refused(codec, name):
    venue, raw = CODECS[codec].venue, CODECS[codec].frames[name]
    for length in range(len(raw)):
        venue.reset()
        at_the_guard = venue.decode(raw[:length])["status"], venue.result[0]["position"]
        assert at_the_guard[0] != decoded.OK, raw[:length]
        venue.reset()
        said = venue.decode_at(TEXT.put_in_front(raw[:length], raw[length:]), length)
        assert at_the_guard == (said["status"], said["position"]), "the rest was looked at"


@pytest.mark.needs_jit
@pytest.mark.parametrize(("codec", "name"), EVERY_FRAME)
def test_a_message_that_goes_wrong_at_any_byte_is_never_misread(codec, name):
    venue, raw = CODECS[codec].venue, CODECS[codec].frames[name]
    for cut in range(len(raw)):
        for tail in TAILS:
            assert_never_misread(venue, raw[:cut] + tail)


@pytest.mark.parametrize(("codec", "name"), EVERY_FRAME)
@pytest.mark.parametrize("more", [b"[]", b"{}", b"[],", b"]", b"}", b"],", b'""'])
def test_brackets_where_none_belong_are_never_misread(codec, name, more):
    """`[]"1","2"]` once was a level."""
    venue, raw = CODECS[codec].venue, CODECS[codec].frames[name]
    for at, byte in enumerate(raw):
        if byte in b"[{,:":
            assert_never_misread(venue, raw[: at + 1] + more + raw[at + 1 :])


@every_codec
@settings(max_examples=EXAMPLES)
@given(data=st.data(), seed=st.integers(0, 1 << 32))
def test_mutated_messages_are_never_misread(name, data, seed):
    frames = list(CODECS[name].frames.values())
    raw = data.draw(st.sampled_from(frames))
    assert_never_misread(CODECS[name].venue, mutate(raw, Random(seed), frames))


@every_codec
@settings(max_examples=EXAMPLES // 3)
@given(raw=st.binary(max_size=60) | st.text(HOSTILE.decode("latin-1")).map(str.encode))
def test_noise_is_never_misread(name, raw):
    assert_never_misread(CODECS[name].venue, raw)


@every_codec
def test_records_are_written_where_there_is_room_and_nowhere_else(name):
    venue = CODECS[name].venue
    for raw in CODECS[name].frames.values():
        venue.reset()
        count = int(venue.decode(raw)["count"])
        for capacity in range(count):
            venue.reset()
            assert venue.decode(raw, capacity=capacity)["status"] == decoded.TOO_MANY_LEVELS
            venue.assert_refused(raw)
        venue.reset()
        assert venue.decode(raw, capacity=count)["count"] == count


ITEMS = st.sampled_from([text.decode("latin-1") for text in (*NUMBERS, *VALUES)])


@settings(max_examples=EXAMPLES)
@given(
    channel=st.sampled_from([BOOK, FRESH, TRADES, TICKER, 5]),
    tag=st.sampled_from(["", '"te"', '"tu"', '"cs"', '"hb"', '""']),
    rows=st.lists(st.lists(ITEMS, max_size=5), max_size=3),
    is_list=st.booleans(),
    behind=st.lists(ITEMS, max_size=3),
)
def test_frames_of_bitfinex_of_any_numbers_are_never_misread(channel, tag, rows, is_list, behind):
    payload = ",".join(f"[{','.join(row)}]" for row in rows)
    parts = [str(channel), tag, f"[{payload}]" if is_list else payload, *behind]
    raw = f"[{','.join(part for part in parts if part)}]".encode("latin-1")
    assert_never_misread(CODECS["bitfinex"].venue, raw)
