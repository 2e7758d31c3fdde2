"""The order flow is a real market: its book, its trades and its updates agree, always."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from mantra.compiled import JIT
from mantra.exchanges.simulated import orderflow
from mantra.exchanges.simulated.generator import (
    MarketSettings,
    default_markets,
    default_tables,
    new_generator,
)
from mantra.exchanges.simulated.layout import FREE, LEVELS_MIN, SNAPSHOT_LEVELS, TICKS_MAX
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.exchanges.simulated.sink import NaiveBook

EVENTS = 60_000 if JIT else 1_500
BOOKS_EVERY = 500  # events between two comparisons of all levels
DIGESTED = 1_500  # events


def generator(seed=1, rate=0.0):
    tables = default_tables()
    return new_generator(tables, default_markets(tables, "sim-a"), seed, rate)


def market_of(made):
    """The MARKET of the event made last."""
    return made.markets[made.markets["instrument"] == made.l2["instrument"][0]][0]


def book_of(market, made):
    """The generator's own book of a market, as the naive book holds it."""
    index = int(np.flatnonzero(made.markets["instrument"] == market["instrument"])[0])
    cells = np.flatnonzero(made.markets["grid"][index])
    prices = ((market["first_tick"] + cells) * market["tick_size"]).tolist()
    volumes = (made.markets["grid"][index][cells].astype(np.int64) * market["lot_size"]).tolist()
    bids = {p: v for p, v, c in zip(prices, volumes, cells, strict=True) if c <= market["best"][0]}
    asks = {p: v for p, v, c in zip(prices, volumes, cells, strict=True) if c >= market["best"][1]}
    return bids, asks


def digest(events=DIGESTED, seed=5):
    made, sha = generator(seed), hashlib.sha256()
    for _ in range(events):
        orderflow.next_event(made.address)
        sha.update(made.trades.tobytes() + made.l2.tobytes())
    return sha.hexdigest()


def assert_trades_take_the_touch(made, market, book):
    """Each trade takes from the best level there is then, and the group says what is left."""
    left = [dict(side) for side in book.sides]
    for trade in made.trades:
        resting = 1 - int(trade["side"])
        price, volume = int(trade["price"]), int(trade["volume"])
        assert price == (max(left[BID]) if resting == BID else min(left[ASK]))
        assert 0 < volume <= left[resting][price]
        left[resting][price] -= volume
        if left[resting][price] == 0:
            del left[resting][price]
    for level in made.l2:
        assert left[int(level["side"])].get(int(level["price"]), 0) == level["volume"]


def test_a_run_of_events_keeps_every_invariant_of_a_market():
    made = generator()
    books = {int(m["instrument"]): NaiveBook() for m in made.markets}
    sequences, trade_ids, ts_before, traded, spreads = {}, {}, 0, 0, []
    for event in range(EVENTS):
        messages = orderflow.next_event(made.address)
        market, l2, trades = market_of(made), made.l2, made.trades
        instrument = int(market["instrument"])
        book = books[instrument]
        assert messages == len(l2) + len(trades)
        assert len(l2) > 0
        assert l2["flags"][0] & FIRST
        assert l2["flags"][-1] & LAST
        assert np.count_nonzero(l2["flags"] & FIRST) == np.count_nonzero(l2["flags"] & LAST) == 1
        assert bool(l2["flags"][0] & SNAPSHOT) == (event < len(made.markets))
        assert len(set(l2["price"].tolist())) == len(l2), "a group names a price once"
        assert (l2["volume"] >= 0).all()
        assert (l2["price"] % market["tick_size"] == 0).all()
        assert (l2["volume"] % market["lot_size"] == 0).all()
        assert (l2["sequence"] == sequences.get(instrument, 0) + 1).all()
        assert (l2["instrument"] == instrument).all()
        sequences[instrument] = int(l2["sequence"][0])
        ts = int(made.state["ts_exchange"])
        assert ts >= ts_before
        assert (l2["ts_exchange"] == ts).all()
        ts_before = ts
        if len(trades):
            traded += 1
            assert_trades_take_the_touch(made, market, book)
            ids = trades["trade_id"].tolist()
            assert ids == list(range(trade_ids.get(instrument, 0) + 1, ids[-1] + 1))
            trade_ids[instrument] = ids[-1]
            assert (trades["ts_exchange"] == ts).all()
            assert (trades["instrument"] == instrument).all()
        book.apply(l2)
        bid, ask = market["best"]
        assert 0 <= bid < ask < TICKS_MAX
        assert market["levels"].min() >= LEVELS_MIN
        spreads.append(int(ask - bid))
        if event % BOOKS_EVERY == 0 or event == EVENTS - 1:
            assert book.sides == book_of(market, made)
            assert book.best(BID) == (market["first_tick"] + bid) * market["tick_size"]
            assert book.best(ASK) == (market["first_tick"] + ask) * market["tick_size"]
    assert traded > EVENTS // 100
    assert np.mean(np.array(spreads) == 1) > 0.5
    assert max(spreads) > 1


