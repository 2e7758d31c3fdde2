"""Recorded sessions: every message beside the naive twin, every book at every update."""

from collections import Counter
from collections.abc import Iterator

import pytest

from mantra.books.book import apply_update, best_price, levels, new_book, volume_at
from mantra.exchanges import bridging, decoded
from mantra.exchanges.bitstamp import instruments
from mantra.exchanges.decoded import KINDS, STATUSES
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import ASK, BID
from mantra.messages.records import L2_UPDATE
from tests.books.both import walk
from tests.exchanges import recorded
from tests.exchanges.bitstamp import naive
from tests.exchanges.bitstamp.decoding import Venue, assert_same_as_naive

SESSIONS = {
    "2021": [f"cryptofeed/2021-04-17_3525dc8c/BITSTAMP.{part}.0" for part in ("http.18", "ws.19")],
    "2022": [f"cryptofeed/2022-01-04_78508055/BITSTAMP.{part}.0" for part in ("http.0", "ws.1")],
}
SINGLE = (
    "crypto-msg-parser/bitstamp.jsonl",
    "gocryptotrader/exchanges_bitstamp_bitstamp_test.go.jsonl",
)
# Messages of each kind; diffs dropped as older than their pair's snapshot, and applied.
FOUND = {
    "2021": ({"snapshot": 10, "depth": 641, "trade": 16, "control": 20}, (114, 527)),
    "2022": ({"snapshot": 10, "depth": 717, "trade": 10, "control": 20}, (102, 615)),
}
UNITS = 8, 8  # decimals that hold all of it


def messages(session: str) -> Iterator[tuple[str, bytes]]:
    for name in SESSIONS[session]:
        yield from recorded.cryptofeed_messages(name)


@pytest.fixture(params=SESSIONS)
def session(request) -> str:
    return request.param


@pytest.fixture
def venue(session) -> Venue:
    return Venue({pair.upper(): UNITS for pair, _ in messages(session) if pair})


def test_every_message_says_what_the_naive_twin_reads(session, venue):
    kinds: Counter[str] = Counter()
    for pair, raw in messages(session):
        assert_same_as_naive(venue, raw, pair)
        kinds[KINDS[venue.result[0]["kind"]]] += 1
    assert kinds == FOUND[session][0]


def test_the_listings_decimals_hold_every_recorded_value():
    listing = recorded.path("cryptofeed/2021-04-17_3525dc8c/BITSTAMP.0").read_bytes()
    listed = instruments.parse(listing.splitlines()[0].partition(b": ")[2])
    venue = Venue({i.symbol.upper(): (i.price_exponent, i.volume_exponent) for i in listed})
    for pair, raw in messages("2021"):
        assert_same_as_naive(venue, raw, pair)


@pytest.mark.parametrize("name", SINGLE)
def test_every_single_message_is_read(name):
    venue = Venue({"BTCUSD": UNITS}, unnamed="BTCUSD")
    for raw in recorded.path(name).read_bytes().splitlines():
        if not raw.startswith(b'{"event":"bts:subscribe","data"'):
            assert_same_as_naive(venue, raw)


class NaiveBooks:
    """The books by pair as dictionaries, and the rule: newer than what is in it."""

    def __init__(self):
        self.sides: dict[int, tuple[dict, dict]] = {}
        self.times: dict[int, int] = {}

    def take(self, said: dict) -> bool:
        number, newer = said["instrument"], True
        if said["kind"] == decoded.SNAPSHOT:
            self.sides[number] = {}, {}
        else:
            newer = said["last_id"] > self.times[number]
        if newer:
            self.times[number] = said["last_id"]
            for side, price, volume in said["levels"]:
                if volume:
                    self.sides[number][side][price] = volume
                else:
                    self.sides[number][side].pop(price, None)
        return newer

    def best(self, number: int, side: int) -> int:
        prices = self.sides[number][side]
        return (min if side == ASK else max)(prices) if prices else 0


def test_each_pair_splices_to_its_snapshot_and_its_book_is_the_naive_one(session, venue):
    books = {number: new_book() for number, *_ in venue.symbols.values()}
    bridges = aligned_zeros(len(books), bridging.BRIDGE)
    twins, done, risen = NaiveBooks(), Counter(), {}
    for pair, raw in messages(session):
        result = venue.decode(raw, pair)
        assert result["status"] == decoded.OK, STATUSES[result["status"]]
        if result["kind"] not in (decoded.DEPTH, decoded.SNAPSHOT):
            continue
        said = naive.decode(raw, venue.symbols, pair)
        number, last = said["instrument"], int(result["last_id"])
        bridge = address_of(bridges) + number * bridging.BRIDGE.itemsize
        if result["kind"] == decoded.SNAPSHOT:
            assert bridging.take_snapshot(bridge, last)
            action = bridging.APPLY
        else:
            assert last > risen.get(number, 0), "times rise within a pair"
            risen[number] = last
            ids = result["first_id"], result["last_id"], result["previous_id"]
            action = bridging.take_depth(bridge, *map(int, ids))
            done[bridging.ACTIONS[action]] += 1
        assert twins.take(said) == (action == bridging.APPLY)
        if action == bridging.APPLY:
            book = books[number].address
            for i in range(result["count"]):
                apply_update(book, address_of(venue.records) + i * L2_UPDATE.itemsize)
            for side in (BID, ASK):
                twin = twins.sides[number][side]
                assert levels(book, side) == len(twin)
                assert best_price(book, side) == twins.best(number, side)
                for _, price, _ in said["levels"]:
                    assert volume_at(book, side, price) == twin.get(price, 0)
            bid, ask = best_price(book, BID), best_price(book, ASK)
            assert bid < ask or not bid or not ask, "books do not cross"
    assert (done["drop"], done["apply"]) == FOUND[session][1]
    assert sum(done.values()) == FOUND[session][0]["depth"]
    for number, owner in books.items():
        for side in (BID, ASK):
            twin = twins.sides[number][side]
            assert walk(owner.address, side) == sorted(twin.items(), reverse=side == BID)
