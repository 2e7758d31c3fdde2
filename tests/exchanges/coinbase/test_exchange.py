"""Coinbase Exchange: cases, single messages, and one recorded session, whole, of both forms."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges.coinbase import exchange
from mantra.exchanges.decoded import KINDS, NO_ID, STATUSES
from mantra.messages.enums import ASK, BID, FIRST, LAST
from mantra.messages.enums import SNAPSHOT as WHOLE
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import recorded
from tests.exchanges.coinbase import session
from tests.exchanges.coinbase.decoding import (
    BOTH,
    ERROR,
    EXAMPLES,
    EXCHANGE,
    EXCHANGE_IDS,
    HEARTBEAT,
    L2UPDATE,
    LAST_MATCH,
    MATCH,
    SNAPSHOT,
    SUBSCRIBED,
    Venue,
    assert_same_as_naive,
    shuffled,
)
from tests.exchanges.coinbase.reencode import as_advanced


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue("exchange", BOTH)


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("raw", EXCHANGE, ids=EXCHANGE_IDS)
def test_a_message_says_what_the_naive_twin_reads(venue, raw):
    assert_same_as_naive(venue, raw)


def test_an_update_becomes_one_flagged_group(venue):
    result = venue.decode(L2UPDATE)
    assert (KINDS[result["kind"]], result["count"], result["instrument"]) == ("depth", 2, 0)
    assert (result["connection_id"], result["last_id"]) == (NO_ID, NO_ID)
    rows = venue.records[:2]
    assert rows["side"].tolist() == [BID, ASK]
    assert rows["price"].tolist() == [3737826, 3740000]
    assert rows["volume"].tolist() == [2460000, 0]
    assert rows["flags"].tolist() == [FIRST, LAST]
    assert set(rows["ts_exchange"]) == {1622624529_048568000}


def test_a_snapshot_is_bids_then_asks_and_has_no_time(venue):
    result = venue.decode(SNAPSHOT)
    assert (KINDS[result["kind"]], result["count"], result["bids"]) == ("snapshot", 3, 1)
    assert result["ts_exchange"] == 0
    rows = venue.records[:3]
    assert rows["price"].tolist() == [3720996, 3721277, 3721539]
    assert rows["flags"].tolist() == [WHOLE | FIRST, WHOLE, WHOLE | LAST]
    timed = SNAPSHOT[:-1] + b',"time":"2023-01-01T00:00:00Z"}'
    assert_same_as_naive(venue, timed)
    assert venue.result[0]["ts_exchange"] == 1672531200 * 10**9


def test_a_trade_has_two_numbers_and_the_side_that_took(venue):
    result = venue.decode(MATCH)
    assert (KINDS[result["kind"]], result["count"]) == ("trade", 1)
    assert (result["first_id"], result["last_id"]) == (22962703070, 147587438)
    row = venue.records[:1].view(TRADE_UPDATE)[0]
    assert (row["side"], row["price"], row["volume"]) == (BID, 5778682, 31874)  # the maker sold
    assert venue.decode(LAST_MATCH)["count"] == 1
    assert venue.records[:1].view(TRADE_UPDATE)[0]["side"] == ASK


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (HEARTBEAT, "heartbeat"),
        (SUBSCRIBED, "control"),
        (ERROR, "control"),
        (b'{"type":"status","products":[],"currencies":[]}', "control"),
        (b'{"type":"received","time":"x","product_id":"BTC-USD"}', "unknown"),
        (b'{"type":null}', "unknown"),
        (b"{}", "unknown"),
    ],
)
def test_what_is_no_market_data_is_told_apart(venue, raw, kind):
    assert_same_as_naive(venue, raw)
    assert (KINDS[venue.result[0]["kind"]], venue.result[0]["count"]) == (kind, 0)


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(
    raw=st.sampled_from(EXCHANGE), seed=st.integers(0, 1 << 30), indent=st.sampled_from([None, 1])
)
def test_keys_may_come_in_any_order_with_unknown_ones_between(raw, seed, indent):
    frame = shuffled(json.loads(raw), random.Random(seed))
    assert_same_as_naive(SHUFFLE_VENUE, json.dumps(frame, indent=indent).encode())


SHUFFLE_VENUE = Venue("exchange", BOTH)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (L2UPDATE.replace(b"37378.26", b"37378.261"), "too precise", b'"37378.261'),
        (L2UPDATE.replace(b"0.02460000", b"-0.02"), "negative price or volume", b'"-0.02'),
        (L2UPDATE.replace(b'"buy"', b'"bought"'), "malformed", b'["bought"'),
        (L2UPDATE.replace(b'"buy"', b"[]"), "malformed", b"[[]"),
        (L2UPDATE.replace(b'"37400","0"', b'"37400"'), "missing field", b"]]"),
        (L2UPDATE.replace(b'"37400","0"', b'"37400",0.0,{'), "malformed", b"]]"),
        (L2UPDATE.replace(b"BTC-USD", b"BTC-EUR"), "unknown symbol", b"BTC-EUR"),
        (L2UPDATE.replace(b'"time"', b'"t"'), "missing field", b"}"),
        (L2UPDATE.replace(b'"time"', b'"changes"'), "duplicate field", b'"changes":"2021'),
        (L2UPDATE.replace(b'"l2update"', b'"l2\\u0075pdate"'), "malformed", None),
        (SNAPSHOT.replace(b'"asks"', b'"ask"'), "missing field", b"}"),
        (SNAPSHOT.replace(b'["37209.96","0.04016376"]', b'["1"]'), "malformed", None),
        (MATCH.replace(b'"sequence"', b'"seq"'), "missing field", b"}"),
        (MATCH.replace(b"147587438", b"1475.5"), "malformed", b"1475.5"),
        (MATCH.replace(b"0.00031874", b"1e99"), "too large", b'"1e99'),
        (MATCH.replace(b'"sell"', b'"offered"'), "malformed", b'"offered"'),
        (MATCH.replace(b"03:47:27.112041Z", b"03:47:27."), "malformed", None),
        (MATCH[:-1], "malformed", b""),
        (MATCH + b",", "malformed", b","),
        (b"[1]", "malformed", b"[1]"),
    ],
)
def test_a_message_is_refused_whole_with_reason_and_place(venue, raw, reason, place):
    result = venue.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert result["count"] == 0
    if place is not None:
        assert raw[result["position"] :].startswith(place), raw[result["position"] :]


# ---------------------------------------------------------------- recorded


def test_single_messages_of_many_kinds_say_what_the_naive_twin_reads(venue):
    kinds = []
    for raw in recorded.path("crypto-msg-parser/coinbase_pro.jsonl").read_bytes().splitlines():
        assert_same_as_naive(venue, raw)
        kinds.append(KINDS[venue.result[0]["kind"]])
    # The last is an answer of the REST book: it names no product, and the socket has snapshots.
    assert kinds == ["trade", "snapshot", "depth", "unknown", "unknown", "unknown"]


@pytest.mark.needs_jit
def test_the_recorded_session_makes_the_books_that_plain_dicts_make():
    venue = Venue("exchange", session.exponents())
    kinds, groups = session.replay(venue, session.frames())
    assert kinds == {"depth": 9719, "snapshot": 10, "trade": 107, "unknown": 107, "control": 3}
    assert groups[venue.symbols["SKL-USD"][0]] == 2592 + 1
    assert sum(groups.values()) == 9729


@pytest.mark.needs_jit
def test_the_recorded_session_reencoded_as_advanced_makes_the_same_books():
    venue = Venue("advanced", session.exponents())
    kinds, groups = session.replay(venue, as_advanced(session.frames()))
    assert kinds == {"depth": 9719, "snapshot": 10, "trade": 107, "unknown": 107, "control": 3}
    assert sum(groups.values()) == 9729
    assert venue.result[0]["connection_id"] == 9719 + 10 + 107 + 107 + 3 - 1


def test_recorded_trades_of_a_product_have_no_hole_and_their_sequences_rise():
    """`last_match` is the one before the first `match`; the first may be told twice."""
    venue = Venue("exchange", session.exponents())
    last: dict[int, tuple[int, int]] = {}
    for raw in session.frames():
        if b"match" not in raw[:20]:
            continue
        result = venue.decode(raw)
        numbers = int(result["first_id"]), int(result["last_id"])
        before = last.get(int(result["instrument"]))
        if before:
            assert numbers[0] > before[0]
            assert numbers[1] == before[1] + 1
        last[int(result["instrument"])] = numbers
    assert len(last) == 10


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(venue):
    venue.decode(MATCH)
    assert len(exchange.decode.signatures) == 1
