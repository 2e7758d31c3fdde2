"""The v2 decoder: cases, and recorded frames beside the naive twin."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.exchanges.decoded import KINDS, STATUSES
from mantra.exchanges.kraken import public
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import recorded
from tests.exchanges.kraken.decoding import (
    ANSWER,
    BOOK_SNAPSHOT,
    BOOK_UPDATE,
    EXAMPLES,
    FRAME_IDS,
    FRAMES,
    HEARTBEAT,
    PAIRS,
    SPACED,
    TRADES,
    Venue,
    assert_same_as_naive,
)


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue(PAIRS)


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_says_what_the_naive_twin_reads(venue, raw):
    assert_same_as_naive(venue, raw)


def test_a_snapshot_becomes_one_flagged_group(venue):
    result = venue.decode(BOOK_SNAPSHOT)
    assert (KINDS[result["kind"]], result["count"]) == ("snapshot", 3)
    assert (result["checksum"], result["instrument"]) == (3310070434, 0)
    assert result["ts_exchange"] == 1696613755440295000
    begin = result["symbol"]
    assert BOOK_SNAPSHOT[begin : begin + result["symbol_length"]] == b"BTC/USD"
    rows = venue.records[:3]
    assert rows["side"].tolist() == [BID, BID, ASK]
    assert rows["price"].tolist() == [452835, 452834, 452852]
    assert rows["volume"].tolist() == [10_000_000, 154_582_015, 100_000]
    assert rows["flags"].tolist() == [FIRST | SNAPSHOT, SNAPSHOT, LAST | SNAPSHOT]


def test_a_price_that_comes_twice_keeps_its_order(venue):
    venue.decode(BOOK_UPDATE)
    assert venue.records["price"][:2].tolist() == [164025, 164025]
    assert venue.records["volume"][:2].tolist() == [0, 250_000_000]


def test_trades_say_the_takers_side(venue):
    result = venue.decode(TRADES)
    assert (KINDS[result["kind"]], result["count"]) == ("trade", 2)
    rows = venue.records[:2].view(TRADE_UPDATE)
    assert rows["side"].tolist() == [BID, ASK]
    assert rows["trade_id"].tolist() == [10218208, 10218209]
    assert rows["price"].tolist() == [1059442, 1059105]
    assert rows["volume"].tolist() == [27625, 12460]
    assert rows["ts_exchange"].tolist() == [1696613755440295000, 1696613756123456000]


def test_several_symbols_in_one_message_are_several_groups(venue):
    raw = BOOK_SNAPSHOT[:-2] + b"," + BOOK_UPDATE[BOOK_UPDATE.index(b'{"sym') :]
    assert_same_as_naive(venue, raw)
    assert venue.records["instrument"][:5].tolist() == [0, 0, 0, 1, 1]
    assert (venue.records["flags"][:5] & (FIRST | LAST)).tolist() == [FIRST, 0, LAST, FIRST, LAST]
    assert venue.result[0]["instrument"] == 1


def test_an_empty_snapshot_is_one_record_without_a_level(venue):
    raw = BOOK_UPDATE.replace(b'"update"', b'"snapshot"')
    raw = raw[: raw.index(b'"bids"')] + b'"bids":[],' + raw[raw.index(b'"asks"') :]
    assert_same_as_naive(venue, raw)
    row = venue.records[0]
    assert (row["price"], row["volume"], row["flags"]) == (0, 0, FIRST | LAST | SNAPSHOT)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (HEARTBEAT, "heartbeat"),
        (ANSWER, "control"),
        (b'{"error":"Currency pair not supported X/Y","method":"subscribe"}', "control"),
        (b'{"error":"Malformed request","success":false}', "control"),
        (b'{"method":"pong","req_id":42}', "control"),
        (b'{"channel":"status","type":"update","data":[{"system":"online"}]}', "control"),
        (b'{"channel":"instrument","type":"snapshot","data":{"pairs":[]}}', "control"),
        (b'{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD"}]}', "unknown"),
        (b'{"channel":"heartbeats"}', "unknown"),
        (b'{"channel":"level3","type":"update","data":[]}', "unknown"),
        (b"{}", "control"),
    ],
)
def test_other_messages_are_sorted_by_who_handles_them(venue, raw, kind):
    assert_same_as_naive(venue, raw)
    assert KINDS[venue.result[0]["kind"]] == kind


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(data=st.data())
def test_keys_may_come_in_any_order_with_unknown_ones_between(data):
    raw = data.draw(st.sampled_from([BOOK_SNAPSHOT, BOOK_UPDATE, SPACED, TRADES]))
    message = json.loads(raw, parse_float=lambda text: text) | {"x": {"data": [1, "}]"]}}
    items = [_shuffled(data, item | {"zz": [{}], "new": "a\\u0062"}) for item in message["data"]]
    spaced = data.draw(st.sampled_from([None, 1]))
    text = json.dumps(_shuffled(data, message | {"data": items}), indent=spaced)
    assert_same_as_naive(SHUFFLED_VENUE, text.encode())


SHUFFLED_VENUE = Venue(PAIRS)


def _shuffled(data: st.DataObject, mapping: dict) -> dict:
    return {key: mapping[key] for key in data.draw(st.permutations(list(mapping)))}


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (BOOK_UPDATE.replace(b"1640.25", b"1640.251"), "too precise", b"1640.251"),
        (BOOK_UPDATE.replace(b"2.5}", b"2.000000001}"), "too precise", b"2.000000001"),
        (BOOK_UPDATE.replace(b"2.5}", b"1e12}"), "too large", b"1e12"),
        (BOOK_UPDATE.replace(b"2.5}", b"-2.5}"), "negative price or volume", b"-2.5"),
        (BOOK_UPDATE.replace(b"2.5}", b"02.5}"), "malformed", b"02.5"),
        (BOOK_UPDATE.replace(b"2.5}", b"2.5"), "malformed", None),
        (BOOK_UPDATE.replace(b"2.5}", b"null}"), "malformed", b"null"),
        (BOOK_UPDATE.replace(b"ETH/USD", b"ETH/EUR"), "unknown symbol", b"ETH/EUR"),
        (BOOK_UPDATE.replace(b'"qty":2.5', b'"qt":2.5'), "missing field", b"}]"),
        (BOOK_UPDATE.replace(b'"asks"', b'"ask"'), "missing field", b"}]}"),
        (BOOK_UPDATE.replace(b'"checksum"', b'"check"'), "missing field", b"}]}"),
        (BOOK_UPDATE.replace(b'"data"', b'"date"'), "missing field", b"}"),
        (BOOK_UPDATE.replace(b'"update"', b'"delta"'), "missing field", b"}"),
        (BOOK_UPDATE.replace(b'"asks"', b'"bids"'), "duplicate field", b'"bids":[],'),
        (BOOK_UPDATE.replace(b'"qty":2.5', b'"price":2'), "duplicate field", b'"price":2}'),
        (BOOK_UPDATE.replace(b'"checksum":0', b'"checksum":0.5'), "malformed", b"0.5"),
        (BOOK_UPDATE.replace(b'"checksum":0', b'"checksum":' + b"9" * 19), "malformed", None),
        (BOOK_UPDATE.replace(b"-10-06", b"-13-06"), "malformed", None),
        (BOOK_UPDATE.replace(b"[],", b"[{}],"), "missing field", b"}]"),
        (BOOK_UPDATE + b"}", "malformed", b"}"),
        (TRADES.replace(b'"sell"', b'"take"'), "malformed", b'"take"'),
        (TRADES.replace(b"10218208", b"1.5"), "malformed", b"1.5"),
        (TRADES.replace(b'"qty":0.00012460', b'"q":1'), "missing field", None),
        (TRADES.replace(b'"trade_id"', b'"id"'), "missing field", None),
        (HEARTBEAT.replace(b"hea", b"\\u0068ea"), "malformed", b"\\u"),
        (b"[]", "malformed", b"[]"),
        (b"", "malformed", b""),
        (b"{", "malformed", b""),
        (b'{"channel"', "malformed", b""),
    ],
)
def test_a_message_is_refused_whole_with_reason_and_place(venue, raw, reason, place):
    result = venue.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert result["count"] == 0
    if place is not None:
        assert raw[result["position"] :].startswith(place), raw[result["position"] :]


# ---------------------------------------------------------------- recorded frames


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("ws_book_snapshot", "snapshot", 6),
        ("ws_book_update", "depth", 1),
        ("ws_trade_update", "trade", 2),
        ("ws_pong", "control", 0),
        ("ws_subscribe_response", "control", 0),
        ("ws_ticker_snapshot", "unknown", 0),
        ("ws_ohlc_update", "unknown", 0),
        ("ws_l3_snapshot", "unknown", 0),
        ("ws_l3_update_add", "unknown", 0),
        ("ws_l3_update_delete", "unknown", 0),
        ("ws_add_order_response_failure", "control", 0),
        ("ws_futures_trade", "control", 0),
        ("ws_futures_book_delta", "control", 0),
    ],
)
def test_recorded_messages_say_what_the_naive_twin_reads(venue, name, kind, count):
    raw = recorded.path(f"nautilus/kraken/{name}.json").read_bytes()
    assert_same_as_naive(venue, raw)
    assert (KINDS[venue.result[0]["kind"]], venue.result[0]["count"]) == (kind, count)


def test_the_recorded_instrument_snapshot_is_for_the_session(venue):
    raw = recorded.path("kraken-data-recorder/instrument_snapshot.json").read_bytes()
    assert_same_as_naive(venue, raw)
    assert venue.result[0]["kind"] == decoded.CONTROL


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(venue):
    venue.decode(BOOK_UPDATE)
    assert len(public.decode.signatures) == 1
