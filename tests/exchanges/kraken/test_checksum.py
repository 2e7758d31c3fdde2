"""The checksum against the venue's, zlib's and the naive one; the cut to the depth."""

import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.books.book import apply_level, new_book
from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.kraken.checksum import TEXT_BYTES, checksum, truncate
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.exchanges import recorded
from tests.exchanges.guarded import Guarded
from tests.exchanges.kraken import naive, reencode
from tests.exchanges.kraken.decoding import (
    BOOK_SNAPSHOT,
    BOOK_UPDATE,
    PAIRS,
    Handler,
    Venue,
    apply,
    levels_of,
)
from tests.exchanges.naive import units

SPOT_DEPTH = 25
TEXT = Guarded(TEXT_BYTES)
ROOM = TEXT.end - TEXT_BYTES


def checksum_of(levels: dict[int, dict[int, int]]) -> int:
    with new_book() as book:
        for side, prices in levels.items():
            for price, volume in prices.items():
                apply_level(book.address, np.int64(side), np.int64(price), np.int64(volume))
        return int(checksum(book.address, ROOM))


AMOUNTS = st.integers(0, 60).flatmap(lambda bits: st.integers(1, 1 << bits))
SIDES = st.dictionaries(AMOUNTS, AMOUNTS | st.integers(1, (1 << 63) - 1), max_size=14)


@settings(max_examples=100 if JIT else 15)
@given(bids=SIDES, asks=SIDES, exponents=st.tuples(st.integers(0, 10), st.integers(0, 8)))
def test_the_digits_of_the_integers_are_the_texts_of_the_rule(bids, asks, exponents):
    """Whatever the decimals: the naive one writes texts with points and takes them out again."""
    book = naive.Book(1000)
    book.apply({BID: list(bids.items()), ASK: list(asks.items())}, snapshot=True)
    assert checksum_of({BID: bids, ASK: asks}) == book.checksum((0, *exponents))


