"""The handler and simulated venues in processes of their own, over TLS, with and without faults."""

import pytest

from mantra.market_data.handler import Options
from mantra.market_data.venues import VENUES
from mantra.messages.enums import EVENT_DELISTED, EVENT_DRIFT, EVENT_LISTED
from mantra.simulators import rest
from mantra.simulators.faults import FAULTS
from tests.market_data.following import Following, all_faults, be_impatient

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]

CHAOS_S = 8.0


def test_all_five_venues_are_followed_over_tls():
    with Following(1, 2, 300) as following:
        following.until(following.not_live)
        following.follow(1.0)
        following.check()
        followed = following.handler.feed.followed
        assert followed["gaps"].sum() == followed["mismatches"].sum() == 0
        assert not following.handler.refused


def test_after_every_fault_every_book_is_right_again(monkeypatch):
    """The short form of soak.py."""
    be_impatient(monkeypatch)
    with Following(2, 2, 200, all_faults(0.004, 0.002, 0.2)) as following:
        following.follow(CHAOS_S)
        following.check()
        told = following.report()
        assert set().union(*(of["done"] for of in told.values())) == set(FAULTS)
        for name in ("binance", "bitfinex", "coinbase", "kraken"):
            assert told[name]["gaps"] > 3


def test_what_is_listed_is_followed_and_what_is_delisted_is_not():
    wanted = dict.fromkeys(VENUES, lambda one: True)
    options = Options(gather_ms=1, listings_s=0.5, wanted=wanted, spare=5)
    with Following(1, 2, 200, None, options) as following:
        following.until(following.not_live)
        names, feed = following.names, following.handler.feed
        for name, venue in following.venues.items():
            new = rest.symbols(name, 3)[-1]
            venue.list_symbol(new)
            venue.delist_symbol(rest.symbols(name, 1)[0])
            names.append(f"{new}@{name}")
        gone = range(0, 10, 2)
        following.until(
            lambda: (
                [names[number] for number in gone if following.phase(number) != "off"]
                + [f"{len(feed.books)} instruments"] * (len(feed.books) < 15)
            )
        )
        tables = following.handler.tables
        new = [tables.instrument(name) for name in names[10:]]
        following.until(lambda: [names[at] for at in new if following.phase(at) != "live"])
        following.follow(1.0)
        assert following.reader.count(EVENT_LISTED, new) == len(new)
        assert following.reader.count(EVENT_DELISTED, gone) == len(gone)
        assert (feed.followed["levels"][new] > 10).all()
        assert feed.followed["illegal"].sum() == feed.followed["gaps"].sum() == 0


def test_a_loss_that_nothing_tells_is_found_by_a_cross_check():
    """Bitstamp numbers nothing."""
    faults = {"bitstamp": {"drop": 0.02}}
    options = Options(gather_ms=1, checks_s=0.3)
    with Following(1, 2, 100, faults, options) as following:
        following.until(following.not_live)
        drifted = following.handler.feed.followed["drifts"]
        bitstamps = following.handler.tables.instruments["venue"] == 2
        following.until(lambda: [] if drifted[bitstamps].any() else ["no drift found"])
        following.check()
        assert following.reader.count(EVENT_DRIFT, range(10)) == drifted.sum()
