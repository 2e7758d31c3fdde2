"""The mix: cycles that never cross and come back to their base; everybody on a connection."""

import json

import numpy as np
import pytest

from mantra.bench import ingest_mix
from mantra.bench.ingest_mix import PLANS, Mix, framed, made_up, make_cycle, parted, recorded
from mantra.exchanges.bitfinex.subscriptions import CHANNELS_MAX
from mantra.market_data.venues import VENUES
from mantra.messages.enums import ASK, BID
from tests.exchanges import recorded as recordings


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("MANTRA_DATA", str(tmp_path / "none"))


def test_the_plan_is_the_one_of_the_claim_and_within_what_venues_allow():
    assert sum(plan.instruments for plan in PLANS.values()) == 5764
    assert sum(plan.connections for plan in PLANS.values()) == 169
    assert sum(plan.share for plan in PLANS.values()) == pytest.approx(1)
    for name, plan in PLANS.items():
        assert -(-plan.instruments // plan.connections) <= VENUES[name].rules.symbols_max
    assert 2 * -(-PLANS["bitfinex"].instruments // PLANS["bitfinex"].connections) <= CHANNELS_MAX


def test_prices_on_the_wrong_side_are_mirrored_where_fewest_are():
    updates = [
        [(BID, 10, 1), (ASK, 11, 1)],
        [(BID, 13, 2), (ASK, 12, 2), (BID, 9, 0)],
        [(BID, 99, 1)],
    ]
    split, good = parted(updates)
    assert split == 10
    assert good == [[(BID, 10, 1), (ASK, 11, 1)], [(BID, 8, 2), (ASK, 12, 2), (BID, 9, 0)]]


def test_a_cycle_ends_where_it_began_and_never_crosses():
    split, updates = parted(
        [[(s, int(float(p) * 100), 1) for s, p, _ in rows] for rows in made_up(3)]
    )
    books = ingest_mix._base(split, updates)
    before = [dict(side) for side in books]
    for update in updates:
        ingest_mix._apply(books, update)
        assert max(books[BID]) < min(books[ASK])
    assert [dict(side) for side in books] == before
    assert min(map(len, books)) >= ingest_mix.BASE_LEVELS


def test_without_recordings_a_mix_is_made_up(no_data):
    mix = Mix(part=200)
    assert not mix.recorded
    assert {venue for venue, _ in mix.streams} == set(PLANS)
    assert sorted(s for _, symbols in mix.streams for s in symbols) == sorted(
        row["symbol"].decode() for row in mix.tables.instruments
    )
    assert set(np.unique(mix.picks)) <= set(range(len(mix.voices)))
    assert 100 < mix.mean_bytes() < 1000
    base = json.loads(mix.base(0))
    assert len(base["bids"]) >= ingest_mix.BASE_LEVELS


def test_of_one_venue_alone(no_data):
    mix = Mix(200, ("binance",))
    assert {venue for venue, _ in mix.streams} == {"binance"}


def test_recordings_have_updates_of_every_venue(monkeypatch):
    recordings.path("cryptofeed")
    monkeypatch.setenv("MANTRA_DATA", str(recordings.ROOT))
    for venue in PLANS:
        updates = recorded(venue)
        assert len(updates) >= 2
        cycle = make_cycle(venue, updates[-1])
        assert len(cycle.texts) > ingest_mix.EVENTS_MIN
        assert cycle.base


def test_a_text_is_framed_as_the_protocol_says():
    assert framed(b"x" * 125)[:1] == b"\x7d"
    assert framed(b"x" * 300)[:3] == b"\x7e\x01\x2c"
