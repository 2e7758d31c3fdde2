"""Snapshots as venues answer them; what is drift between a book and a snapshot, and what is not."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantra.books.book import apply_level, new_book
from mantra.exchanges.rules import Rules
from mantra.market_data.cross_check import BOOK_URLS, book_levels, drift, levels_of
from mantra.market_data.venues import VENUES
from mantra.messages.enums import ASK, BID
from tests.exchanges import recorded

PAIRS = [["100.5", "1.50000000"], ["100.4", "2e0"]], [["100.7", "0.5"], ["101", "7E-1"]]
LEVELS = ({10050: 15, 10040: 20}, {10070: 5, 10100: 7})


def answer(venue: str, sides=PAIRS) -> bytes:
    """A snapshot in the venue's form."""
    bids, asks = sides
    if venue == "bitfinex":  # numbers
        rows = [f"[{price},1,{volume}]" for price, volume in bids]
        rows += [f"[{price},2,-{volume}]" for price, volume in asks]
        return f"[{','.join(rows)}]".encode()
    both = {"bids": bids, "asks": asks}
    if venue == "coinbase":
        named = {key: [{"price": p, "size": v} for p, v in rows] for key, rows in both.items()}
        return json.dumps({"pricebook": {"product_id": "BTC-USD", **named}}).encode()
    if venue == "kraken":
        timed = {key: [[p, v, 1688671659] for p, v in rows] for key, rows in both.items()}
        return json.dumps({"error": [], "result": {"XXBTZUSD": timed}}).encode()
    return json.dumps({"lastUpdateId": 1027024, "microtimestamp": "1"} | both).encode()


@pytest.mark.parametrize("venue", BOOK_URLS)
def test_a_snapshot_is_exact_in_integer_units(venue):
    assert levels_of(venue, answer(venue), 2, 1) == LEVELS
    assert levels_of(venue, answer(venue, ([], PAIRS[1])), 2, 1) == ({}, LEVELS[1])


@pytest.mark.parametrize("venue", BOOK_URLS)
@pytest.mark.parametrize("body", [b"", b"{}", b"5", b"null", b'{"error":["EQuery"]}', b"[[1,2]]"])
def test_what_is_no_snapshot_is_refused_by_venue(venue, body):
    with pytest.raises(ValueError, match=f"{venue}: book"):
        levels_of(venue, body, 2, 1)


@pytest.mark.parametrize("venue", BOOK_URLS)
def test_a_level_finer_than_the_instrument_is_refused(venue):
    with pytest.raises(ValueError, match="too precise"):
        levels_of(venue, answer(venue), 1, 0)


@pytest.mark.parametrize(
    ("venue", "name", "exponents", "best"),
    [
        ("kraken", "nautilus/kraken/http_order_book.json", (5, 3), (10594420000, 10594430000)),
        ("coinbase", "nautilus/coinbase/http_product_book.json", (2, 8), (6892366, 6892367)),
        (
            "binance",
            "nautilus/binance-spot/http_json/depth_response.json",
            (8, 8),
            (400000000, 400000200),
        ),
    ],
)
def test_recorded_answers_are_read(venue, name, exponents, best):
    bids, asks = levels_of(venue, recorded.path(name).read_bytes(), *exponents)
    assert (max(bids), min(asks)) == best


def test_there_is_a_url_for_each_venue_at_the_host_of_its_rules():
    assert set(BOOK_URLS) == set(VENUES)
    for venue, url in BOOK_URLS.items():
        rules: Rules = VENUES[venue].rules
        assert url.count("{symbol}") == 1
        assert url.split("/")[:3] == rules.listing_url.split("/")[:3]


def test_a_book_is_read_to_its_depth_best_first():
    with new_book() as book:
        for side, levels in zip((BID, ASK), LEVELS, strict=True):
            for price, volume in levels.items():
                apply_level(book.address, side, price, volume)
        assert book_levels(book.address) == LEVELS
        assert book_levels(book.address, 1) == ({10050: 15}, {10070: 5})
        assert [list(side) for side in book_levels(book.address)] == [
            [10050, 10040],
            [10070, 10100],
        ]
    with new_book() as empty:
        assert book_levels(empty.address) == ({}, {})


# ---------------------------------------------------------------- drift

WIDE = ({100: 1, 90: 2, 80: 3}, {110: 1, 120: 2, 130: 3})


def changed(bids=(), asks=()):
    """WIDE with these levels otherwise; 0: gone."""
    sides = tuple(
        {price: volume for price, volume in {**side, **dict(change)}.items() if volume}
        for side, change in zip(WIDE, (bids, asks), strict=True)
    )
    return sides


