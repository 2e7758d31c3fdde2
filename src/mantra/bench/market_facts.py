"""Recorded market data beside simulated: `python -m mantra.bench.market_facts ARCHIVE`.

Prints the facts of an archive's first instrument and of as many messages of the simulated venue,
as a Markdown table; docs/decisions/008-simulated-venue.md says which are meant to agree.

`facts` makes one column, `table` sets columns side by side. Groups are first merged as a venue
with a feed every WINDOW_MS merges them: of each level the last volume in the window. So a feed of
single changes and one of merged changes compare.

Statistics. Tail exponent: Hill's estimator over the largest 1 % (Ann. Statist. 3(5), 1975). Fano
factor: variance of the counts in windows over their mean, 1 for independent arrivals.
Autocorrelation: Pearson's, of neighbours.
"""

import sys
from collections.abc import Iterator

import numpy as np

from mantra.archive import ArchiveReader
from mantra.exchanges.simulated.generator import MarketSettings, default_tables, new_generator
from mantra.exchanges.simulated.orderflow import next_event
from mantra.messages.enums import ASK, BID, FIRST, SNAPSHOT
from mantra.messages.tables import Tables

WINDOW_MS = 100
NS_PER_MS = 1_000_000
TAIL_SHARE = 0.01
SIMULATED_MESSAGES = 400_000
VOLUME_EXPONENT = 5  # of the simulated BTC-USDT

Level = tuple[int, int, int]  # side, price in ticks, volume


