"""CRC-32 beside zlib's, digits beside str."""

import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mantra.exchanges.crc32 import TABLE, crc32, put_digits
from mantra.icc.memory import address_of


@given(st.binary(max_size=300))
@example(b"")
def test_the_crc_is_that_of_zlib(raw):
    text = np.frombuffer(raw + b"not of it", np.uint8)
    assert crc32(address_of(text), len(raw)) == zlib.crc32(raw)


@given(st.integers(0, (1 << 63) - 1))
@example(0)
@example(10**18)
def test_digits_are_those_of_the_number(number):
    room = np.full(32, ord("."), np.uint8)
    after = put_digits(number, address_of(room) + 1) - address_of(room)
    assert bytes(room[:after]) == b"." + str(number).encode()
    assert bytes(room[after + 7 :]) == b"." * (25 - after)


def test_the_table_is_that_of_the_polynomial():
    for byte in range(256):
        crc = byte
        for more in range(8):
            for _ in range(8):
                crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
            assert TABLE[more, byte] == crc


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller():
    text = np.zeros(24, np.uint8)
    crc32(address_of(text), 3)
    put_digits(np.int64(5), address_of(text))
    assert len(crc32.signatures) == len(put_digits.signatures) == 1
