"""`mantra bench book`: level updates a second, beside a dict and other people's books.

In:        `--data FILE…`, or $MANTRA_DATA/binance-collector; without either, a random walk.
Out:       rows a second of each book over the same rows, measured in turns.
Must not know: how a book is built.

Every contender gets the rows in its own natural form in memory and is timed from the second group
on (the first is the snapshot), so that growing and first touches of memory are outside for all.
Times are CPU time of the thread: a pass takes milliseconds, and other processes would decide it.

    books                apply_update on L2_UPDATE records: checks, groups, crossing, counters
    books, queried       the same, and after each group best price and volume of both sides
    hftbacktest          elapse to the end without a strategy, its depth fed by the same rows
    dict                 a dict a side, the best price kept, sought again when it is deleted
    sortedcontainers     a SortedDict a side, the best looked up after each group
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mantra.bench.book_rows import random_walk, read_rows, recorded_files
from mantra.bench.harness import Bench, interleaved
from mantra.books.book import (
    CONSISTENT,
    apply_update,
    best_price,
    best_volume,
    levels,
    new_book,
)
from mantra.compiled import compiled
from mantra.icc.memory import address_of
from mantra.messages.enums import ASK, BID, LAST
from mantra.messages.records import L2_UPDATE

ROW_BYTES = L2_UPDATE.itemsize
TICK, LOT = 0.01, 1e-8  # hftbacktest wants floats; only their ratio to the prices matters
REACH = 0.05  # its vector depth covers this much of the price to both sides, the rest it ignores
TIMES_FASTER = 2


@compiled
def replay(book, address, count):
    """Apply `count` records; how many groups completed."""
    groups = 0
    for row in range(count):
        groups += int(apply_update(book, address + row * ROW_BYTES) == CONSISTENT)
    return groups


@compiled
def replay_queried(book, address, count):
    """`replay`, with the four words that every model reads after each group."""
    total = np.int64(0)
    for row in range(count):
        if apply_update(book, address + row * ROW_BYTES) == CONSISTENT:
            for side in range(2):
                total += best_price(book, side) ^ best_volume(book, side)
    return total


class Rows:
    """The rows in every contender's form; the snapshot is `[:start]`."""

    def __init__(self, rows: np.ndarray):
        self.records = rows
        self.start = int(np.flatnonzero(rows["flags"] & LAST)[0]) + 1
        self.count = len(rows) - self.start
        fields = ("side", "price", "volume", "flags")
        self.tuples = list(zip(*(rows[name].tolist() for name in fields), strict=True))
        self.best = tuple(self._end(side) for side in (BID, ASK))

    def _end(self, side: int) -> int:
        """Best price after the last row, by the definition: each contender must end there."""
        last = {price: volume for of, price, volume, _ in self.tuples if of == side}
        prices = [price for price, volume in last.items() if volume]
        return max(prices) if side == BID else min(prices)

    def check(self, who: str, bid: int, ask: int) -> None:
        if (bid, ask) != self.best:
            raise AssertionError(f"{who} ends at {bid} / {ask}, the rows at {self.best}")


def run(
    quick: bool = False, data: Sequence[str | Path] = (), repeats: int = 0, updates: int = 300_000
) -> Bench:
    """Measure; `updates` is the length of the random walk if there is no data."""
    bench = Bench("book")
    files = [Path(file) for file in data] or recorded_files()
    if files:
        rows = Rows(read_rows(files))
    else:
        rows = Rows(random_walk(updates))
        bench.note("no recorded data (--data, $MANTRA_DATA): the rows are a random walk")
    contenders = _contenders(bench, rows)
    rates = interleaved(contenders, repeats or (3 if quick else 11))
    for key, values in rates.items():
        bench.result(key, values)
    bench.result("rows", rows.count)
    _describe_book(bench, rows)
    others = [key for key in rates if key.startswith("hftbacktest")]
    if others:
        fastest = max(others, key=lambda key: bench.results[key])
        bar = TIMES_FASTER * bench.results[fastest]
        bench.bar("updates_per_s", ">=", bar, why=f"{TIMES_FASTER} × {fastest}")
    return bench


def _contenders(bench: Bench, rows: Rows) -> dict[str, Callable[[], float]]:
    """Result key -> one timed pass, in rows a second."""
    found: dict[str, Callable[[], float]] = {
        "updates_per_s": partial(_time_book, rows, replay),
        "updates_queried_per_s": partial(_time_book, rows, replay_queried),
        "dict_per_s": partial(_time_dict, rows),
    }
    if find_spec("sortedcontainers"):
        found["sortedcontainers_per_s"] = partial(_time_sorted, rows)
    else:
        bench.note("sortedcontainers is not installed: pip install mantra[bench]")
    if find_spec("hftbacktest"):
        events = hftbacktest_events(rows.records)
        for key, depth in (("hashmap", "HashMap"), ("roi", "ROIVector")):
            found[f"hftbacktest_{key}_per_s"] = partial(_time_hftbacktest, rows, events, depth)
    else:
        bench.note("hftbacktest is not installed: pip install mantra[bench]; so there is no bar")
    return found