@pytest.mark.parametrize("digits", range(1, 20))
def test_every_number_of_digits_and_their_zeros(digits):
    low = 10 ** (digits - 1)
    for number in {low, low + 1, min(10 * low - 1, (1 << 63) - 1), low + low // 10 or 1}:
        levels = {BID: {1: number}, ASK: {}}
        assert checksum_of(levels) == naive.checksum([], [("1", str(number))])


def test_an_empty_book_has_the_checksum_of_nothing():
    assert checksum_of({}) == 0


def test_the_venues_worked_examples():
    cases = json.loads(recorded.path("vectors/kraken_book_checksum.json").read_bytes())["cases"]
    for case in cases:
        exponents = case["price_precision"], case["qty_precision"]
        venue = Venue({"DOC/EXAMPLE": exponents})
        levels = {BID: case["bids"], ASK: case["asks"]}
        raw = reencode.frame("DOC/EXAMPLE", levels, True, case["crc32"], "0")
        assert Handler(venue, 10).take(raw) == (case["crc32"], case["crc32"])
    assert len(cases) == 2


@pytest.mark.parametrize(("name", "count"), [("exchanges_kraken_kraken_websocket_test.go", 16)])
def test_recorded_single_updates_match(name, count):
    """Frames of several v1 books, depth 10, each with its snapshot before it."""
    lines = recorded.path(f"gocryptotrader/{name}.jsonl").read_bytes().splitlines()
    every = recorded.path("gocryptotrader/exchanges_kraken_kraken_test.go.jsonl")
    lines = [*lines, *every.read_bytes().splitlines()]
    frames = [line for line in lines if b'"book-10"' in line]
    venue = Venue(reencode.wire_decimals(frames), v1=True)
    handler, matched = Handler(venue, 10), 0
    for raw in frames:
        made, sent = handler.take(raw)
        assert sent in (made, decoded.NO_ID)
        matched += sent == made
    assert matched == count


@pytest.mark.needs_jit
@pytest.mark.parametrize("v1", [True, False])
def test_every_checksum_of_the_recorded_session_matches(v1):
    """As recorded, and re-encoded into v2 frames; both books are equal throughout."""
    frames = reencode.legacy_frames()
    venue = Venue(reencode.wire_decimals(frames), v1=v1)
    handler = Handler(venue, reencode.SESSION_DEPTH)
    matched = unsent = 0
    for name, raw in session(frames, v1):
        made, sent = handler.take(raw)
        assert sent in (made, decoded.NO_ID), (matched, raw[:300])
        matched, unsent = matched + (sent == made), unsent + (sent == decoded.NO_ID)
        if (matched + unsent) % 50 == 0:
            handler.assert_equal(venue.symbols[name][0])
    for number, *_ in venue.symbols.values():
        handler.assert_equal(number)
    assert (matched, unsent) == ((4269, 10) if v1 else (4279, 0))


def session(frames: list[bytes], v1: bool):
    if not v1:
        return reencode.modern(frames)
    books = [raw for raw in frames if raw.startswith(b"[")]
    return ((json.loads(raw)[-1], raw) for raw in books)


@pytest.mark.needs_jit
def test_a_recorded_binance_book_reencoded_matches_through_the_cut():
    """Its levels beyond the depth are not sent, as Kraken would not."""
    venue = Venue({"BTC/USD": (2, 6)})
    handler, source = Handler(venue, SPOT_DEPTH), naive.Book(10**6)
    count = 0
    for raw in islice(recorded.collector_messages(recorded.SPOT[0]), 12_000):
        message = json.loads(raw)
        message = message.get("data", message)
        snapshot = "lastUpdateId" in message
        if not snapshot and (message.get("e") != "depthUpdate" or not source.sides[BID]):
            continue
        texts = (message.get("bids", message.get("b")), message.get("asks", message.get("a")))
        before = [dict(source.best(side)[:SPOT_DEPTH]) for side in (BID, ASK)]
        changes = {side: [_units(level) for level in texts[side]] for side in (BID, ASK)}
        source.apply(changes, snapshot)
        sent = {side: _difference(before[side], source.best(side)) for side in (BID, ASK)}
        kept = naive.Book(SPOT_DEPTH)
        kept.apply({side: source.best(side)[:SPOT_DEPTH] for side in (BID, ASK)}, snapshot=True)
        said = kept.checksum((0, 2, 6))
        first = snapshot or count == 0
        texts = {
            side: [(naive.text_of(p, 2), naive.text_of(v, 6)) for p, v in sent[side]]
            for side in (BID, ASK)
        }
        assert handler.take(reencode.frame("BTC/USD", texts, first, said, "1")) == (said, said)
        count += 1
    assert count > 200
    assert handler.cut > 50


def _units(level: list[str]) -> tuple[int, int]:
    return tuple(units(text, places) for text, places in zip(level, (2, 6), strict=False))


def _difference(before: dict[int, int], after: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What Kraken sends: new and changed levels in depth, deletes only of what is gone for good."""
    everything, best = dict(after), after[:SPOT_DEPTH]
    gone = [(price, 0) for price in before if price not in everything]
    return gone + [(price, volume) for price, volume in best if before.get(price) != volume]


# ---------------------------------------------------------------- the cut


def test_the_cut_is_appended_to_the_group_so_that_every_book_is_equal():
    venue = Venue(PAIRS)
    with new_book() as book, new_book() as downstream:
        for price in range(1, 5):
            for side, sign in ((BID, -1), (ASK, 1)):
                for each in (book, downstream):
                    apply_level(each.address, side, np.int64(1000 + sign * price), np.int64(7))
        venue.decode(BOOK_UPDATE.replace(b'"qty":0.0', b'"qty":0.1'))
        apply(book.address, venue.records[:2])
        assert truncate(book.address, np.int64(2), address_of(venue.result)) == decoded.OK
        count = int(venue.result[0]["count"])
        rows = venue.records[:count]
        assert rows["flags"].tolist() == [FIRST, *[0] * (count - 2), LAST]
        assert rows["volume"][2:].tolist() == [0] * (count - 2)
        assert rows["side"][2:].tolist() == [BID] * 3 + [ASK] * 2
        assert len({*rows["ts_exchange"].tolist()}) == len({*rows["instrument"].tolist()}) == 1
        apply(downstream.address, rows)
        for side in (BID, ASK):
            assert levels_of(book.address, side) == levels_of(downstream.address, side)
            assert len(levels_of(book.address, side)) == 2
        assert downstream.counters.groups == 1


def test_a_group_of_one_keeps_first_and_a_snapshot_stays_one():
    venue = Venue(PAIRS)
    venue.decode(BOOK_SNAPSHOT)
    with new_book() as book:
        apply(book.address, venue.records[:3])
        assert truncate(book.address, np.int64(1), address_of(venue.result)) == decoded.OK
        flags = [FIRST | SNAPSHOT, SNAPSHOT, SNAPSHOT, LAST | SNAPSHOT]
        assert venue.records["flags"][:4].tolist() == flags
        assert levels_of(book.address, BID) == [(452835, 10_000_000)]
        before = venue.records[:4].tobytes()
        assert truncate(book.address, np.int64(1), address_of(venue.result)) == decoded.OK
        assert int(venue.result[0]["count"]) == 4  # nothing more to cut
        assert venue.records[:4].tobytes() == before


@pytest.mark.parametrize("capacity", [3, 0])
def test_no_room_for_the_cut_is_said(capacity):
    venue = Venue(PAIRS)
    venue.decode(BOOK_SNAPSHOT)
    with new_book() as book:
        apply(book.address, venue.records[:3])
        venue.result[0]["capacity"], venue.result[0]["count"] = capacity, min(capacity, 3)
        status = truncate(book.address, np.int64(1), address_of(venue.result))
        assert status == decoded.TOO_MANY_LEVELS


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller():
    checksum_of({BID: {1: 1}})
    result = aligned_zeros(1, decoded.DECODED)
    with new_book() as book:
        truncate(book.address, np.int64(10), address_of(result))
    assert len(checksum.signatures) == 1
    assert len(truncate.signatures) == 1