def test_a_snapshot_of_each_market_comes_first():
    made = generator()
    for market in made.markets:
        orderflow.next_event(made.address)
        assert (made.l2["instrument"] == market["instrument"]).all()
        assert len(made.l2) == 2 * SNAPSHOT_LEVELS
        assert len(made.trades) == 0
        assert (np.bincount(made.l2["side"]) == SNAPSHOT_LEVELS).all()
        first_ask = SNAPSHOT_LEVELS
        assert made.l2["price"][0] == made.l2["price"][first_ask] - market["tick_size"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    assert digest(300) == digest(300)
    assert digest(300) != digest(300, seed=6)


@pytest.mark.needs_jit
def test_compiled_and_uncompiled_give_the_same_bytes():
    program = "from tests.exchanges.simulated.test_orderflow import digest; print(digest())"
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest()


def test_simulated_time_passes_at_the_set_rate():
    """Within three deviations: a cycle of busy and quiet is 1,000 messages, and varies by 0.73."""
    made = generator(rate=500_000)
    messages = sum(orderflow.next_event(made.address) for _ in range(400_000 if JIT else 4_000))
    messages -= len(made.l2) + len(made.trades)
    rate = messages / int(made.state["clock_ps"]) * 1e12
    assert rate == pytest.approx(500_000, rel=3 * 0.73 / (messages / 1_000) ** 0.5)


def test_no_stretch_of_messages_is_faster_than_twice_the_rate():
    made = generator(rate=1_000)
    for _ in range(len(made.markets)):
        orderflow.next_event(made.address)
    for _ in range(1_000):
        ps_before, messages = int(made.state["clock_ps"]), len(made.l2) + len(made.trades)
        orderflow.next_event(made.address)
        took_ps = int(made.state["clock_ps"]) - ps_before
        assert messages == 2 * 1000 or took_ps >= messages * 10**9 // 2


def test_arrivals_cluster():
    """Counts in windows vary far more than those of independent arrivals: 1 for Poisson."""
    made = generator(rate=1_000)
    seconds = []
    for _ in range(20_000 if JIT else 2_000):
        orderflow.next_event(made.address)
        seconds += [int(made.state["clock_ps"]) // 10**12] * (len(made.l2) < 100)
    counts = np.bincount(seconds)[3:-1]
    assert counts.var() / counts.mean() > 20


@pytest.mark.parametrize("offset", [-1, 1])
def test_a_price_far_from_where_it_began_is_pulled_back(offset):
    tables = default_tables()
    made = new_generator(tables, [MarketSettings(0, "60000.00")], 3)
    market, grid = made.markets[0], made.markets["grid"][0]
    moved = offset * FREE * 5 // 4
    grid[:] = np.roll(grid, moved)
    market["best"] += moved
    start = int(market["best"][0])
    for _ in range(40_000 if JIT else 4_000):
        orderflow.next_event(made.address)
        assert 0 <= market["best"][0] < market["best"][1] < TICKS_MAX
    assert (int(market["best"][0]) - start) * -offset > 0


def test_compiled_functions_have_one_signature():
    if not JIT:
        pytest.skip("nothing is compiled")
    made = generator()  # kept: the address points into it
    orderflow.next_event(made.address)
    assert len(orderflow.next_event.signatures) == 1
    assert len(orderflow.put_level.signatures) <= 1  # none if `next_event` came from the cache
    assert len(orderflow.find_level.signatures) <= 1
    assert len(orderflow.finish_group.signatures) <= 1
