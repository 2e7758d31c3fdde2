"""The public decoder: cases, recorded frames beside the naive twin, and hostile bytes."""

import ctypes
import json
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.binance import public
from mantra.exchanges.decoded import DECODED, KINDS, NO_ID, STATUSES
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables
from tests.exchanges import recorded
from tests.exchanges.binance import naive

PROT_NONE = 0
EXAMPLES = 1_500 if JIT else 60
CAPACITY = 12_000 if JIT else 3_000

DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT",'
    b'"U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],'
    b'["56854.58000000","1.5"]],"a":[["61837.64000000","1.54698000"]]}}'
)
USDM = (
    b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,'
    b'"T":1723161256298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"pu":5123107831937,'
    b'"b":[["58710.20","0.014"]],"a":[]}}'
)
TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
    b'"t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
)
AGGREGATE = (
    b'{"e":"aggTrade","E":1616176861895,"s":"BTCUSDT","a":640283266,"p":"58942.01","q":"0.000356",'
    b'"f":716849523,"l":716849523,"T":1616176861893,"m":false,"M":true}'
)
BOOK = b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.0"]],"asks":[["4.02","12"],["5","1"]]}'
TICKER = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000",'
    b'"B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}'
)
TRADES = (
    b'[{"id":28457,"price":"4.01","qty":"12.00","quoteQty":"48.000012","time":1499865549590,'
    b'"isBuyerMaker":true},{"id":28458,"price":"4.00","qty":"1","time":1499865549591,'
    b'"isBuyerMaker":false,"isBestMatch":true}]'
)
FRAMES = [DEPTH, USDM, TRADE, AGGREGATE, BOOK, TICKER, TRADES]
FRAME_IDS = ["depth", "usdm", "trade", "aggregate", "book", "ticker", "trades"]


class Venue:
    """Instruments with a decoder around them."""

    def __init__(self, exponents: dict[str, tuple[int, int]], unnamed: str = ""):
        self.tables = Tables()
        venue, asset = self.tables.add_venue("binance"), self.tables.add_asset("?", 18)
        self.symbols = {}
        for symbol, (price, volume) in exponents.items():
            facts = {"price_exponent": price, "volume_exponent": volume}
            number = self.tables.add_instrument(venue, symbol, asset, asset, **facts)
            self.symbols[symbol] = number, price, volume
        self.index = SymbolIndex(self.tables, venue)
        self.unnamed = unnamed
        self.records = aligned_zeros(CAPACITY, L2_UPDATE)
        self.result = aligned_zeros(1, DECODED)

    def decode_at(self, address: int, length: int, unnamed: str = "", capacity: int = CAPACITY):
        slot = self.index.slot(unnamed or self.unnamed) if unnamed or self.unnamed else 0
        rooms = address_of(self.records), capacity, address_of(self.result)
        status = public.decode(address, length, self.index.address, slot, *rooms)
        assert status == self.result[0]["status"]
        return self.result[0]

    def decode(self, raw: bytes, unnamed: str = "", capacity: int = CAPACITY):
        text = np.frombuffer(raw + b" ", np.uint8)
        return self.decode_at(address_of(text), len(raw), unnamed, capacity)

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        result = self.result[0]
        kind, count = int(result["kind"]), int(result["count"])
        if kind in (decoded.UNKNOWN, decoded.BOOK_TICKER):
            assert count == 0
            return {"kind": kind}
        said = {"kind": kind, "instrument": int(result["instrument"])}
        if kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
            rows = self.records[:count].view(TRADE_UPDATE)
            assert set(rows["instrument"]) == {said["instrument"]}
            names = "price", "volume", "trade_id", "side", "ts_exchange"
            return said | {"trades": [tuple(int(row[name]) for name in names) for row in rows]}
        rows = self.records[:count]
        assert int(result["bids"]) == int((rows["side"] == 0).sum())
        flags = [SNAPSHOT if kind != decoded.DEPTH else 0] * count
        if count:
            flags[0] |= FIRST
            flags[-1] |= LAST
        assert rows["flags"].tolist() == flags
        for name, value in (
            ("instrument", said["instrument"]),
            ("sequence", result["last_id"]),
            ("ts_exchange", result["ts_exchange"]),
        ):
            assert (rows[name] == value).all(), name
        columns = (rows[name].tolist() for name in ("side", "price", "volume"))
        ids = ("first_id", "last_id", "previous_id", "ts_exchange")
        return (
            said
            | {name: int(result[name]) for name in ids}
            | {"levels": list(zip(*columns, strict=True))}
        )