def _describe_book(bench: Bench, rows: Rows) -> None:
    with new_book() as book:
        replay(book.address, address_of(rows.records), len(rows.records))
        bench.result("bytes_per_book", book.size)
        bench.result("levels_bid", levels(book.address, BID))
        bench.result("levels_ask", levels(book.address, ASK))
    with new_book() as book:
        bench.result("bytes_per_thin_book", book.size)


def _time_book(rows: Rows, replay: Callable[[int, int, int], int]) -> float:
    with new_book() as owner:
        book, address = owner.address, address_of(rows.records)
        replay(book, address, rows.start)  # compiles, too
        address += rows.start * ROW_BYTES
        start = time.thread_time()
        replay(book, address, rows.count)
        seconds = time.thread_time() - start
        rows.check("the book", best_price(book, BID), best_price(book, ASK))
    return rows.count / seconds


def _time_dict(rows: Rows) -> float:
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    best = [0, 1 << 62]

    def apply(tuples: list[tuple[int, int, int, int]]) -> None:
        crossed = 0
        for side, price, volume, flags in tuples:
            levels = sides[side]
            if volume:
                levels[price] = volume
                if price > best[BID] if side == BID else price < best[ASK]:
                    best[side] = price
            else:
                levels.pop(price, None)
                if price == best[side]:
                    best[side] = (max if side == BID else min)(levels)
            if flags & LAST:
                crossed += best[BID] >= best[ASK]

    return _time_python(rows, apply, lambda: tuple(best))


def _time_sorted(rows: Rows) -> float:
    from sortedcontainers import SortedDict

    sides = (SortedDict(), SortedDict())

    def apply(tuples: list[tuple[int, int, int, int]]) -> None:
        crossed = 0
        for side, price, volume, flags in tuples:
            if volume:
                sides[side][price] = volume
            else:
                sides[side].pop(price, None)
            if flags & LAST:
                crossed += sides[BID].keys()[-1] >= sides[ASK].keys()[0]

    return _time_python(rows, apply, lambda: (sides[BID].keys()[-1], sides[ASK].keys()[0]))


def _time_python(rows: Rows, apply: Callable[[list], None], best: Callable[[], tuple]) -> float:
    snapshot, tuples = rows.tuples[: rows.start], rows.tuples[rows.start :]
    apply(snapshot)
    start = time.thread_time()
    apply(tuples)
    seconds = time.thread_time() - start
    rows.check("a Python book", *best())
    return rows.count / seconds


def hftbacktest_events(rows: np.ndarray) -> np.ndarray:
    """The rows as hftbacktest's depth events, received 1 ms after the exchange's time."""
    from hftbacktest import types as hft

    events = np.zeros(len(rows), hft.event_dtype)
    side = np.where(rows["side"] == BID, hft.BUY_EVENT, hft.SELL_EVENT).astype(np.uint64)
    events["ev"] = side | np.uint64(hft.DEPTH_EVENT | hft.EXCH_EVENT | hft.LOCAL_EVENT)
    events["exch_ts"] = np.maximum.accumulate(rows["ts_exchange"]) + 1
    events["local_ts"] = events["exch_ts"] + 1_000_000
    events["px"], events["qty"] = rows["price"] * TICK, rows["volume"] * LOT
    return events


def _time_hftbacktest(rows: Rows, events: np.ndarray, depth: str) -> float:
    import hftbacktest

    asset: Any = hftbacktest.BacktestAsset().data(events)
    asset = asset.linear_asset(1.0).constant_order_latency(1_000_000, 1_000_000)
    asset = asset.risk_adverse_queue_model().no_partial_fill_exchange()
    asset = asset.trading_value_fee_model(0.0, 0.0).tick_size(TICK).lot_size(LOT)
    price = float(events["px"][0])
    asset = asset.last_trades_capacity(0).roi_lb(price * (1 - REACH)).roi_ub(price * (1 + REACH))
    backtest = getattr(hftbacktest, f"{depth}MarketDepthBacktest")([asset])
    # To where both of its books, the exchange's and the strategy's, have the snapshot.
    backtest.elapse(int(events["local_ts"][rows.start] - events["exch_ts"][0]) - 1)
    start = time.thread_time()
    backtest.elapse(1 << 60)
    seconds = time.thread_time() - start
    best = backtest.depth(0)
    rows.check(f"hftbacktest {depth}", int(best.best_bid_tick), int(best.best_ask_tick))
    backtest.close()
    return rows.count / seconds
