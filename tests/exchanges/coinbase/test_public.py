"""Advanced Trade: cases, fixtures, and the recorded Exchange session re-encoded."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.exchanges.coinbase import public
from mantra.exchanges.decoded import KINDS, NO_ID, STATUSES
from mantra.messages.enums import ASK, BID, FIRST, LAST
from mantra.messages.enums import SNAPSHOT as WHOLE
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import recorded
from tests.exchanges.coinbase import naive
from tests.exchanges.coinbase.decoding import (
    ADVANCED,
    ADVANCED_IDS,
    ASK_LEVEL,
    BID_LEVEL,
    BOTH,
    CAPACITY,
    ERROR,
    EXAMPLES,
    HEARTBEATS,
    TRADES,
    TWO_EVENTS,
    UPDATE,
    Venue,
    advanced,
    assert_same_as_naive,
    event,
    shuffled,
    trade,
)


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue("advanced", BOTH)


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("raw", ADVANCED, ids=ADVANCED_IDS)
def test_a_message_says_what_the_naive_twin_reads(venue, raw):
    assert_same_as_naive(venue, raw)


def test_an_update_becomes_one_flagged_group(venue):
    result = venue.decode(UPDATE)
    assert (KINDS[result["kind"]], result["count"], result["instrument"]) == ("depth", 2, 0)
    assert (result["connection_id"], result["last_id"]) == (7, NO_ID)
    assert result["ts_exchange"] == 1775572201_456789000
    begin = result["symbol"]
    assert UPDATE[begin : begin + result["symbol_length"]] == b"BTC-USD"
    rows = venue.records[:2]
    assert rows["side"].tolist() == [BID, ASK]
    assert rows["price"].tolist() == [6890000, 6890100]
    assert rows["volume"].tolist() == [200000001, 0]
    assert rows["flags"].tolist() == [FIRST, LAST]
    assert rows["sequence"].tolist() == [7, 7]
    assert set(rows["ts_exchange"]) == {1775572201_456789000}


def test_each_event_is_a_group_and_one_snapshot_makes_the_message_one(venue):
    result = venue.decode(TWO_EVENTS)
    assert (KINDS[result["kind"]], result["count"], result["instrument"]) == ("snapshot", 4, 1)
    rows = venue.records[:4]
    assert rows["instrument"].tolist() == [0, 0, 0, 1]
    assert rows["flags"].tolist() == [WHOLE | FIRST, WHOLE, WHOLE | LAST, FIRST | LAST]


def test_trades_come_oldest_first_with_the_side_that_took(venue):
    result = venue.decode(TRADES)
    assert (KINDS[result["kind"]], result["count"], result["last_id"]) == ("trade", 3, 12)
    rows = venue.records[:3].view(TRADE_UPDATE)
    assert rows["trade_id"].tolist() == [10, 11, 12]
    assert rows["side"].tolist() == [BID, BID, ASK]  # the makers: sell, sell, buy
    assert rows["price"].tolist() == [6890050] * 3
    assert rows["volume"].tolist() == [150000] * 3
    assert (rows["ts_exchange"] - 1775572203 * 10**9).tolist() == [10**8, 5 * 10**8, 5 * 10**8]
    assert rows["flags"].tolist() == [FIRST | LAST] * 3


@pytest.mark.parametrize(
    ("numbers", "products", "times", "written"),
    [
        ((1, 2), "BB", "12", (1, 2)),
        ((2, 1), "BB", "11", (1, 2)),
        ((9, 2, 8), "BEB", "321", (8, 2, 9)),
        ((9, 2), "BE", "12", (9, 2)),
        ((2, 9), "BE", "21", (9, 2)),
        ((5, 4, 3, 2), "BBBB", "4321", (2, 3, 4, 5)),
        ((5,), "B", "1", (5,)),
    ],
)
def test_trades_newest_first_are_turned_round(venue, numbers, products, times, written):
    names = {"B": "BTC-USD", "E": "ETH-USD"}
    rows = zip(numbers, products, times, strict=True)
    found = b",".join(trade(n, names[p], "BUY", f"0{t}") for n, p, t in rows)
    raw = advanced("market_trades", b'{"type":"update","trades":[' + found + b"]}")
    assert_same_as_naive(venue, raw)
    assert venue.records[: len(written)].view(TRADE_UPDATE)["trade_id"].tolist() == list(written)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (HEARTBEATS, "heartbeat"),
        (ERROR, "control"),
        (b"{}", "control"),
        (b'{"message":"fixture"}', "control"),
        (advanced("subscriptions", b""), "control"),
        (advanced("status", b'{"type":"snapshot","products":[]}'), "control"),
        (advanced("candles", b'{"type":"update"}'), "unknown"),
        (advanced("user", b'{"type":"snapshot","orders":[]}'), "unknown"),
        (b'{"channel":5}', "unknown"),
        (b'{"events":[{"a":[]}],"channel":"ticker","timestamp":"2026-04-07T14:30:01Z"}', "unknown"),
    ],
)
def test_what_is_no_market_data_is_told_apart_and_numbered(venue, raw, kind):
    assert_same_as_naive(venue, raw)
    result = venue.result[0]
    assert (KINDS[result["kind"]], result["count"]) == (kind, 0)
    assert result["connection_id"] == (1 if b"sequence_num" in raw else NO_ID)


@pytest.mark.parametrize("raw", [advanced("l2_data", b""), advanced("market_trades", b"")])
def test_a_message_may_have_no_events(venue, raw):
    assert_same_as_naive(venue, raw)


def test_an_event_may_have_no_levels(venue):
    assert_same_as_naive(venue, advanced("l2_data", event("snapshot", "BTC-USD")))


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(
    raw=st.sampled_from(ADVANCED), seed=st.integers(0, 1 << 30), indent=st.sampled_from([None, 1])
)
def test_keys_may_come_in_any_order_with_unknown_ones_between(raw, seed, indent):
    frame = shuffled(json.loads(raw), random.Random(seed))
    assert_same_as_naive(SHUFFLE_VENUE, json.dumps(frame, indent=indent).encode())


SHUFFLE_VENUE = Venue("advanced", BOTH)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (UPDATE.replace(b"68900.00", b"68900.001"), "too precise", b'"68900.001'),
        (UPDATE.replace(b"2.00000001", b"2.000000011"), "too precise", b'"2.000000011'),
        (UPDATE.replace(b"68900.00", b"1e18"), "too large", b'"1e18'),
        (UPDATE.replace(b"2.00000001", b"-2"), "negative price or volume", b'"-2'),
        (UPDATE.replace(b"2.00000001", b"2,1"), "malformed", b',1"'),
        (UPDATE.replace(b'"bid"', b'"ask"'), "malformed", b'{"side":"ask"'),
        (UPDATE.replace(b'"bid"', b"0"), "malformed", b'{"side":0'),
        (UPDATE.replace(b'"bid"', b'"b\\u0069d"'), "malformed", None),
        (UPDATE.replace(b'"side":"bid"', b'"s":"bid"'), "missing field", b"},{"),
        (UPDATE.replace(b"new_quantity", b"quantity"), "missing field", b"},{"),
        (UPDATE.replace(b'"event_time"', b'"side"'), "duplicate field", b'"side":"2026'),
        (UPDATE.replace(b"BTC-USD", b"BTC-EUR"), "unknown symbol", b"BTC-EUR"),
        (UPDATE.replace(b'"product_id"', b'"product"'), "missing field", b"}]}"),
        (UPDATE.replace(b'"update"', b'"moo"'), "malformed", b'"moo"'),
        (UPDATE.replace(b'"type"', b'"typ"'), "missing field", b"}]}"),
        (UPDATE.replace(b'"timestamp"', b'"time"'), "missing field", b"}"),
        (UPDATE.replace(b'"sequence_num"', b'"sequence"'), "missing field", b"}"),
        (UPDATE.replace(b'"events"', b'"event"'), "missing field", b"}"),
        (UPDATE.replace(b'"client_id":""', b'"events":[]'), "duplicate field", b'"events":[{'),
        (UPDATE.replace(b":7,", b":7.0,"), "malformed", b"7.0"),
        (UPDATE.replace(b":7,", b":%d," % 10**19), "malformed", b"1000"),
        (UPDATE.replace(b"14:30:01.456789Z", b"25:30:01.456789Z"), "malformed", None),
        (UPDATE.replace(b"01.456789Z", b"01.456789+00:00"), "malformed", b"+00:00"),
        (UPDATE.replace(BID_LEVEL, b"[]"), "malformed", b"[],{"),
        (UPDATE.replace(BID_LEVEL, b"{}"), "missing field", b"},{"),
        (UPDATE[:-3] + b"],}]}", "malformed", None),
        (UPDATE + b"}", "malformed", b"}"),
        (HEARTBEATS.replace(b"timestamp", b"time"), "missing field", b"}"),
        (TRADES.replace(b'"BUY"', b'"MAKER"'), "malformed", b'"MAKER"'),
        (TRADES.replace(b'"12"', b'"12.5"'), "malformed", None),
        (TRADES.replace(b'"size"', b'"volume"'), "missing field", None),
        (TRADES.replace(b'"trades"', b'"updates"'), "missing field", None),
        (TRADES.replace(b"BTC-USD", b"BTC-EUR", 1), "unknown symbol", b"BTC-EUR"),
        (TRADES.replace(b"03.5Z", b"03.5"), "malformed", None),
        (b"", "malformed", b""),
        (b"[]", "malformed", b"[]"),
        (b'{"a":01}', "malformed", b"1}"),
        (b'{"channel":"l2_data"}', "missing field", b"}"),
    ],
)
def test_a_message_is_refused_whole_with_reason_and_place(venue, raw, reason, place):
    result = venue.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert result["count"] == 0
    if place is not None:
        assert raw[result["position"] :].startswith(place), raw[result["position"] :]


# ---------------------------------------------------------------- fixtures


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("l2_data_snapshot", "snapshot", 6),
        ("l2_data_update", "depth", 2),
        ("market_trades", "trade", 2),
        ("heartbeats", "heartbeat", 0),
        ("subscriptions", "control", 0),
        ("ticker", "unknown", 0),
        ("candles", "unknown", 0),
        ("user", "unknown", 0),
    ],
)
def test_fixtures_say_what_the_naive_twin_reads(venue, name, kind, count):
    raw = recorded.path(f"nautilus/coinbase/ws_{name}.json").read_bytes()
    assert_same_as_naive(venue, raw)
    assert_same_as_naive(venue, json.dumps(json.loads(raw), separators=(",", ":")).encode())
    assert (KINDS[venue.result[0]["kind"]], venue.result[0]["count"]) == (kind, count)


def test_incomplete_single_messages_are_refused_and_the_others_read(venue):
    """Fragments from a library's tests: most lack the timestamp that every real frame has."""
    name = "gocryptotrader/exchanges_coinbase_coinbase_test.go.jsonl"
    refused = 0
    for raw in recorded.path(name).read_bytes().splitlines():
        if venue.decode(raw)["status"] == decoded.OK:
            assert_same_as_naive(venue, raw)
        else:
            refused += 1
            with pytest.raises(naive.RefusedError):
                naive.advanced(raw, venue.symbols)
    assert refused == 5


def test_a_snapshot_of_44000_levels_is_read_whole():
    count = min(44_000, CAPACITY)
    venue = Venue("advanced", BOTH)
    levels = [BID_LEVEL.replace(b"68900", b"%d" % (i + 1)) for i in range(count // 2)]
    levels += [ASK_LEVEL.replace(b"68901", b"%d" % (i + 70_000)) for i in range(count // 2)]
    assert_same_as_naive(venue, advanced("l2_data", event("snapshot", "BTC-USD", *levels)))
    assert venue.result[0]["count"] == count


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(venue):
    venue.decode(UPDATE)
    assert len(public.decode.signatures) == 1
