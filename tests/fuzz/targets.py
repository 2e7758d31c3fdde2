"""What is fuzzed: each target reads any bytes, and raises AssertionError where it was misled.

In:        bytes.
Out:       whether they were accepted.
Must not know: who makes the bytes.

An oracle of each: `json`, `decimal`, the venues' naive decoders, the naive reader of frames. What
is accepted must be accepted by it, and be equal. Texts lie at the end of readable memory, and so
does the room for records: one byte too many ends the process (tests/exchanges/guarded.py).
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from mantra.exchanges import fields, json_scanner
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.times import rfc3339_time
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages import decimals
from tests.exchanges import recorded
from tests.exchanges.coinbase.naive import nanoseconds
from tests.exchanges.decoding import assert_never_misread
from tests.exchanges.guarded import TEXT
from tests.exchanges.hostile import CODECS
from tests.exchanges.naive import load
from tests.messages import naive as numbers
from tests.transport.naive import frame
from tests.transport.naive import messages as frames_of
from tests.transport.test_frames import read

STREAM_BYTES = 1_000
SEED_BYTES = 4_096  # longer recorded messages only take time
NUMBERS: dict = {"parse_int": str, "parse_float": str, "parse_constant": int}  # NaN is refused
RESULT = aligned_zeros(1, DECODED)


class Pairs(list):
    """An object as its (key, value) pairs: none is lost where a key comes twice."""


def depth_of(value: Any) -> int:
    """How many brackets are open at its innermost; those of nothing do not count."""
    if not isinstance(value, list) or not value:
        return 0
    inner = [item for _, item in value] if isinstance(value, Pairs) else value
    return 1 + max(map(depth_of, inner))


def _walk(value: Any, at: int, end: int) -> int:
    """Over a sound value at `at` by the walks of `fields`: the address after it."""
    if not isinstance(value, list):
        return int(json_scanner.value_end(at, end))
    opening = fields.OBJECT if isinstance(value, Pairs) else fields.ARRAY
    at, more = fields.enter(at, end, opening)
    for item in value:
        assert more
        if isinstance(value, Pairs):
            at = json_scanner.value_begin(json_scanner.string_end(at, end), end)
        inner = item[1] if isinstance(value, Pairs) else item
        at, more = fields.go_on(_walk(inner, at, end), end, opening)
    assert not more
    return int(at)


def scanner(raw: bytes) -> bool:
    """Whole texts: accepted exactly where `json` does, but for NaN and what nests too deep."""
    begin = TEXT.put(raw)
    end = begin + len(raw)
    first = json_scanner.skip_space(begin, end)
    after = int(json_scanner.value_end(first, end))
    assert begin <= abs(after) <= end, raw
    accepted = after > 0 and int(json_scanner.skip_space(after, end)) == end
    try:
        value = json.loads(raw.decode("latin-1"), object_pairs_hook=Pairs, **NUMBERS)
        sound = depth_of(value) <= json_scanner.NESTING_MAX
    except (ValueError, RecursionError):
        sound = False
    assert accepted == sound, raw
    if accepted:
        assert _walk(value, first, end) == after, raw
    return accepted


def scalars(raw: bytes) -> bool:
    """An integer, a time: each read from the text's first byte on."""
    begin = TEXT.put(raw)
    end, accepted = begin + len(raw), False
    fields.begin(begin, 0, 0, address_of(RESULT))
    number, after = fields.integer(begin, end)
    if after > 0:
        text = raw[: after - begin].decode()
        assert int(text.strip('"')) == number, raw
        assert (text[0] == '"') == (text[-1] == '"'), raw
        accepted = True
    time, after = rfc3339_time(begin, end)
    if after > 0:
        assert nanoseconds(raw[1 : after - begin - 1].decode()) == time, raw
        accepted = True
    for find in (json_scanner.string_end, json_scanner.plain_string_end):
        after = int(find(begin, end))
        assert begin <= abs(after) <= end, raw
        if after > 0:
            text = load(raw[: after - begin])
            plain = find is json_scanner.plain_string_end
            assert not plain or text.encode("latin-1") == raw[1 : after - begin - 1], raw
            accepted = True
    return accepted


