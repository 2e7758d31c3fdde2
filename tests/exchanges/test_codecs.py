"""Each number is its venue's codec."""

import importlib

import numpy as np
import pytest

from mantra.exchanges import codecs
from mantra.exchanges.codecs import CODECS, UNKNOWN_CODEC
from mantra.exchanges.decoded import DECODED, OK
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import L2_UPDATE

EVENT = {
    "binance": b'{"e":"executionReport"}',
    "bitfinex": b'{"event":"info","version":2}',
    "bitstamp": b'{"event":"bts:heartbeat","channel":"","data":{}}',
    "coinbase": b'{"type":"error","message":"no"}',
    "kraken": b'{"method":"pong"}',
    "coinbase-exchange": b'{"type":"error","message":"no"}',
    "kraken-v1": b'{"event":"pong"}',
}
MODULES = {"coinbase-exchange": "coinbase.exchange", "kraken-v1": "kraken.legacy"}


def decode(function, raw: bytes, *first):
    room, result = aligned_zeros(4, L2_UPDATE), aligned_zeros(1, DECODED)
    text = np.frombuffer(raw + b" ", np.uint8)
    rooms = address_of(room), 4, address_of(result)
    return function(*first, address_of(text), len(raw), 0, 0, *rooms), result[0].copy()


@pytest.mark.parametrize("venue", CODECS)
def test_a_number_is_the_codec_of_its_venue(venue):
    module = MODULES.get(venue, f"{venue}.public")
    public = importlib.import_module(f"mantra.exchanges.{module}")
    status, said = decode(codecs.decode, EVENT[venue], CODECS.index(venue))
    expected, says = decode(public.decode, EVENT[venue])
    assert (status, said["kind"]) == (expected, says["kind"])
    assert status == OK


def test_a_number_that_is_none_is_said():
    assert decode(codecs.decode, b"{}", len(CODECS))[0] == UNKNOWN_CODEC
