"""The public decoder: cases, and recorded frames beside the naive twin."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import decoded
from mantra.exchanges.binance import public
from mantra.exchanges.decoded import KINDS, NO_ID, STATUSES
from mantra.messages.enums import FIRST, LAST
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import recorded
from tests.exchanges.binance.decoding import (
    BOOK,
    DEPTH,
    EXAMPLES,
    FRAME_IDS,
    FRAMES,
    TICKER,
    TRADE,
    TRADES,
    USDM,
    Venue,
    assert_same_as_naive,
)


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue({"BTCUSDT": (2, 6), "ETHUSDT": (2, 4)}, unnamed="BTCUSDT")


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_says_what_the_naive_twin_reads(venue, raw):
    assert_same_as_naive(venue, raw)


def test_a_depth_message_becomes_one_flagged_group(venue):
    result = venue.decode(DEPTH)
    assert (KINDS[result["kind"]], result["count"], result["bids"]) == ("depth", 3, 2)
    assert (result["first_id"], result["last_id"]) == (50093239189, 50093239202)
    assert result["previous_id"] == NO_ID
    assert result["ts_exchange"] == 1723161255208 * 10**6
    begin = result["symbol"]
    assert DEPTH[begin : begin + result["symbol_length"]] == b"BTCUSDT"
    rows = venue.records[:3]
    assert rows["price"].tolist() == [6173763, 5685458, 6183764]
    assert rows["volume"].tolist() == [0, 1_500_000, 1_546_980]
    assert rows["flags"].tolist() == [FIRST, 0, LAST]


def test_futures_say_the_id_before_theirs(venue):
    assert venue.decode(USDM)["previous_id"] == 5123107831937


@pytest.mark.parametrize(("maker", "side"), [(b"true", 1), (b"false", 0)])
def test_the_aggressor_is_whoever_is_not_the_maker(venue, maker, side):
    venue.decode(TRADE.replace(b'"m":true', b'"m":' + maker))
    assert venue.records[:1].view(TRADE_UPDATE)["side"] == side


def test_a_partial_depth_stream_is_no_diff_and_no_snapshot(venue):
    for raw in (
        DEPTH.replace(b"@depth@100ms", b"@depth20@100ms"),
        b'{"stream":"btcusdt@depth5","data":' + BOOK + b"}",
    ):
        assert_same_as_naive(venue, raw)
        assert venue.result[0]["kind"] == decoded.PARTIAL_DEPTH


def test_a_snapshot_of_a_stream_is_of_the_streams_symbol(venue):
    raw = b'{"stream":"ethusdt@depth20","data":' + BOOK.replace(b"4.02", b"4.2") + b"}"
    assert_same_as_naive(venue, raw)
    assert venue.result[0]["instrument"] == 1


def test_times_in_microseconds_are_told_by_their_size(venue):
    venue.decode(DEPTH.replace(b"1723161255208", b"1723161255208123"))
    assert venue.result[0]["ts_exchange"] == 1723161255208123 * 1000


@pytest.mark.parametrize(
    "raw",
    [
        b'{"result":null,"id":312}',
        b"{}",
        b"[]",
        b' [1, {"a": [true, false, null]}, "x\\u00e9\\n", -0.5e+7] ',
        b'"text"',
        b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}}',
        b'{"stream":"!ticker@arr","data":[{"e":"24hrTicker"}]}',
        b'{"e":"serverShutdown","E":1770123456789}',
    ],
)
def test_what_is_well_formed_and_not_ours_is_unknown(venue, raw):
    assert_same_as_naive(venue, raw)
    assert venue.result[0]["kind"] == decoded.UNKNOWN


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(data=st.data())
def test_keys_may_come_in_any_order_with_unknown_ones_between(data):
    venue = Venue({"BTCUSDT": (2, 6)}, unnamed="BTCUSDT")
    frame = json.loads(data.draw(st.sampled_from([DEPTH, USDM, TRADE, TICKER])))
    message = frame["data"] | {"zz": {"b": [1, "}"]}, "new": "a\\u0062", "x": None}
    frame = {"stream": frame["stream"], "extra": [{}], "data": _shuffled(data, message)}
    spaced = data.draw(st.sampled_from([None, 1]))
    assert_same_as_naive(venue, json.dumps(_shuffled(data, frame), indent=spaced).encode())
    if "u" not in message or "e" in message:
        assert_same_as_naive(venue, json.dumps(frame["data"], indent=spaced).encode())


def _shuffled(data: st.DataObject, mapping: dict) -> dict:
    return {key: mapping[key] for key in data.draw(st.permutations(list(mapping)))}


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (DEPTH.replace(b"61837.64000000", b"61837.64000001"), "too precise", b'"61837.64000001'),
        (DEPTH.replace(b"1.54698000", b"1.5469801"), "too precise", b'"1.5469801'),
        (DEPTH.replace(b"61837.64000000", b"1e17"), "too large", b'"1e17'),
        (DEPTH.replace(b"1.54698000", b"-1"), "negative price or volume", b'"-1'),
        (DEPTH.replace(b"1.54698000", b"1,5"), "malformed", b',5"'),
        (DEPTH.replace(b'"1.54698000"', b"01.5"), "malformed", b"01.5]]}}"),
        (DEPTH.replace(b'"BTCUSDT"', b'"BTCEUR"'), "unknown symbol", b"BTCEUR"),
        (DEPTH.replace(b'"E":17', b'"x":17'), "missing field", None),
        (DEPTH.replace(b'"b"', b'"x"'), "missing field", None),
        (DEPTH.replace(b'"U"', b'"u"'), "duplicate field", b'"u":50093239202'),
        (DEPTH.replace(b"50093239202", b"50093239202.0"), "malformed", b"50093239202.0"),
        (DEPTH.replace(b"50093239202", b"9" * 20), "malformed", b"9" * 20),
        (DEPTH.replace(b'"E":1', b'"E":-1'), "malformed", None),
        (DEPTH.replace(b'"E":1', b'"E":11'), "malformed", None),
        (DEPTH + b"}", "malformed", None),
        (DEPTH.replace(b"]]}}", b"],]}}"), "malformed", b"]}}"),
        (DEPTH.replace(b'"data"', b'"data":{},"data"'), "duplicate field", b'"data":{"e"'),
        (DEPTH[:-1] + b',"data":{}}', "duplicate field", b'"data":{}}'),
        (DEPTH.replace(b'"a":', b'"\\u0061":'), "malformed", None),
        (TRADE.replace(b'"m":true', b'"m":1'), "malformed", b'1,"M"'),
        (TRADE.replace(b'"q"', b'"Q"'), "missing field", None),
        (TRADES.replace(b'"id":28458', b'"di":28458'), "malformed", None),
        (b"", "malformed", b""),
        (b"   ", "malformed", None),
        (b"{'a':1}", "malformed", b"'a'"),
        (b'{"a":01}', "malformed", b"1}"),
        (b'{"a":"\n"}', "malformed", b"\n"),
        (b'{"a":"\\x"}', "malformed", b'x"'),
        (b"[" * 40 + b"]" * 40, "malformed", None),
    ],
)
def test_a_message_is_refused_whole_with_reason_and_place(venue, raw, reason, place):
    result = venue.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert result["count"] == 0
    if place is not None:
        assert raw[result["position"] :].startswith(place), raw[result["position"] :]


def test_a_snapshot_that_names_no_symbol_needs_one_from_the_caller():
    venue = Venue({"BTCUSDT": (2, 6)})
    assert STATUSES[venue.decode(BOOK)["status"]] == "unknown symbol"
    assert venue.decode(BOOK, "BTCUSDT")["count"] == 3


# ---------------------------------------------------------------- recorded frames


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("name", "exponents", "every"),
    [
        (recorded.SPOT[0], (2, 6), 7),
        (recorded.SPOT[1], (2, 6), 7),
        (recorded.USDM, (1, 3), 11),
        (recorded.HISTORY, (2, 6), 1),
    ],
)
def test_recorded_collector_messages_say_what_the_naive_twin_reads(name, exponents, every):
    """All messages are decoded; of the longer files one in `every` is compared."""
    venue = Venue({"BTCUSDT": exponents}, unnamed="BTCUSDT")
    for number, raw in enumerate(recorded.collector_messages(name)):
        if number % every == 0 or raw.startswith(b'{"last'):
            assert_same_as_naive(venue, raw)
        else:
            assert venue.decode(raw)["status"] == decoded.OK


CRYPTOFEED = {
    "cryptofeed/2021-04-17_3525dc8c/BINANCE.http.0.0": {"snapshot": 10},
    "cryptofeed/2021-04-17_3525dc8c/BINANCE.ws.1.0": {"depth": 614, "aggregate trade": 24},
    "cryptofeed/2021-04-17_3525dc8c/BINANCE_US.ws.3.0": {"depth": 807, "aggregate trade": 18},
    "cryptofeed/2021-04-04_29970208/BINANCE-ee25be.0": {
        **{"depth": 2688, "aggregate trade": 1910, "snapshot": 3, "unknown": 118}
    },
}


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", CRYPTOFEED)
def test_recorded_cryptofeed_messages_say_what_the_naive_twin_reads(name):
    messages = list(recorded.cryptofeed_messages(name))
    symbols = {symbol for symbol, _ in messages if symbol}
    for _, raw in messages:
        found = json.loads(raw)
        symbols |= {found.get("data", found).get("s", "")} - {""}
    venue = Venue(dict.fromkeys(sorted(symbols), (8, 8)))
    counts: dict[str, int] = {}
    for symbol, raw in messages:
        assert_same_as_naive(venue, raw, symbol)
        kind = KINDS[venue.result[0]["kind"]]
        counts[kind] = counts.get(kind, 0) + 1
    assert counts | CRYPTOFEED[name] == counts


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [("depth_response.json", "snapshot", 2), ("trades_response.json", "trade", 1)],
)
def test_answers_to_rest_requests_say_what_the_naive_twin_reads(name, kind, count):
    raw = recorded.path(f"nautilus/binance-spot/http_json/{name}").read_bytes()
    venue = Venue({"LTCBTC": (6, 8)}, unnamed="LTCBTC")
    assert_same_as_naive(venue, raw)
    assert (KINDS[venue.result[0]["kind"]], venue.result[0]["count"]) == (kind, count)


def test_single_messages_of_many_kinds_say_what_the_naive_twin_reads():
    lines = recorded.path("crypto-msg-parser/binance.jsonl").read_bytes().splitlines()
    found = [json.loads(line) for line in lines]
    names = [m.get("data", m) for m in found]
    symbols = {m.get("s", m.get("symbol")) for m in names if isinstance(m, dict)} - {None}
    venue = Venue(dict.fromkeys(sorted(symbols), (8, 8)), unnamed="BTCUSDT")
    kinds = set()
    for line in lines:
        assert_same_as_naive(venue, line)
        kinds.add(KINDS[venue.result[0]["kind"]])
    assert kinds == set(KINDS) - {"trade", "checksum", "heartbeat", "control"}


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(venue):
    venue.decode(DEPTH)
    assert len(public.decode.signatures) == 1
