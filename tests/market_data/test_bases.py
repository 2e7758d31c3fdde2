"""When a base is asked for, what waits for it, and how long it is waited for."""

from concurrent.futures import Future
from itertools import pairwise
from types import SimpleNamespace

import pytest

from mantra.market_data import bases as module
from mantra.market_data.bases import BROKEN_S, IN_FLIGHT, PATIENCE_REST_S, PATIENCE_S, Bases
from mantra.market_data.take import BROKEN, KEEP, NOTHING
from mantra.market_data.venues import Session
from mantra.transport.tls import TransportError
from tests.market_data.desk import FeedDesk
from tests.market_data.test_take import counts, diff, snapshot

SYMBOLS = ["BTCUSDT", "ETHUSDT", "LTCUSDT", "XRPUSDT"]
BTC = 0


class Office:
    """Bases of a venue, with requests that the test answers."""

    def __init__(self, desk, venue, symbols):
        self.feed, self.session = desk.feed, Session(venue, symbols, desk.tables)
        self.requests, self.sent = {}, []
        self.session.on_open(0, desk.feed)
        self.bases = Bases(
            desk.feed, lambda number: self.session, self._rest, self._send, self._taken
        )
        self.kept = []
        for instrument in self.session.instruments:
            self.bases.expect(instrument, 0, 0.0)

    def _rest(self, session, instrument):
        self.requests[instrument] = Future()
        return self.requests[instrument]

    def _taken(self, instrument, body):
        self.kept.append((instrument, body))

    def _send(self, instrument, text, now):
        self.sent.append((instrument, text))

    def change(self, instrument, raw, now):
        """As the handler does with what the feed says of a message."""
        todo = self.feed.take(0, raw, 1)
        if todo in (KEEP, BROKEN):
            self.bases.keep(instrument, 0, raw, now)
        return todo

    def answer(self, instrument, body, status=200):
        self.requests.pop(instrument).set_result(SimpleNamespace(status=status, data=body))


@pytest.fixture
def office():
    with FeedDesk({"binance": dict.fromkeys(SYMBOLS, (2, 5))}) as desk:
        yield Office(desk, "binance", SYMBOLS)


@pytest.fixture
def streamed():
    with FeedDesk({"kraken": {"BTC/USD": (2, 5)}}) as desk:
        yield Office(desk, "kraken", ["BTC/USD"])


def test_a_first_change_has_the_base_asked_for_and_what_follows_joins_it(office):
    assert office.change(BTC, diff(5, 6, [(99, 1)]), 1.0) == KEEP
    office.bases.turn(1.0)
    assert list(office.requests) == [BTC]
    assert office.change(BTC, diff(7, 8, [(98, 1)]), 1.1) == KEEP
    assert office.change(BTC, diff(9, 9, [(97, 1)]), 1.2) == KEEP
    office.answer(BTC, snapshot(7, [(90, 1)], [(101, 3)]))
    office.bases.turn(1.3)
    assert office.feed.phase(BTC) == "live"
    assert int(office.feed.followed[BTC]["bridge"]["stand"]) == 9
    assert office.bases.kept == office.bases.asked == {}
    assert office.kept == [(BTC, snapshot(7, [(90, 1)], [(101, 3)]))]


def test_what_came_before_the_request_is_not_kept(office):
    for number in range(5, 50):
        office.change(BTC, diff(number, number), 1.0)
    assert office.bases.kept == {}


def test_a_venue_is_asked_for_a_few_bases_at_a_time(office):
    for instrument, symbol in enumerate(SYMBOLS):
        office.change(instrument, diff(5, 6, symbol=symbol), 1.0)
    office.bases.turn(1.0)
    assert list(office.requests) == list(range(IN_FLIGHT))
    office.answer(0, snapshot(9, [(90, 1)], [(91, 1)]))
    office.bases.turn(1.1)
    assert list(office.requests) == [1, 2]