def decimal(raw: bytes) -> bool:
    """The first byte is the exponent, the rest the text: first all of it, then its beginning."""
    if not raw:
        return False
    exponent, raw = raw[0] % (decimals.EXPONENT_MAX + 1), raw[1:]
    begin = TEXT.put(raw)
    end, text = begin + len(raw), raw.decode("latin-1")
    got = tuple(map(int, decimals.parse_decimal(begin, len(raw), exponent)))
    assert got == numbers.parse_decimal(text, exponent), (text, exponent)
    value, status, after = map(int, decimals.scan_decimal(begin, end, exponent))
    assert begin <= after <= end, text
    if status != decimals.MALFORMED:
        expected = numbers.parse_decimal(text[: after - begin], exponent)
        assert (value, status) == expected, (text, exponent)
    fields.begin(begin, 0, 0, address_of(RESULT))
    value, after = map(int, fields.signed_decimal(begin, end, exponent, address_of(RESULT)))
    if after > 0:
        text = raw[: after - begin].decode().strip('"')
        assert (value, decimals.OK) == numbers.parse_decimal(text, exponent), (text, exponent)
    return status == decimals.OK


def websocket(raw: bytes) -> bool:
    """Two bytes say how the rest, a stream of frames, arrives: piece by piece, in which room."""
    if len(raw) < 2:
        return False
    chunk, batch, capacity = raw[0] + 1, (1, 3, 64)[raw[1] % 3], 300 + 2 * raw[1]
    stream = raw[2:STREAM_BYTES]
    got = read(stream, chunk, capacity, batch)
    assert got == frames_of(stream, capacity), raw
    return bool(got) and got[-1][0] < 16


def codec(name: str, raw: bytes) -> bool:
    """A message: what the venue's codec accepts its naive twin reads the same."""
    return assert_never_misread(CODECS[name].venue, raw)


TARGETS: dict[str, Callable[[bytes], bool]] = {
    **{name: partial(codec, name) for name in CODECS},
    **{"scanner": scanner, "scalars": scalars, "decimal": decimal, "websocket": websocket},
}
FRAMES = [
    frame(1, b"abc"),
    frame(1, b"a", last=False),
    frame(0, b"b"),
    frame(9),
    frame(2, b"x" * 130),
]
SEEDS = {
    **{name: list(subject.frames.values()) for name, subject in CODECS.items()},
    "scanner": [raw for subject in CODECS.values() for raw in subject.frames.values()],
    "scalars": [b'"2023-10-06T17:35:55.440295Z"', b"-17", b'"9223372036854775807"', b'"a\\u00e9"'],
    "decimal": [
        b"\x08" + text for text in (b"61737.63000000", b"-0.5", b"1E-8", b'"7e-7"', b"0.1")
    ],
    "websocket": [b"\xff\x02" + b"".join(FRAMES), b"\x01\x00" + b"".join(FRAMES)],
}
RECORDED = {  # more seeds for a codec, where the recordings are
    "bitfinex": "BITFINEX.ws.11.0",
    "bitstamp": "BITSTAMP.ws.19.0",
    "coinbase-exchange": "COINBASE.ws.28.0",
    "kraken-v1": "KRAKEN.ws.50.0",
}


def recorded_seeds(name: str, limit: int = 60) -> list[bytes]:
    """Some recorded frames for a target, of different lengths; none where there are none."""
    path = recorded.ROOT / "cryptofeed/2021-04-17_3525dc8c" / RECORDED.get(name, "none")
    if not path.exists():
        return []
    lines = map(recorded.FRAME.fullmatch, path.read_bytes().splitlines())
    found = {len(line[1]): line[1] for line in lines if line and len(line[1]) <= SEED_BYTES}
    return [found[length] for length in sorted(found)][:limit]
