"""One message after the other through the feed: what it publishes, keeps, refuses and says."""

import json

import numpy as np
import pytest

from mantra.books.book import best_price, level_price, level_volume, levels
from mantra.exchanges import bridging
from mantra.market_data import take as module
from mantra.market_data.take import BROKEN, KEEP, NOTHING, REFUSED
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.exchanges import recorded
from tests.exchanges.simulated.sink import NaiveBook
from tests.market_data.desk import FeedDesk

BTC, ETH = 0, 1


def diff(first: int, last: int, bids=(), asks=(), symbol="BTCUSDT") -> bytes:
    data = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": symbol, "U": first, "u": last}
    data |= {"b": [[str(p), str(v)] for p, v in bids], "a": [[str(p), str(v)] for p, v in asks]}
    return json.dumps({"stream": f"{symbol.lower()}@depth", "data": data}).encode()


def snapshot(last: int, bids=(), asks=()) -> bytes:
    sides = {
        "bids": [[str(p), str(v)] for p, v in bids],
        "asks": [[str(p), str(v)] for p, v in asks],
    }
    return json.dumps({"lastUpdateId": last, **sides}).encode()


TRADE = (
    b'{"stream":"ethusdt@trade","data":{"e":"trade","E":1,"s":"ETHUSDT","t":7,"p":"20.5","q":"1.5",'
    b'"T":1723161255342,"m":true}}'
)


@pytest.fixture
def desk():
    with FeedDesk({"binance": {"BTCUSDT": (2, 5), "ETHUSDT": (1, 1)}}) as desk:
        desk.feed.open(0, "binance", 0, bridged=True)
        desk.feed.ask(0, BTC)
        desk.feed.ask(0, ETH)
        yield desk


@pytest.fixture
def live(desk):
    assert desk.feed.take(0, diff(5, 6, [(99, 1)]), 1) == KEEP
    assert desk.feed.take(0, snapshot(5, [(98, 1), (97, 2)], [(101, 3)]), 2, BTC) == NOTHING
    assert desk.feed.take(0, diff(5, 6, [(99, 1)]), 3) == NOTHING
    assert desk.feed.phase(BTC) == "live"
    return desk


def counts(desk, *names: str) -> list[int]:
    return [int(desk.feed.followed[BTC][name]) for name in names]


def test_changes_wait_for_their_base_and_join_it(live):
    rows = live.told("l2")
    assert rows["price"].tolist() == [9800, 9700, 10100, 9900]
    assert rows["flags"].tolist() == [SNAPSHOT | FIRST, SNAPSHOT, SNAPSHOT | LAST, FIRST | LAST]
    assert rows["ts_origin"].tolist() == [2, 2, 2, 3]
    assert best_price(live.feed.book(BTC), BID) == 9900
    assert live.events() == []
    assert counts(live, "levels", "gaps", "illegal", "old") == [4, 0, 0, 0]


def test_nothing_is_published_before_the_base(desk):
    desk.feed.take(0, diff(5, 6, [(99, 1)]), 1)
    assert desk.feed.phase(BTC) == "waiting"
    assert len(desk.told("l2")) == 0


def test_a_change_that_is_in_the_book_already_is_dropped(live):
    live.told("l2")
    assert live.feed.take(0, diff(5, 6, [(99, 9)]), 4) == NOTHING
    assert len(live.told("l2")) == 0
    assert counts(live, "old") == [1]


def test_a_gap_silences_the_book_until_a_new_base_and_both_are_told(live):
    live.told("l2")
    assert live.feed.take(0, diff(9, 9, [(96, 1)]), 4) == BROKEN
    assert (live.feed.phase(BTC), live.events()) == ("gap", ["gap"])
    assert live.feed.take(0, diff(10, 11, [(96, 1)]), 5) == KEEP
    live.feed.ask(0, BTC)
    assert live.feed.phase(BTC) == "resyncing"
    assert len(live.told("l2")) == 0
    assert live.feed.take(0, snapshot(10, [(90, 1)], [(102, 1)]), 6, BTC) == NOTHING
    assert live.events() == ["resync"]
    assert live.feed.take(0, diff(10, 11, [(96, 1)]), 7) == NOTHING
    assert live.feed.phase(BTC) == "live"
    assert live.told("l2")["price"].tolist() == [9000, 10200, 9600]
    assert levels(live.feed.book(BTC), BID) == 2


def test_how_many_are_missing_is_told_with_the_gap(live):
    live.feed.take(0, diff(17, 19), 4)
    (event,) = live.told("events")
    assert (event["value"], event["instrument"], event["venue"]) == (10, BTC, 0)


