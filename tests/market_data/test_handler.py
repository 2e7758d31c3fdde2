"""The handler and simulated venues in processes of their own, over TLS, with and without faults."""

import pytest

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
