"""Bitstamp's public decoder: cases, and what is refused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.exchanges.decoded import KINDS, NO_ID, STATUSES
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges.binance.decoding import EXAMPLES
from tests.exchanges.bitstamp.decoding import (
    ANSWER,
    BEAT,
    DETAIL,
    DIFF,
    FRAME_IDS,
    FRAMES,
    OLD_TRADE,
    ORDER,
    PARTIAL,
    RECONNECT,
    SUBSCRIBED,
    TRADE,
    Venue,
    assert_same_as_naive,
)

PAIRS = {"BTCUSD": (2, 8), "ETHUSD": (1, 8)}


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue(PAIRS, unnamed="btcusd")


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_says_what_the_naive_twin_reads(venue, raw):
    assert_same_as_naive(venue, raw)


KIND_OF = {
    "diff": "depth",
    "trade": "trade",
    "old_trade": "trade",
    "partial": "partial depth",
    "detail": "partial depth",
    "answer": "snapshot",
    "order": "unknown",
    "subscribed": "control",
    "beat": "heartbeat",
    "reconnect": "control",
}


@pytest.mark.parametrize(("name", "raw"), list(zip(FRAME_IDS, FRAMES, strict=True)), ids=FRAME_IDS)
def test_each_message_is_of_its_kind(venue, name, raw):
    assert KINDS[venue.decode(raw)["kind"]] == KIND_OF[name]


def test_a_diff_becomes_one_flagged_group(venue):
    result = venue.decode(DIFF)
    assert (result["count"], result["bids"], result["instrument"]) == (3, 2, 0)
    assert (result["first_id"], result["last_id"]) == (NO_ID, 1618677692795262)
    assert (result["previous_id"], result["checksum"]) == (NO_ID, NO_ID)
    assert result["ts_exchange"] == 1618677692795262000
    begin = result["symbol"]
    assert DIFF[begin : begin + result["symbol_length"]] == b"btcusd"
    rows = venue.records[:3]
    assert rows["side"].tolist() == [BID, BID, ASK]
    assert rows["price"].tolist() == [6048565, 6048560, 6056451]
    assert rows["volume"].tolist() == [0, 150_000_000, 47_645_381]
    assert rows["flags"].tolist() == [FIRST, 0, LAST]
    assert set(rows["sequence"].tolist()) == {1618677692795262}


@pytest.mark.parametrize("raw", [PARTIAL, ANSWER])
def test_what_is_no_diff_replaces_the_book(venue, raw):
    venue.decode(raw)
    assert venue.records[:3]["flags"].tolist() == [SNAPSHOT | FIRST, SNAPSHOT, SNAPSHOT | LAST]


@pytest.mark.parametrize(
    ("raw", "trade"),
    [
        (TRADE, (380544, 7920000, 216000477, BID, 1641343699596000000)),
        (OLD_TRADE, (5774880, 1, 158457579, ASK, 1616297318187000000)),
    ],
)
def test_a_trades_type_is_the_taker(venue, raw, trade):
    assert venue.decode(raw)["ts_exchange"] == trade[-1]
    row = venue.records[:1].view(TRADE_UPDATE)[0]
    names = "price", "volume", "trade_id", "side", "ts_exchange"
    assert tuple(int(row[name]) for name in names) == trade


def test_an_answer_is_of_the_pair_asked_for(venue):
    assert_same_as_naive(
        venue, ANSWER.replace(b'.13"', b'.1"').replace(b".11", b"").replace(b".64", b""), "ethusd"
    )
    assert venue.result[0]["instrument"] == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b" [1, 2] ",
        b'"text"',
        b'{"status":"error","reason":"x","code":"API0017"}',
        b'{"timestamp":"1","open":"1","high":"2"}',
        DIFF.replace(b'"data"}', b'"other"}'),
        DIFF.replace(b"diff_order_book", b"funding_rate"),
        DIFF.replace(b"diff_order_book_", b"my_diff_order_book_"),
        DIFF.replace(b"diff_order_book_btcusd", b"diff_order_book_"),
        DIFF.replace(b'"channel":"diff_order_book_btcusd",', b""),
        TRADE.replace(b'"trade"', b'"data"'),
        BEAT.replace(b"bts:heartbeat", b"bts:heartbeaX"),
        BEAT.replace(b"bts:heartbeat", b"bts"),
        SUBSCRIBED.replace(b"btcusd", b"nosuchpair"),
    ],
)
def test_what_is_well_formed_and_not_ours_has_no_records(venue, raw):
    assert_same_as_naive(venue, raw)
    assert venue.result[0]["kind"] in (decoded.UNKNOWN, decoded.CONTROL)


REFUSED = [
    (DIFF.replace(b"btcusd", b"xrpusd"), "unknown symbol", b"xrpusd"),
    (DIFF.replace(b'"60485.60"', b'"60485.605"'), "too precise", b'"60485.605"'),
    (DIFF.replace(b'"1.5"', b'"-1.5"'), "negative price or volume", b'"-1.5"'),
    (DIFF.replace(b'"1.5"', b'"1e30"'), "too large", b'"1e30"'),
    (DIFF.replace(b'"bids"', b'"asks"'), "duplicate field", b'"asks":[["60564'),
    (DIFF.replace(b'"event"', b'"channel"'), "duplicate field", b'"channel":"data"'),
    (DIFF.replace(b'"bids"', b'"bid"'), "missing field", b"}"),
    (DIFF.replace(b'"microtimestamp"', b'"micro"'), "missing field", b"}"),
    (DIFF.replace(b',"event":"data"', b""), "missing field", b"}"),
    (DIFF.replace(b'"data":{', b'"date":{'), "missing field", b"}"),
    (DIFF.replace(b'"1618677692795262"', b'"-1"'), "malformed", b'"-1"'),
    (DIFF.replace(b'"1618677692795262"', b"1.5"), "malformed", b"1.5"),
    (DIFF.replace(b'"1618677692795262"', b'"9223372036854776"'), "malformed", b'"9223372036854776'),
    (TRADE.replace(b'"type":0', b'"type":2'), "malformed", b"2,"),
    (TRADE.replace(b'"price_str"', b'"price_txt"'), "missing field", b"}"),
    (TRADE.replace(b'"0.07920000"', b'"0.079200001"'), "too precise", b'"0.079200001"'),
    (DIFF.replace(b"diff_order", b"diff\\u005forder"), "malformed", b"\\u005f"),
    (DIFF.replace(b'"diff_order_book_btcusd"', b"7"), "malformed", b"7,"),
    (DIFF.replace(b'"event":"data"', b'"event":1'), "malformed", b"1}"),
    (DIFF + b"x", "malformed", b"x"),
]


@pytest.mark.parametrize(("raw", "reason", "place"), REFUSED)
def test_what_is_wrong_is_refused_with_its_reason_and_place(venue, raw, reason, place):
    result = venue.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert raw[result["position"] :].startswith(place)
    assert result["count"] == 0


def test_answers_to_nobody_and_too_many_levels_are_refused(venue):
    nobody = Venue(PAIRS)
    assert STATUSES[nobody.decode(ANSWER)["status"]] == "unknown symbol"
    assert nobody.result[0]["kind"] == decoded.SNAPSHOT
    assert STATUSES[venue.decode(DIFF, capacity=2)["status"]] == "too many levels"


@pytest.mark.parametrize(
    "raw",
    [
        # The channel is not where the venue puts it: a wrong guess must not count.
        DIFF[:-1] + b',"more":{"channel":"diff_order_book_ethusd"}}',
        DIFF[:-1] + b',"more":{"channel":"live_trades_btcusd","a":1}}',
        DIFF[:-1] + b',"more":"\\"channel\\":\\"x"}',
        DIFF[:-1] + b',"' + b"x" * 300 + b'":0}',
        b'{"x":{"channel":"diff_order_book_ethusd"},' + DIFF[1:],
        b'{"event":"data","channel":"diff_order_book_btcusd",'
        + DIFF[1 : DIFF.index(b',"chan')]
        + b"}",
    ],
)
def test_the_pair_is_the_channels_wherever_it_stands(venue, raw):
    assert_same_as_naive(venue, raw)
    result = venue.result[0]
    assert (result["kind"], result["instrument"], result["count"]) == (decoded.DEPTH, 0, 3)


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(data=st.data())
def test_keys_may_come_in_any_order_with_unknown_ones_between(data):
    frame = json.loads(data.draw(st.sampled_from([DIFF, TRADE, PARTIAL, DETAIL, ORDER, BEAT])))
    extra = {"zz": {"channel": [1, "}"]}, "new": "a\\u0062", "x": None}
    if frame["data"]:
        frame["data"] = _shuffled(data, frame["data"] | extra)
    spaced = data.draw(st.sampled_from([None, 1]))
    raw = json.dumps(_shuffled(data, frame | extra), indent=spaced).encode()
    assert_same_as_naive(Venue(PAIRS, unnamed="btcusd"), raw)


def test_an_answers_keys_may_come_in_any_order(venue):
    frame = json.loads(ANSWER)
    for key in frame:
        raw = json.dumps({key: frame[key]} | frame | {"new": 1}).encode()
        assert_same_as_naive(venue, raw)
    assert venue.decode(RECONNECT)["kind"] == decoded.CONTROL


def _shuffled(data: st.DataObject, mapping: dict) -> dict:
    return {key: mapping[key] for key in data.draw(st.permutations(list(mapping)))}
