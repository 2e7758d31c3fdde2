"""The handler and simulated venues in processes of their own, over TLS, with and without faults."""

import time

import pytest
import trustme
from tests.simulators.process import VenueProcess

from mantra.actors.stepper import Stepper
from mantra.books.book import level_price, level_volume, levels
from mantra.market_data.handler import MarketDataHandler, Place
from mantra.market_data.venues import VENUES
from mantra.messages.enums import ASK, BID
from mantra.messages.tables import Tables
from tests.market_data.test_venues import SYMBOLS

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]

DEPTHS = {"bitfinex": 250, "kraken": 1000}
RATE = 300
PATIENCE_S = 20
# Of a connection, which every venue must survive; and of messages, where the venue lets a loss be
# seen: Bitstamp numbers nothing.
OF_CONNECTIONS = dict.fromkeys(("stall", "close", "reset", "split"), 0.0005)
OF_MESSAGES = dict.fromkeys(("drop", "duplicate", "reorder", "corrupt", "cut"), 0.002)
FAULTS = {
    name: OF_CONNECTIONS if name == "bitstamp" else OF_CONNECTIONS | OF_MESSAGES for name in SYMBOLS
}
CHAOS_S = 10


class Following:
    """Handlers of all five venues in one actor, and what they follow."""

    def __init__(self, certificate, faults=None):
        MarketDataHandler.step.compile()  # takes longer than the venues' patience
        self.tables, self.streams = Tables(), []
        asset = self.tables.add_asset("?", 18)
        for name, symbols in SYMBOLS.items():
            venue = self.tables.add_venue(name)
            for symbol in symbols:
                facts = {"price_exponent": 2, "volume_exponent": 5}
                self.tables.add_instrument(venue, symbol, asset, asset, **facts)
            self.streams.append((name, symbols))
        ca_file, leaf = certificate
        self.venues = {
            name: VenueProcess(name, symbols, RATE, (faults or {}).get(name), leaf)
            for name, symbols in SYMBOLS.items()
        }
        places = {
            name: Place(venue.url("ws") + "/", venue.url("http"), str(ca_file))
            for name, venue in self.venues.items()
        }
        self.handler = MarketDataHandler("market-data", self.tables, self.streams, places)
        self.stepper = Stepper([self.handler], {"l2": 1 << 16, "trades": 1 << 14})

    def __enter__(self):
        self.stepper.__enter__()
        return self

    def __exit__(self, *exception):
        self.stepper.__exit__(*exception)
        for venue in self.venues.values():
            venue.__exit__()

    def until(self, condition, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.state()
            self.stepper.step()

    def follow(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, seconds + 1)

    def state(self) -> str:
        feed = self.handler.feed
        names = self.tables.instrument_names()
        return f"{dict(zip(names, map(feed.phase, range(len(names))), strict=True))}"

    def all_live(self) -> bool:
        count = len(self.tables.instruments)
        return all(self.handler.feed.phase(number) == "live" for number in range(count))

    def same(self, truth) -> bool:
        """Whether every book is its venue's."""
        for number, name in enumerate(self.tables.instrument_names()):
            symbol, _, venue = name.rpartition("@")
            book = self.handler.feed.book(number)
            for side in (BID, ASK):
                best = sorted(truth[venue][symbol][side].items(), reverse=side == BID)
                best = best[: DEPTHS.get(venue)]
                shown = [
                    (level_price(book, side, n), level_volume(book, side, n))
                    for n in range(levels(book, side))
                ]
                if shown != best:
                    return False
        return True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder, ca = tmp_path_factory.mktemp("certificates"), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "leaf.pem")
    return folder / "ca.pem", folder / "leaf.pem"


def test_all_five_venues_are_followed_over_tls(certificate):
    with Following(certificate) as following:
        following.until(following.all_live)
        following.follow(1.0)
        truth = {name: venue.books() for name, venue in following.venues.items()}
        following.until(lambda: following.same(truth))
        followed = following.handler.feed.followed
        assert followed["gaps"].sum() == followed["mismatches"].sum() == 0
        assert followed["illegal"].sum() == 0
        assert set(VENUES) == set(truth)
        assert not following.handler.refused


def test_after_every_fault_every_book_is_right_again(certificate):
    with Following(certificate, FAULTS) as following:
        following.follow(CHAOS_S)
        done = {name: venue.calm() for name, venue in following.venues.items()}
        followed = following.handler.feed.followed
        following.until(following.all_live, 60)
        following.follow(1.0)
        truth = {name: venue.books() for name, venue in following.venues.items()}
        following.until(lambda: following.same(truth))
        assert followed["illegal"].sum() == 0
        assert set().union(*done.values()) >= set(OF_MESSAGES)
        assert followed["gaps"].sum() > 5
