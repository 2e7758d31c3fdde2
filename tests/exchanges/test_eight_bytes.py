"""Eight bytes at a time say what one byte at a time says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.exchanges.eight_bytes import string_stop
from mantra.icc.memory import address_of

EXAMPLES = 500 if JIT else 150
BYTES = st.binary(max_size=24) | st.text('"\\\x00\x1f !\x7fab', max_size=24).map(str.encode)


def naive_stop(raw: bytes, at: int) -> int:
    """The first such byte; or where the last whole eight bytes end."""
    whole = at + (len(raw) - at) // 8 * 8
    return next((i for i in range(at, whole) if raw[i] in b'"\\' or raw[i] < 0x20), whole)


@settings(max_examples=EXAMPLES, deadline=None)
@given(raw=BYTES, hidden=st.sampled_from([b'"', b"\\", b"a"]), data=st.data())
def test_the_stop_is_the_first_byte_that_may_not_stand_there(raw, hidden, data):
    at = data.draw(st.integers(0, len(raw)))
    text = np.frombuffer(raw + hidden * 8, np.uint8)
    begin = address_of(text)
    assert string_stop(begin + at, begin + len(raw)) - begin == naive_stop(raw, at)


def test_every_byte_alone_at_every_place():
    for place in range(8):
        for byte in range(256):
            raw = b"a" * place + bytes([byte]) + b"a" * (7 - place)
            text = np.frombuffer(raw, np.uint8)
            begin = address_of(text)
            assert string_stop(begin, begin + 8) - begin == naive_stop(raw, 0)