@pytest.mark.parametrize(
    ("before", "after", "snapshot", "expected"),
    [
        (WIDE, WIDE, WIDE, []),
        (WIDE, WIDE, changed([(90, 5)]), [(BID, 90, 2, 5)]),
        (WIDE, WIDE, changed([(90, 0)], [(115, 7)]), [(BID, 90, 2, 0), (ASK, 115, 0, 7)]),
        (WIDE, WIDE, changed([(105, 1), (95, 1)]), [(BID, 105, 0, 1), (BID, 95, 0, 1)]),
        # It changed meanwhile: nothing can be said of it.
        (WIDE, changed([(90, 5)]), changed([(90, 5)]), []),
        (WIDE, changed([(90, 5)]), changed([(90, 7)]), []),
        # Deeper than one of them reaches.
        (WIDE, WIDE, changed([(80, 0)], [(130, 0)]), []),
        (WIDE, WIDE, changed([(70, 1)], [(140, 1)]), []),
        (changed([(80, 0)]), WIDE, changed([(80, 9)]), []),
        # A side without levels reaches everywhere.
        (WIDE, WIDE, ({}, WIDE[1]), [(BID, 100, 1, 0), (BID, 90, 2, 0), (BID, 80, 3, 0)]),
        (({}, {}), ({}, {}), ({5: 1}, {}), [(BID, 5, 0, 1)]),
        (({}, {}), ({}, {}), ({}, {}), []),
    ],
)
def test_what_stood_still_and_is_otherwise_in_the_snapshot_has_drifted(
    before, after, snapshot, expected
):
    assert drift(before, after, snapshot) == expected


class Told:
    """A market of levels that change, and a book that follows it by what it is told, later."""

    def __init__(self, dice: random.Random, lost: int = -1):
        self.dice, self.lost, self.made = dice, lost, 0
        self.truth = (
            {p: dice.randint(1, 9) for p in range(80, 100)},
            {p: dice.randint(1, 9) for p in range(100, 120)},
        )
        self.book = tuple(dict(side) for side in self.truth)
        self.on_its_way: list[tuple[int, int, int]] = []
        self.log: list[tuple[int, int]] = []  # side and price of each change

    def change(self, times: int, quiet: int = -1) -> None:
        for _ in range(times):
            side = self.dice.randrange(2)
            price = self.dice.randint(80, 99) + 20 * side
            if price == quiet:
                continue
            self.set(side, price, self.dice.randint(0, 9))

    def set(self, side: int, price: int, volume: int) -> None:
        if volume != self.truth[side].get(price, 0):
            _set(self.truth[side], price, volume)
            self.on_its_way.append((side, price, volume))
            self.log.append((side, price))

    def tell(self, times: int) -> None:
        for side, price, volume in self.on_its_way[:times]:
            _set(self.book[side], price, volume)
        del self.on_its_way[:times]

    def seen(self, depth: int = 0):
        return _best(self.book, depth)


def _set(side: dict[int, int], price: int, volume: int) -> None:
    if volume:
        side[price] = volume
    else:
        side.pop(price, None)


def _best(sides, depth: int = 0):
    """A copy, limited to the best levels."""
    bids, asks = (sorted(side.items(), reverse=which == BID) for which, side in enumerate(sides))
    return dict(bids[: depth or None]), dict(asks[: depth or None])


@given(
    seed=st.integers(0, 1 << 32),
    counts=st.lists(st.integers(0, 30), min_size=4, max_size=4),
    depths=st.tuples(st.sampled_from([0, 3, 10]), st.sampled_from([0, 5, 12])),
)
def test_a_book_in_motion_drifts_only_where_a_price_changed_and_came_back(seed, counts, depths):
    """`counts`: changes before, while asking, after the snapshot, and how many are told late."""
    market = Told(random.Random(seed))
    market.change(counts[0])
    market.tell(max(0, len(market.on_its_way) - counts[3]))  # some are still on their way
    before, unseen = market.seen(depths[0]), list(market.on_its_way)
    market.log.clear()
    market.change(counts[1])
    snapshot = _best(market.truth, depths[1])
    market.tell(market.dice.randint(0, len(market.on_its_way)))
    market.change(counts[2])
    market.tell(len(market.on_its_way))  # the settling time: all has been told
    moved = [(side, price) for side, price, _ in unseen] + market.log
    for side, price, _, _ in drift(before, market.seen(depths[0]), snapshot):
        assert moved.count((side, price)) >= 2


@given(
    seed=st.integers(0, 1 << 32),
    price=st.integers(85, 115),
    volume=st.integers(0, 9),
    counts=st.lists(st.integers(0, 30), min_size=3, max_size=3),
)
def test_a_missed_change_at_a_quiet_price_always_drifts(seed, price, volume, counts):
    market = Told(random.Random(seed))
    side = int(price >= 100)
    shown = market.truth[side][price]
    if volume == shown:
        volume += 1
    _set(market.truth[side], price, volume)  # and nobody is told
    market.change(counts[0], quiet=price)
    market.tell(len(market.on_its_way))
    before = market.seen()
    market.change(counts[1], quiet=price)
    snapshot = _best(market.truth)
    market.change(counts[2], quiet=price)
    market.tell(len(market.on_its_way))
    sides = [levels[side] for levels in (before, market.seen(), snapshot)]
    found = drift(before, market.seen(), snapshot)
    if all(min(one) < price < max(one) for one in sides):
        assert (side, price, shown, volume) in found
