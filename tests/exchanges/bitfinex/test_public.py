"""The public decoder: cases, and recorded frames beside the naive twin."""

import json
from collections import Counter

import pytest

from mantra.books.book import apply_update, new_book
from mantra.exchanges import decoded
from mantra.exchanges.bitfinex import public
from mantra.exchanges.decoded import KINDS, NO_ID, STATUSES
from mantra.icc.memory import address_of
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from tests.books.both import walk
from tests.exchanges import recorded
from tests.exchanges.bitfinex.decoding import (
    BULK,
    CS,
    DELETE,
    EMPTY,
    FRAME_IDS,
    FRAMES,
    FRESH,
    HB,
    HB_ELSEWHERE,
    PAST,
    TE,
    TU,
    UPDATE,
    Connection,
    a_connection,
    assert_same_as_naive,
)


@pytest.fixture
def connection() -> Connection:
    return a_connection()


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("raw", FRAMES, ids=FRAME_IDS)
def test_a_message_says_what_the_naive_twin_reads(connection, raw):
    assert_same_as_naive(connection, raw)


def test_a_snapshot_becomes_one_flagged_group(connection):
    result = connection.decode(BULK)
    assert (KINDS[result["kind"]], result["count"], result["instrument"]) == ("snapshot", 5, 0)
    assert (result["connection_id"], result["ts_exchange"]) == (19, 1747143592992 * 10**6)
    assert result["last_id"] == NO_ID
    rows = connection.records[:5]
    assert rows["price"].tolist() == [725470000000, 70, 12, 725500000000, 725610000000]
    assert rows["volume"].tolist() == [330000000, 50000000, 10**10, 12000, 4 * 10**9]
    assert rows["side"].tolist() == [BID, BID, BID, ASK, ASK]
    assert rows["flags"].tolist() == [SNAPSHOT | FIRST, *[SNAPSHOT] * 3, SNAPSHOT | LAST]
    assert set(rows["sequence"]) == {19}


def test_the_second_list_of_a_channel_is_a_bulk_update(connection):
    kinds = [KINDS[connection.decode(BULK)["kind"]] for _ in range(3)]
    assert kinds == ["snapshot", "depth", "depth"]


def test_a_refused_snapshot_is_still_to_come(connection):
    for refused in (BULK + b"]", BULK[:-1], BULK.replace(b"7e-7", b"7e-9")):
        assert connection.decode(refused)["status"] != decoded.OK
    assert connection.decode(BULK, capacity=4)["status"] == decoded.TOO_MANY_LEVELS
    assert connection.decode(BULK)["kind"] == decoded.SNAPSHOT


def test_an_update_does_not_stand_for_the_snapshot(connection):
    assert connection.decode(UPDATE.replace(b"225206", b"17082"))["kind"] == decoded.DEPTH
    assert connection.decode(BULK)["kind"] == decoded.SNAPSHOT


def test_an_empty_snapshot_clears_the_book(connection):
    with new_book() as book:
        for raw in (BULK, EMPTY):
            connection.open(FRESH, "book", "tBTCUSD")
            for i in range(connection.decode(raw)["count"]):
                apply_update(book.address, address_of(connection.records[i : i + 1]))
        assert walk(book.address, BID) == walk(book.address, ASK) == []
        assert book.counters.groups == 2
        assert book.counters.refused == 0


def test_count_zero_deletes_on_the_side_that_the_amount_says(connection):
    result = connection.decode(DELETE)
    assert (KINDS[result["kind"]], result["count"]) == ("depth", 1)
    row = connection.records[0]
    assert [int(row[name]) for name in ("side", "price", "volume")] == [ASK, 2153, 0]
    assert row["flags"] == FIRST | LAST