def test_a_crossed_book_is_a_broken_one_and_is_not_published(live):
    live.told("l2")
    assert live.feed.take(0, diff(7, 7, [(101.5, 1)]), 4) == BROKEN
    assert len(live.told("l2")) == 0
    assert live.events() == ["gap"]
    assert counts(live, "crossings", "gaps") == [1, 1]


def test_a_snapshot_that_is_too_old_breaks_at_the_first_kept_change(desk):
    desk.feed.take(0, diff(50, 51, [(99, 1)]), 1)
    assert desk.feed.take(0, snapshot(5, [(98, 1)]), 2, BTC) == NOTHING
    assert desk.feed.take(0, diff(50, 51, [(99, 1)]), 3) == BROKEN
    assert desk.feed.phase(BTC) == "gap"


def test_an_empty_snapshot_empties_the_book_and_is_published(live):
    live.told("l2")
    live.feed.take(0, diff(9, 9), 4)
    live.feed.ask(0, BTC)
    assert live.feed.take(0, snapshot(20), 5, BTC) == NOTHING
    (row,) = live.told("l2")
    assert (row["price"], row["volume"], row["instrument"]) == (0, 0, BTC)
    assert row["flags"] == FIRST | LAST | SNAPSHOT
    assert levels(live.feed.book(BTC), BID) == levels(live.feed.book(BTC), ASK) == 0


def test_a_change_without_levels_moves_the_book_on(live):
    assert live.feed.take(0, diff(7, 8), 4) == NOTHING
    assert live.feed.take(0, diff(9, 9, [(98, 5)]), 5) == NOTHING
    assert live.feed.phase(BTC) == "live"


def test_trades_are_published_as_they_are(desk):
    assert desk.feed.take(0, TRADE, 8) == NOTHING
    (row,) = desk.told("trades")
    assert (row["price"], row["volume"], row["trade_id"], row["side"]) == (205, 15, 7, ASK)
    assert (row["ts_origin"], row["instrument"]) == (8, 1)
    assert desk.feed.followed[1]["trades"] == 1


def test_a_refused_change_of_a_book_breaks_it_before_another_is_published(live):
    live.told("l2")
    assert live.feed.take(0, diff(7, 7, [(99.999, 1)]), 4) == REFUSED
    assert (live.events(), live.feed.phase(BTC)) == (["gap"], "gap")
    assert live.feed.take(0, diff(7, 7, [(98, 5)]), 5) == KEEP
    assert len(live.told("l2")) == 0


def test_what_is_refused_is_counted_and_costs_nothing_else(live):
    live.told("l2")
    for raw in (b"{", diff(7, 7, symbol="XRPUSDT")):
        assert live.feed.take(0, raw, 4) == REFUSED
    assert live.feed.connections[0]["refused"] == 2
    assert live.feed.take(0, diff(7, 7, [(98, 5)]), 5) == NOTHING
    assert len(live.told("l2")) == 1


def test_a_cut_connection_ends_its_books_and_no_others(live):
    live.feed.open(1, "binance", 0, bridged=True)
    live.feed.ask(1, 1)
    module.cut(live.feed.address, 0)
    assert [live.feed.phase(number) for number in (0, 1)] == ["off", "subscribing"]
    assert live.events() == ["gap"]


@pytest.mark.needs_jit
@pytest.mark.parametrize("file", recorded.SPOT[:1])
def test_a_recorded_session_is_followed_as_the_naive_book_follows_it(file):
    with FeedDesk({"binance": {"BTCUSDT": (2, 8)}}) as desk:
        desk.feed.open(0, "binance", 0, bridged=True)
        desk.feed.ask(0, BTC)
        kept, naive, taken = [], NaiveBook(), 0
        for raw in recorded.collector_messages(file):
            based = raw.startswith(b'{"lastUpdateId"')
            todo = desk.feed.take(0, raw, 1, BTC if based else -1)
            assert todo in (NOTHING, KEEP)
            if todo == KEEP:
                kept.append(raw)
            if based:
                assert {desk.feed.take(0, one, 1) for one in kept} == {NOTHING}
            rows = desk.told("l2")
            for group in np.split(rows, np.flatnonzero(rows["flags"] & LAST)[:-1] + 1):
                if len(group):
                    naive.apply(group)
                    taken += 1
        assert taken > 2_000
        assert counts(desk, "gaps", "crossings", "illegal") == [0, 0, 0]
        book = desk.feed.book(BTC)
        for side in (BID, ASK):
            best = sorted(naive.sides[side].items(), reverse=side == BID)
            assert levels(book, side) == len(best)
            shown = [
                (level_price(book, side, n), level_volume(book, side, n)) for n in range(len(best))
            ]
            assert shown == best


def test_the_bridge_stands_first_in_a_followed_book():
    assert module.FOLLOWED.fields["bridge"] == (bridging.BRIDGE, 0)