def test_a_base_that_is_too_old_is_asked_for_again(office):
    office.change(BTC, diff(50, 60), 1.0)
    office.bases.turn(1.0)
    office.change(BTC, diff(61, 62), 1.1)
    office.answer(BTC, snapshot(5, [(90, 1)], [(91, 1)]))
    office.bases.turn(1.0 + BROKEN_S * 2)  # it broke, and may be asked for again by now
    assert list(office.requests) == [BTC]


@pytest.mark.parametrize("failure", ["status", "unreachable"])
def test_a_failed_request_is_made_again_and_not_at_once(office, failure):
    office.change(BTC, diff(5, 6), 1.0)
    office.bases.turn(1.0)
    if failure == "status":
        office.answer(BTC, b"busy", 503)
    else:
        office.requests.pop(BTC).set_exception(TransportError("nobody is there"))
    office.bases.turn(1.1)
    office.bases.patrol(1.2)
    office.bases.turn(1.2)
    assert not office.requests
    office.bases.patrol(1.0 + 2 * PATIENCE_REST_S + 0.1)
    office.bases.turn(12.0)
    assert BTC in office.requests


def test_a_quiet_book_is_asked_for_without_a_change(office):
    office.bases.patrol(PATIENCE_REST_S - 0.1)
    office.bases.turn(PATIENCE_REST_S - 0.1)
    assert not office.requests
    office.bases.patrol(PATIENCE_REST_S + 0.1)
    office.bases.turn(PATIENCE_REST_S + 0.1)
    assert len(office.requests) == IN_FLIGHT


def test_a_base_in_the_stream_that_does_not_come_is_subscribed_to_again(streamed):
    streamed.bases.patrol(PATIENCE_S - 0.1)
    assert not streamed.sent
    streamed.bases.patrol(PATIENCE_S + 0.1)
    assert ['"unsubscribe"' in text for _, text in streamed.sent] == [True, False]
    streamed.bases.patrol(PATIENCE_S + 0.2)
    assert len(streamed.sent) == 2


def test_a_book_that_breaks_all_the_time_is_asked_for_less_and_less_often(streamed):
    times = []
    for tenth in range(0, 200):
        before = len(streamed.sent)
        streamed.bases.need(BTC, 100 + tenth / 10)
        if len(streamed.sent) > before:
            times.append(tenth / 10)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) < 12
    assert gaps == sorted(gaps)
    assert gaps[-1] > 5


def test_a_book_that_was_right_for_long_is_mended_at_once(streamed):
    for tenth in range(50):
        streamed.bases.need(BTC, 100 + tenth / 10)
    streamed.feed.followed[BTC]["phase"] = module.phases.LIVE
    streamed.bases.patrol(100 + 60.0)
    before = len(streamed.sent)
    streamed.bases.need(BTC, 160.0)
    assert len(streamed.sent) > before


def test_nothing_is_asked_for_where_no_connection_is(office):
    office.change(BTC, diff(5, 6), 1.0)
    office.bases.turn(1.0)
    office.feed.drop(BTC)
    office.answer(BTC, snapshot(7, [(90, 1)], [(91, 1)]))
    office.bases.turn(1.1)
    office.bases.need(BTC, 100.0)
    office.bases.patrol(100.0)
    office.bases.turn(100.0)
    assert BTC not in office.requests
    assert office.feed.phase(BTC) == "off"


def test_what_an_ended_connection_brought_is_not_taken_for_anothers(office):
    office.change(BTC, diff(5, 6), 1.0)
    office.bases.turn(1.0)
    office.change(BTC, diff(7, 8, [(95, 1)]), 1.1)
    office.feed.close(0)
    office.session.on_open(0, office.feed)  # another connection has its row
    office.answer(BTC, snapshot(7, [(90, 1)], [(101, 3)]))
    office.bases.turn(1.2)
    assert office.feed.phase(BTC) == "bridging"
    assert office.feed.take(0, diff(8, 9), 1) == NOTHING
    assert counts(SimpleNamespace(feed=office.feed), "illegal") == [0]