@pytest.mark.parametrize(("amount", "side"), [(b"0.005", BID), (b"-0.005", ASK)])
def test_the_sign_of_a_trade_is_its_aggressor(connection, amount, side):
    result = connection.decode(TE.replace(b"0.005", amount))
    row = connection.records[:1].view(TRADE_UPDATE)[0]
    assert (row["side"], row["volume"], row["price"]) == (side, 500000, 724530000000)
    assert row["ts_exchange"] == 1574694478808 * 10**6  # of the trade
    assert result["ts_exchange"] == 1747143592994 * 10**6  # of the frame
    assert row["flags"] == FIRST | LAST


def test_a_trade_is_written_once(connection):
    result = connection.decode(TU)
    assert (result["kind"], result["count"]) == (decoded.UNKNOWN, 0)
    assert result["connection_id"] == 22  # counted all the same


def test_past_trades_are_marked(connection):
    result = connection.decode(PAST)
    rows = connection.records[: result["count"]].view(TRADE_UPDATE)
    assert rows["flags"].tolist() == [FIRST | LAST | SNAPSHOT] * 2
    assert result["ts_exchange"] == 1616217509543 * 10**6


def test_a_checksum_is_signed(connection):
    result = connection.decode(CS)
    assert (KINDS[result["kind"]], result["checksum"]) == ("checksum", -1175357890)
    assert (result["instrument"], result["connection_id"]) == (1, 25)


def test_a_heartbeat_is_one_before_its_channel_is_open(connection):
    for raw, number in ((HB, 24), (HB_ELSEWHERE, 139)):
        result = connection.decode(raw)
        assert (KINDS[result["kind"]], result["connection_id"]) == ("heartbeat", number)


@pytest.mark.parametrize(
    ("behind", "number", "time"),
    [
        (b"", NO_ID, 0),
        (b",7", 7, 0),
        (b",1747143592995", NO_ID, 1747143592995),
        (b",7,1747143592995", 7, 1747143592995),
        (b",999999999999,1000000000000", 10**12 - 1, 10**12),
        (b",7,8,1747143592995", 7, 1747143592995),
        (b',7,1747143592995,null,{"a":[1]},"x",-5', 7, 1747143592995),
    ],
)
def test_number_and_time_of_a_frame_are_told_by_their_size(connection, behind, number, time):
    for frame in (b"[225206,[215350,1,-0.07]", b'[225206,"cs",5', b'[5,"hb"', b"[11534,[1.5]"):
        assert_same_as_naive(connection, frame + behind + b"]")
        result = connection.result[0]
        assert (result["connection_id"], result["ts_exchange"]) == (number, time * 10**6)


def test_an_empty_update_changes_nothing(connection):
    assert_same_as_naive(connection, b"[225206,[],18]")
    assert (KINDS[connection.result[0]["kind"]], connection.result[0]["count"]) == ("depth", 0)


def test_columns_may_be_added(connection):
    assert_same_as_naive(connection, b'[225206,[215350,1,-0.068826,"new",[1]],18]')
    assert_same_as_naive(connection, b"[343351,[[5,6,7,8,9,null]],18]")


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"[]",
        b"[5.5,[1]]",
        b' { "code" : [1, {"event": 5}] } ',
        b'[["BTCUSD","ETHUSD"]]',
        b"[[23144,3,0.87789],[23142,3,0.27991505]]",
        b'[11534,"cs",5]',
        b'[225206,"te",[1,2,3,4]]',
        b'[343351,"cs",5]',
        b"[225206]",
        b'[225206,"cs"]',
        b'[225206,"something new",5]',
    ],
)
def test_what_is_well_formed_and_not_ours_is_unknown(connection, raw):
    assert_same_as_naive(connection, raw)
    assert connection.result[0]["kind"] == decoded.UNKNOWN


