"""The v1 decoder: cases, and the recorded sessions beside the naive twin."""

import json

import pytest

from mantra.exchanges import decoded
from mantra.exchanges.decoded import KINDS, STATUSES
from mantra.exchanges.kraken import legacy
from mantra.messages.enums import ASK, BID
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import recorded
from tests.exchanges.kraken import reencode
from tests.exchanges.kraken.decoding import (
    LEGACY_FRAMES,
    LEGACY_IDS,
    LEGACY_SNAPSHOT,
    LEGACY_TRADES,
    LEGACY_UPDATE,
    PAIRS,
    Venue,
    assert_same_as_naive,
)

SESSIONS = {
    "KRAKEN.ws.48.0": {"trade": 8, "heartbeat": 30, "control": 11},
    "KRAKEN.ws.49.0": {"unknown": 18, "heartbeat": 31, "control": 11},
    "KRAKEN.ws.50.0": {"snapshot": 10, "depth": 4269, "heartbeat": 31, "control": 11},
}


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue(PAIRS, v1=True)


@pytest.mark.parametrize("raw", LEGACY_FRAMES, ids=LEGACY_IDS)
def test_a_message_says_what_the_naive_twin_reads(venue, raw):
    assert_same_as_naive(venue, raw)


def test_an_update_may_come_in_two_objects(venue):
    result = venue.decode(LEGACY_UPDATE)
    assert (KINDS[result["kind"]], result["checksum"]) == ("depth", 974942666)
    assert result["ts_exchange"] == 1534614335345903000
    rows = venue.records[:2]
    assert rows["side"].tolist() == [ASK, BID]
    assert rows["price"].tolist() == [55413, 55412]
    assert rows["volume"].tolist() == [0, 40_000_000]


def test_trades_have_the_takers_side_and_a_time_each(venue):
    venue.decode(LEGACY_TRADES)
    rows = venue.records[:2].view(TRADE_UPDATE)
    assert rows["side"].tolist() == [ASK, BID]
    assert rows["ts_exchange"].tolist() == [1534614057321597000, 1534614057324998000]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"event":"systemStatus","status":"online"}', "control"),
        (b'{"channelID":1,"event":"subscriptionStatus"}', "control"),
        (b"{}", "control"),
        (b'[3,["1","2"],"spread","BTC/USD"]', "unknown"),
        (b'[3,{"a":["1",2,"3"]},"ticker","BTC/USD"]', "unknown"),
        (b'[3,["1"],"ohlc-5","BTC/USD"]', "unknown"),
        (b'[3,[],"trades","BTC/USD"]', "unknown"),
        (b'[3,{},"",1]', "unknown"),
        (b"[1,2,3,4,5,6]", "unknown"),
        (b"[]", "unknown"),
        (b"1", "unknown"),
    ],
)
def test_other_messages_are_sorted_by_who_handles_them(venue, raw, kind):
    assert_same_as_naive(venue, raw)
    assert KINDS[venue.result[0]["kind"]] == kind


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (LEGACY_SNAPSHOT.replace(b"5541.3", b"5541.35"), "too precise", b'"5541.35'),
        (LEGACY_SNAPSHOT.replace(b"1.529", b"-1.529"), "negative price or volume", b'"-1.529'),
        (LEGACY_UPDATE.replace(b'"0.4",', b""), "malformed", None),
        (LEGACY_UPDATE.replace(b'"0.4",', b'"0.4"],["5541.2",'), "malformed", None),
        (LEGACY_UPDATE.replace(b'{"b"', b'{"a"'), "duplicate field", b'"a":[["5541.2"'),
        (LEGACY_UPDATE.replace(b'"974942666"', b'"c"'), "malformed", None),
        (LEGACY_UPDATE.replace(b'"974942666"', b'"0123"'), "malformed", None),
        (LEGACY_UPDATE.replace(b"BTC/USD", b"XBT/USD"), "unknown symbol", b"XBT/USD"),
        (LEGACY_TRADES.replace(b'"trade"', b'"tr\\u0061de"'), "malformed", b"\\u0061de"),
        (b'{"event":"hea\\u0072tbeat"}', "malformed", b"\\u0072tbeat"),
        (b'{"event":"a","event":"heartbeat"}', "duplicate field", b'"event":"heartbeat"}'),
        (b'[3,[],"book-10","BTC/USD"]', "malformed", b"[]"),
        (LEGACY_TRADES.replace(b'"s"', b'"S"'), "malformed", None),
        (LEGACY_TRADES.replace(b',"s","l",""', b""), "malformed", None),
    ],
)
def test_a_message_is_refused_whole_with_reason_and_place(venue, raw, reason, place):
    result = venue.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert result["count"] == 0
    if place is not None:
        assert raw[result["position"] :].startswith(place), raw[result["position"] :]


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", SESSIONS)
def test_recorded_sessions_say_what_the_naive_twin_reads(name):
    frames = [
        raw for _, raw in recorded.cryptofeed_messages(f"cryptofeed/2021-04-17_3525dc8c/{name}")
    ]
    messages = [json.loads(raw) for raw in frames]
    names = sorted({m[-1] for m in messages if isinstance(m, list)})
    venue = Venue(dict.fromkeys(names, (10, 8)) | reencode.wire_decimals(frames), v1=True)
    counts: dict[str, int] = {}
    for raw in frames:
        assert_same_as_naive(venue, raw)
        kind = KINDS[venue.result[0]["kind"]]
        counts[kind] = counts.get(kind, 0) + 1
    assert counts == SESSIONS[name]


def test_single_messages_of_many_kinds_say_what_the_naive_twin_reads():
    lines = recorded.path("crypto-msg-parser/kraken.jsonl").read_bytes().splitlines()
    venue = Venue({"XBT/USD": (5, 8), "PERP/EUR": (5, 8)}, v1=True)
    kinds = [KINDS[assert_same_as_naive(venue, line)["kind"]] for line in lines]
    assert {"trade", "snapshot", "depth", "unknown"} <= set(kinds)
    assert kinds.count("depth") == 2


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(venue):
    assert venue.decode(LEGACY_UPDATE)["status"] == decoded.OK
    assert len(legacy.decode.signatures) == 1