@pytest.fixture(scope="module")
def venue() -> Venue:
    return Venue({"BTCUSDT": (2, 6), "ETHUSDT": (2, 4)}, unnamed="BTCUSDT")


def assert_same_as_naive(venue: Venue, raw: bytes, unnamed: str = "") -> None:
    result = venue.decode(raw, unnamed)
    assert result["status"] == decoded.OK, (STATUSES[result["status"]], raw[:200])
    assert venue.said() == naive.decode(raw, venue.symbols, unnamed or venue.unnamed), raw[:200]


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
        (DEPTH.replace(b'"1.54698000"', b"1.5"), "malformed", b"1.5]]}}"),
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
        (DEPTH.replace(b'"data"', b'"data":{},"data"'), "malformed", b'"data":{"e"'),
        (DEPTH[:-1] + b',"data":{}}', "malformed", b'"data":{}}'),
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


@pytest.mark.parametrize("raw", [DEPTH, BOOK, TRADE, TRADES])
def test_more_than_the_caller_has_room_for_is_refused_and_nothing_written_behind(venue, raw):
    count = int(venue.decode(raw)["count"])
    for capacity in range(count):
        venue.records[capacity:] = 0
        result = venue.decode(raw, capacity=capacity)
        assert STATUSES[result["status"]] == "too many levels"
        assert not venue.records[capacity:].view(np.uint8).any()
    assert venue.decode(raw, capacity=count)["status"] == decoded.OK


# ---------------------------------------------------------------- hostile bytes


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_cut_at_any_byte_is_refused(venue, raw):
    text = np.frombuffer(raw, np.uint8)  # the rest lies behind the end, and must not be looked at
    for length in range(len(raw)):
        assert venue.decode_at(address_of(text), length)["status"] != decoded.OK, raw[:length]


@pytest.mark.needs_jit
@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_no_byte_behind_the_end_is_read(venue, raw):
    """The end of the text is the end of readable memory: a read behind it ends this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    pages = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(address_of(pages) + mmap.PAGESIZE)
    assert libc.mprotect(guard, mmap.PAGESIZE, PROT_NONE) == 0
    try:
        for cut in range(len(raw) + 1):
            for tail in (b"", b'"', b"{", b"\\", b"1", b'{"m":t', b'":"', b"[["):
                piece = raw[:cut] + tail
                begin = mmap.PAGESIZE - len(piece)
                pages[begin : mmap.PAGESIZE] = np.frombuffer(piece, np.uint8)
                venue.decode_at(address_of(pages) + begin, len(piece))
    finally:
        libc.mprotect(guard, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)


def assert_never_misread(venue: Venue, raw: bytes) -> None:
    """Whatever is accepted is sound JSON, and says what the naive twin reads in it."""
    result = venue.decode(raw)
    if result["status"] == decoded.OK:
        try:
            expected = naive.decode(raw, venue.symbols, venue.unnamed)
        except naive.RefusedError as error:
            raise AssertionError(f"accepted {raw!r}; the naive twin: {error}") from None
        assert venue.said() == expected, raw
    else:
        assert 0 <= result["position"] <= len(raw)
        assert result["count"] == 0


HOSTILE = b'"{}[]:,\\ -+.eE0179tfnbBaAsuU\n\x00\xff'


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    raw=st.sampled_from(FRAMES),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["replace", "insert", "delete", "copy"]),
            st.integers(0, 2000),
            st.sampled_from(HOSTILE),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_mutated_messages_are_never_misread(raw, edits):
    text = bytearray(raw)
    for edit, anywhere, byte in edits:
        place = anywhere % len(text)
        if edit == "replace":
            text[place] = byte
        elif edit == "insert":
            text.insert(place, byte)
        elif edit == "delete":
            del text[place]
        else:
            text[place:place] = text[place : place + byte % 40]
    assert_never_misread(HOSTILE_VENUE, bytes(text))


HOSTILE_VENUE = Venue({"BTCUSDT": (2, 6), "ETHUSDT": (2, 4)}, unnamed="BTCUSDT")


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(st.binary(max_size=60) | st.text(HOSTILE.decode("latin-1")).map(lambda t: t.encode()))
def test_noise_is_never_misread(raw):
    assert_never_misread(HOSTILE_VENUE, raw)


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
    assert kinds == set(KINDS) - {"trade"}


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(venue):
    venue.decode(DEPTH)
    assert len(public.decode.signatures) == 1