@pytest.mark.parametrize("indent", [None, 1])
def test_white_space_is_no_matter(connection, indent):
    for raw in FRAMES:
        assert_same_as_naive(connection, json.dumps(json.loads(raw), indent=indent).encode())


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (UPDATE.replace(b"215350", b"215350.000001"), "too precise", b"215350.000001"),
        (UPDATE.replace(b"-0.068826", b"-0.0688261"), "too precise", b"-0.0688261"),
        (UPDATE.replace(b"215350", b"1e17"), "too large", b"1e17"),
        (UPDATE.replace(b"215350", b"-215350"), "negative price or volume", b"-215350"),
        (UPDATE.replace(b"215350,1", b"215350,-1"), "malformed", None),
        (UPDATE.replace(b"-0.068826", b"0"), "malformed", None),
        (UPDATE.replace(b",-0.068826", b""), "malformed", b",18"),
        (UPDATE.replace(b"215350", b"0215350"), "malformed", b"0215350"),
        (UPDATE.replace(b"215350", b"null"), "malformed", b"null"),
        (UPDATE.replace(b"225206", b"225207"), "unknown symbol", UPDATE[:5].replace(b"6", b"")),
        (BULK.replace(b"[7e-7,1,0.5]", b"[]"), "malformed", None),
        (BULK.replace(b"[7e-7,1,0.5]", b"5"), "malformed", b"5,[1.2"),
        (UPDATE.replace(b"215350,1", b"215350]1"), "malformed", b"1,-0.068826"),
        (UPDATE.replace(b"1,-0", b"1]-0"), "malformed", b"-0.068826"),
        (BULK.replace(b"[7e-7,", b"[]7e-7,"), "malformed", b"7e-7,1,0.5"),
        (TE.replace(b"0.005,", b"0.005]"), "malformed", b"7245.3"),
        (TE.replace(b"1574694478808", b"-1"), "malformed", None),
        (TE.replace(b"1574694478808", b"9223372036855"), "malformed", None),
        (TE.replace(b"0.005", b"-0"), "malformed", None),
        (TE.replace(b",7245.3", b""), "malformed", None),
        (TE.replace(b'"te"', b'"t\\u0065"'), "malformed", None),
        (CS.replace(b"-1175357890", b"1.5"), "malformed", b"1.5"),
        (CS.replace(b",25,", b",25.5,"), "malformed", b"25.5"),
        (CS.replace(b"1747143592996", b"9223372036855"), "malformed", b"9223372036855"),
        (UPDATE + b"]", "malformed", None),
        (b'{"event":"info","event":"auth"}', "duplicate field", b'"event":"auth"'),
        (b"", "malformed", b""),
        (b"   ", "malformed", None),
        (b"5", "malformed", b"5"),
        (b"[5", "malformed", None),
        (b"[225206,", "malformed", None),
        (b"[" * 40 + b"]" * 40, "malformed", None),
    ],
)
def test_a_message_is_refused_whole_with_reason_and_place(connection, raw, reason, place):
    result = connection.decode(raw)
    assert STATUSES[result["status"]] == reason
    assert result["count"] == 0
    if place is not None:
        assert raw[result["position"] :].startswith(place), raw[result["position"] :]


def test_a_frame_of_an_unknown_channel_is_refused_but_counted(connection):
    result = connection.decode(UPDATE.replace(b"225206", b"5"))
    assert (STATUSES[result["status"]], result["connection_id"]) == ("unknown symbol", 18)


# ---------------------------------------------------------------- recorded frames

SESSION = "cryptofeed/2021-04-17_3525dc8c/BITFINEX.ws.11.0"
SESSION_KINDS = {
    **{"control": 23, "snapshot": 7, "depth": 1593, "trade": 7, "heartbeat": 42, "unknown": 21}
}