def simulated(messages: int = SIMULATED_MESSAGES, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """L2 and trade records of one simulated market at its natural rate."""
    made = new_generator(default_tables(), [MarketSettings(0, "60000.00")], seed)
    l2, trades, count = [], [], 0
    while count < messages:
        count += next_event(made.address)
        l2.append(made.l2.copy())
        trades.append(made.trades.copy())
    return np.concatenate(l2), np.concatenate(trades)


def facts(
    l2: np.ndarray, trades: np.ndarray, tick_size: int = 1, volume_unit: int = 1
) -> dict[str, float]:
    """Facts of one instrument's records, by name: volumes in units, distances in ticks."""
    l2, trades = l2.copy(), trades.copy()
    trades["volume"] //= volume_unit
    l2["volume"] = -(-l2["volume"] // volume_unit)
    groups = list(_windows(l2, tick_size))
    return {**_book_facts(groups), **_trade_facts(trades), **_rate_facts(groups, l2, trades)}


def _windows(l2: np.ndarray, tick_size: int) -> Iterator[tuple[bool, list[Level]]]:
    """(snapshot?, levels) of each window with changes."""
    windows = l2["ts_exchange"] // (WINDOW_MS * NS_PER_MS)
    is_snapshot = l2["flags"] & SNAPSHOT > 0
    cuts = np.flatnonzero(
        (np.diff(windows) != 0)
        | (np.diff(is_snapshot) != 0)
        | (is_snapshot[1:] & (l2["flags"][1:] & FIRST > 0))
    )
    for rows in np.split(l2, cuts + 1):
        side, price = rows["side"].tolist(), (rows["price"] // tick_size).tolist()
        merged = dict(zip(zip(side, price, strict=True), rows["volume"].tolist(), strict=True))
        levels = [(side, price, volume) for (side, price), volume in merged.items()]
        yield bool(rows["flags"][0] & SNAPSHOT), levels


def _book_facts(groups: list[tuple[bool, list[Level]]]) -> dict[str, float]:
    """Deletes, distances, spreads, moves: from a naive book kept along."""
    book: tuple[dict[int, int], dict[int, int]] = ({}, {})
    spreads, middles, distances, came, went, volumes = [], [], [], 0, 0, []
    for is_snapshot, levels in groups:
        if is_snapshot:
            book = ({}, {})
        known = bool(book[BID] and book[ASK])
        best = (max(book[BID]), min(book[ASK])) if known else (0, 0)
        for side, price, volume in levels:
            if known:
                distances.append((1 - 2 * side) * (best[side] - price))
                came += volume > 0 and price not in book[side]
                went += volume == 0
            if volume:
                volumes.append(volume)
                book[side][price] = volume
            else:
                book[side].pop(price, None)
        if book[BID] and book[ASK]:
            spreads.append(min(book[ASK]) - max(book[BID]))
            middles.append((min(book[ASK]) + max(book[BID])) / 2)
    away, spread = np.array(distances), np.array(spreads)
    moves = np.abs(np.diff(middles))
    return {
        "updates that delete": went / len(away),
        "updates that add a level": came / len(away),
        "updates inside the spread": float(np.mean(away < 0)),
        "updates at the touch": float(np.mean(away == 0)),
        "updates within 10 ticks": float(np.mean(away <= 10)),
        "updates within 100 ticks": float(np.mean(away <= 100)),
        "updates within 1,000 ticks": float(np.mean(away <= 1_000)),
        "distance p50, ticks": float(np.percentile(away, 50)),
        "distance p90, ticks": float(np.percentile(away, 90)),
        "spread of one tick, share of windows": float(np.mean(spread == 1)),
        "spread p99.9, ticks": float(np.percentile(spread, 99.9)),
        "windows in which the middle moves": float(np.mean(moves > 0)),
        "move p50, ticks": float(np.percentile(moves[moves > 0], 50)) if moves.any() else 0.0,
        **_sizes("level volume", np.array(volumes)),
    }


def _sizes(what: str, volumes: np.ndarray) -> dict[str, float]:
    largest = np.sort(volumes)[::-1][: int(len(volumes) * TAIL_SHARE) + 1].astype(float)
    return {
        f"{what} p50": float(np.percentile(volumes, 50)),
        f"{what} p90": float(np.percentile(volumes, 90)),
        f"{what} p99": float(np.percentile(volumes, 99)),
        f"{what} tail exponent": float(1 / np.mean(np.log(largest[:-1] / largest[-1]))),
    }


def _trade_facts(trades: np.ndarray) -> dict[str, float]:
    ts_ms = trades["ts_exchange"] // NS_PER_MS
    first = np.r_[True, (np.diff(ts_ms) != 0) | (np.diff(trades["side"]) != 0)]
    order_sides = trades["side"][first].astype(float)
    return {
        **_sizes("trade volume", trades["volume"]),
        "trades of an aggressive order": len(trades) / np.count_nonzero(first),
        "side of orders, autocorrelation": _autocorrelation(order_sides),
        "aggressive orders in 100 ms, Fano": _fano(ts_ms[first], 100),
        "aggressive orders in 1 s, Fano": _fano(ts_ms[first], 1_000),
        "trades in 1 s, Fano": _fano(ts_ms, 1_000),
    }


def _rate_facts(
    groups: list[tuple[bool, list[Level]]], l2: np.ndarray, trades: np.ndarray
) -> dict[str, float]:
    sizes = np.array([len(levels) for is_snapshot, levels in groups if not is_snapshot])
    span_s = float(np.ptp(l2["ts_exchange"][l2["ts_exchange"] > 0])) / 1e9  # 0: not said
    return {
        "levels in 100 ms, mean": float(sizes.mean()),
        "levels in 100 ms, p50": float(np.percentile(sizes, 50)),
        "levels in 100 ms, p99": float(np.percentile(sizes, 99)),
        "levels in 100 ms, Fano": float(sizes.var() / sizes.mean()),
        "levels in 100 ms, autocorrelation": _autocorrelation(sizes.astype(float)),
        "trades for a level": len(trades) / float(sizes.sum()),
        "levels a second": float(sizes.sum()) / span_s,
    }


def _fano(ts_ms: np.ndarray, window_ms: int) -> float:
    counts = np.bincount((ts_ms - ts_ms[0]) // window_ms)
    return float(counts.var() / counts.mean())


def _autocorrelation(values: np.ndarray) -> float:
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


def table(columns: dict[str, dict[str, float]]) -> str:
    """Facts side by side, as a Markdown table."""
    names = list(next(iter(columns.values())))
    lines = ["| fact | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in names:
        cells = [f"{column[name]:,.3g}" if abs(column[name]) < 1_000 else f"{column[name]:,.0f}"
                 for column in columns.values()]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def compare(directory: str) -> str:
    """The table. Raises ArchiveError if there is no archive, KeyError if it has no tables."""
    reader = ArchiveReader(directory)
    row = Tables.from_dict(reader.metadata["tables"]).instruments[0]
    l2, trades = (rows[rows["instrument"] == 0] for rows in map(reader.read, ("l2", "trades")))
    unit = 10 ** max(int(row["volume_exponent"]) - VOLUME_EXPONENT, 0)
    columns = {
        "recorded": facts(l2, trades, int(row["tick_size"]), unit),
        "simulated": facts(*simulated(len(l2) + len(trades))),
    }
    return table(columns)


if __name__ == "__main__":
    print(compare(*sys.argv[1:]))
