"""Every venue's protocol, spoken by the simulated venue, followed by the feed: no sockets."""

import json

import pytest

from mantra.books.book import level_price, level_volume, levels
from mantra.market_data.take import BROKEN, CONTROL, CUT_OFF, KEEP, NOTHING, REFUSED
from mantra.market_data.venues import VENUES, Session
from mantra.messages.enums import ASK, BID
from mantra.simulators.dialects import DIALECTS, Client
from mantra.simulators.market import Market
from tests.market_data.desk import FeedDesk

SYMBOLS = {
    "binance": ["BTCUSDT", "ETHUSDT"],
    "bitfinex": ["tBTCUSD", "tDUSK:USD"],
    "bitstamp": ["btcusd", "ethusd"],
    "coinbase": ["BTC-USD", "ETH-USD"],
    "kraken": ["BTC/USD", "ETH/USD"],
}
CHANGES = 400
ALL = pytest.mark.parametrize("venue", sorted(VENUES))


class Wire:
    """A client of a simulated venue whose texts go straight into a feed."""

    def __init__(self, venue: str, desk: FeedDesk):
        self.market = Market(SYMBOLS[venue], seed=3)
        self.dialect, self.client = DIALECTS[venue](self.market), Client()
        self.session = Session(venue, SYMBOLS[venue], desk.tables)
        self.feed, self.kept, self.done = desk.feed, [], []
        self.connect()

    def connect(self, row: int = 0) -> None:
        self.session.on_open(row, self.feed)
        for instrument in self.session.instruments:
            self.feed.ask(row, instrument)
        self.take(self.dialect.greet(self.client))
        for text in self.session.hello():
            self.take(self.dialect.answer(self.client, text))

    def take(self, texts) -> None:
        for text in texts:
            raw = text.encode()
            todo = self.feed.take(0, raw, 1)
            self.done.append(todo)
            if todo == CONTROL:
                assert self.session.on_control(0, raw, self.feed) == ("", False)
            elif todo in (KEEP, BROKEN) and self.session.bridged:
                self.kept.append(raw)

    def base(self) -> None:
        """The snapshots of bridged books, and what waited for them."""
        for instrument in self.session.instruments if self.session.bridged else ():
            body = self.dialect.rest(self.session.snapshot_path(instrument))
            assert self.feed.take(0, body, 1, instrument) == NOTHING
        for raw in self.kept:
            self.done.append(self.feed.take(0, raw, 1))
        self.kept.clear()

    def change(self, times: int = CHANGES, lose=lambda text: False) -> None:
        for _ in range(times):
            texts = list(self.dialect.tell(self.client, self.market.change()))
            self.take(text for text in texts if not lose(text))

    def resync(self, instrument: int) -> None:
        self.feed.ask(0, instrument)
        if self.session.bridged:
            return self.base()
        for text in self.session.again(instrument, 0, self.feed):
            self.take(self.dialect.answer(self.client, text))

    def assert_same_books(self) -> None:
        for instrument, symbol in self.session.symbols.items():
            book, truth = self.feed.book(instrument), self.market.symbols[symbol]
            for side in (BID, ASK):
                expected = truth.levels(side, self.client.depth)
                assert levels(book, side) == len(expected)
                assert expected == [
                    (level_price(book, side, n), level_volume(book, side, n))
                    for n in range(len(expected))
                ]
            assert self.feed.phase(instrument) == "live"


@pytest.fixture
def wire(venue):
    exponents = dict.fromkeys(SYMBOLS[venue], (2, 5))
    with FeedDesk({venue: exponents}) as desk:
        wire = Wire(venue, desk)
        wire.desk = desk
        yield wire


@ALL
def test_books_and_trades_are_the_venues(wire):
    wire.change(20)
    wire.base()
    wire.change()
    wire.assert_same_books()
    assert not {REFUSED, BROKEN, CUT_OFF} & set(wire.done)
    followed = wire.feed.followed
    assert followed["gaps"].sum() == followed["illegal"].sum() == followed["mismatches"].sum() == 0
    trades = sum(symbol.trades for symbol in wire.market.symbols.values())
    assert followed["trades"].sum() == len(wire.desk.told("trades")) == trades > 50
    if wire.session.venue.name in ("kraken", "bitfinex"):
        assert followed["checked"].sum() >= CHANGES


@ALL
def test_a_lost_change_is_noticed_and_a_new_base_mends_it(wire):
    wire.change(20)
    wire.base()
    wire.change(50)
    wire.desk.told("l2")
    lost = []

    def lose_one(text):
        book = '"price_level"' in text or '"bids"' in text or '"b":' in text or text[0] == "["
        if lost or not book or '"cs"' in text or '"te"' in text or '"tu"' in text:
            return False
        return lost.append(text) is None

    before = len(wire.done)
    wire.change(100, lose_one)
    if wire.session.venue.name == "bitstamp":
        pytest.skip("the venue numbers nothing: only a crossed book shows a loss")
    seen = set(wire.done[before:])
    assert seen & {BROKEN, CUT_OFF}
    assert "gap" in wire.desk.events()
    for instrument in wire.session.instruments:
        if wire.feed.phase(instrument) != "live":
            wire.resync(instrument)
    wire.change(60)
    wire.assert_same_books()
    assert "resync" in wire.desk.events()


@pytest.mark.parametrize(
    ("venue", "text", "complains", "anew"),
    [
        ("bitstamp", {"event": "bts:request_reconnect", "channel": "", "data": ""}, False, True),
        ("bitstamp", {"event": "bts:error", "data": {"code": 4009}}, True, False),
        ("bitfinex", {"event": "info", "code": 20051, "msg": "reconnect"}, False, True),
        ("bitfinex", {"event": "info", "version": 2, "platform": {"status": 1}}, False, False),
        ("bitfinex", {"event": "error", "code": 10301, "msg": "subscribe: dup"}, True, True),
        ("kraken", {"method": "subscribe", "success": False, "error": "unknown pair"}, True, False),
        ("coinbase", {"type": "error", "message": "no such product"}, True, False),
    ],
)
def test_complaints_and_wishes_for_a_new_connection_are_seen(wire, text, complains, anew):
    complaint, wished = wire.session.on_control(0, json.dumps(text).encode(), wire.feed)
    assert (bool(complaint), wished) == (complains, anew)