@pytest.mark.needs_jit
def test_the_recorded_session_is_read_whole_and_its_books_are_those_of_a_dict():
    messages = [raw for _, raw in recorded.cryptofeed_messages(SESSION)]
    answers = [json.loads(raw) for raw in messages if raw.startswith(b'{"event":"subscribed"')]
    connection = Connection({answer["symbol"]: (8, 8) for answer in answers})
    books = {number: new_book() for number, *_ in connection.symbols.values()}
    ladders: dict[int, tuple[dict, dict]] = {number: ({}, {}) for number in books}
    kinds: Counter[str] = Counter()
    last = 0
    for raw in messages:
        said = assert_same_as_naive(connection, raw)
        kinds[KINDS[said["kind"]]] += 1
        if b'"subscribed"' in raw:
            connection.take(json.loads(raw))
        elif said["kind"] != decoded.CONTROL:
            assert connection.result[0]["connection_id"] == last + 1
            last += 1
        if "levels" in said:
            apply_and_compare(connection, books[said["instrument"]], ladders, said)
    assert dict(kinds) == SESSION_KINDS
    assert sum(book.counters.updates for book in books.values()) == 1593 + 1333
    assert {book.counters.refused for book in books.values()} == {0}


def apply_and_compare(connection: Connection, book, ladders: dict, said: dict) -> None:
    """Apply what was decoded to the book, what the twin said to the dicts: the same levels."""
    for i in range(connection.result[0]["count"]):
        apply_update(book.address, address_of(connection.records) + i * L2_UPDATE.itemsize)
    sides = ladders[said["instrument"]]
    if said["kind"] == decoded.SNAPSHOT:
        sides[BID].clear()
        sides[ASK].clear()
    for side, price, volume in said["levels"]:
        sides[side].pop(price, None)
        if volume:
            sides[side][price] = volume
    for side in (BID, ASK):
        assert walk(book.address, side) == sorted(sides[side].items(), reverse=side == BID)


def test_single_messages_of_many_kinds_say_what_the_naive_twin_reads():
    """They name their channel in place of its number."""
    lines = recorded.path("crypto-msg-parser/bitfinex.jsonl").read_text().splitlines()
    connection = Connection({"tBTCUST": (8, 8), "tBTCF0:USTF0": (8, 8)})
    kinds: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        raw = line
        if line.startswith("[{"):
            answer, behind = json.JSONDecoder().raw_decode(line, 1)
            connection.take(answer | {"chanId": number})
            raw = f"[{number}{line[behind:]}"
        kinds[KINDS[assert_same_as_naive(connection, raw.encode())["kind"]]] += 1
    assert dict(kinds) == {"trade": 4, "unknown": 14, "snapshot": 2, "depth": 2}


FIXTURES = {
    "bitfinex-api-go/pkg_mux_msg_msg_test.go.jsonl": {
        **{"unknown": 58, "control": 1, "heartbeat": 2, "trade": 1, "snapshot": 1, "depth": 3}
    },
    "bitfinex-api-go/tests_integration_v2_mock_ws_public_test.go.jsonl": {
        **{"control": 4, "unknown": 1, "snapshot": 1, "depth": 1, "checksum": 1}
    },
    "bitfinex-api-go/tests_integration_v2_mock_ws_private_test.go.jsonl": {
        "control": 2,
        "unknown": 36,
    },
    "bitfinex-api-go/tests_integration_v2_reconnect_test.go.jsonl": {"control": 17, "unknown": 1},
    "gocryptotrader/exchanges_bitfinex_bitfinex_test.go.jsonl": {"control": 1, "unknown": 39},
}


@pytest.mark.parametrize("name", FIXTURES)
def test_other_clients_fixtures_say_what_the_naive_twin_reads(name):
    connection = Connection({"tBTCUSD": (8, 8)})
    books, trades, kinds = {17082, 81757}, {17470}, Counter[str]()
    for raw in recorded.path(name).read_bytes().splitlines():
        found = json.loads(raw)
        if isinstance(found, list) and len(found) > 5:
            continue  # a withdrawal, of an answer to a REST request
        first = found[0] if isinstance(found, list) and found else None
        if isinstance(first, int) and first not in connection.naive:
            channel = "book" if first in books else "trades" if first in trades else "ticker"
            connection.open(first, channel, "tBTCUSD")
        kinds[KINDS[assert_same_as_naive(connection, raw)["kind"]]] += 1
    assert dict(kinds) == FIXTURES[name]


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller(connection):
    connection.decode(UPDATE)
    assert len(public.decode.signatures) == 1
