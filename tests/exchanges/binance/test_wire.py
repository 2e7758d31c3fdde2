"""The outside of a message: where the payload is, which key is which."""

import pytest

from mantra.exchanges import decoded
from mantra.exchanges.binance import wire
from mantra.exchanges.decoded import DECODED, STATUSES
from mantra.icc.memory import address_of, aligned_zeros
from tests.exchanges.binance.decoding import Venue
from tests.exchanges.guarded import TEXT
from tests.exchanges.naive import RefusedError

VENUE = Venue({"BTCUSDT": (2, 6)})


def find_payload(raw: bytes) -> tuple[bytes | None, bool, bytes]:
    """(payload and what follows it, whether the end was looked for, name of the stream)."""
    result = aligned_zeros(1, DECODED)
    begin = TEXT.put(raw)
    payload, after = wire.payload_of(begin, begin + len(raw), address_of(result))
    if after < 0:
        raise RefusedError(raw[-after - begin :])
    scratch = result[0]["scratch"]
    name = slice(scratch[wire.STREAM_NAME] - begin, scratch[wire.STREAM_END] - begin)
    stream = raw[name] if scratch[wire.STREAM_NAME] else b""
    return (raw[payload - begin :] if payload else None), bool(after), stream


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"stream":"x@y","data":{"e":1}}', (b'{"e":1}}', False, b"x@y")),
        (b'{ "stream" : "x@y" , "data" : {"e":1} }', (b'{"e":1} }', False, b"x@y")),
        (b'{"data":{"e":1},"stream":"x@y"}', (b'{"e":1},"stream":"x@y"}', True, b"x@y")),
        (b'{"z":[],"stream":"x@y","data":{}}', (b"{}}", True, b"x@y")),
        (b'{"e":"trade"}', (b'{"e":"trade"}', False, b"")),
        (b'{"lastUpdateId":1}', (b'{"lastUpdateId":1}', False, b"")),
        (b'{"result":null,"id":1}', (b'{"result":null,"id":1}', True, b"")),
        (b'{"stream":"x","data":[1]}', (None, True, b"x")),
        (b'{"data":{}}', (b'{"data":{}}', True, b"")),
        (b"{}", (None, True, b"")),
        (b"17", (None, True, b"")),
    ],
)
def test_the_payload_is_found_in_any_frame(raw, expected):
    assert find_payload(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b'{"stream"', b'{"stream":', b'{"stream":"x"', b'{"stream":"x","data"'),
        *(b"{1:2}", b'{"data":{},"stream":"x","data":{}}'),
        b'{"z":1,"stream":"x","stream":"y","data":{}}',
    ],
)
def test_a_frame_that_is_broken_or_says_things_twice_is_refused(raw):
    with pytest.raises(RefusedError):
        find_payload(raw)


def test_every_known_key_has_a_place_of_its_own():
    keys = ["e", "E", "s", "U", "u", "pu", "b", "a", "B", "A", "t", "T", "p", "q", "m"]
    keys += ["lastUpdateId", "id", "price", "qty", "time", "isBuyerMaker"]
    places = [place(key) for key in keys]
    assert len(set(places)) == len(keys)
    assert min(places) >= 0
    assert not set(places) & {wire.STREAM_NAME, wire.STREAM_END, wire.DONE_BIDS}
    assert [place(key) for key in ("bids", "asks", "symbol")] == [place(key) for key in "bas"]


@pytest.mark.parametrize("key", ["", "pU", "bid", "lastUpdateIdx", "lastUpdateXX", "1", "\x7f\x7f"])
def test_other_keys_have_none(key):
    assert place(key) == wire.NO_FIELD


def place(key: str) -> int:
    begin, length = TEXT.put(key.encode()), len(key)
    return int(wire.field_of(begin, length, begin + length))


def test_a_word_is_known_whole_and_an_escape_may_hide_one():
    words = [b"depthUpdate", b"depthUpdat3", b"trades", b"", b"tr\\u0061de"]
    raw = b'{"e":"trade","s":"BTCUSDT"}'
    said = [VENUE.decode(raw.replace(b"trade", word))["status"] for word in words]
    refused = STATUSES.index("missing field"), STATUSES.index("malformed")
    assert said == [refused[0], decoded.OK, decoded.OK, decoded.OK, refused[1]]
