"""Level updates to measure books with: recorded by Binance, or a random walk where there are none.

In:        files of `<local ns> <json>` lines (gzip), a depth snapshot among them.
Out:       an array of L2_UPDATE: the snapshot as the first group, then every depth message.
Must not know: books.
"""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from mantra.compiled import cache_root
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE

FOLDER = "binance-collector"
VOLUME = 100_000
ROWS_A_GROUP = 46
RECORDED = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")


def recorded_files() -> list[Path]:
    """The recorded files under $MANTRA_DATA (default: ../shared/data), or none."""
    root = Path(os.environ.get("MANTRA_DATA", "../shared/data")) / FOLDER
    files = [root / name for name in RECORDED]
    return files if all(file.is_file() for file in files) else []


def read_rows(files: Sequence[Path]) -> np.ndarray:
    """All level updates of the files, in order; kept as .npy in the cache directory.

    Raises ValueError where no snapshot is among them, OSError where a file cannot be read.
    """
    facts = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(repr((facts, L2_UPDATE.descr)).encode()).hexdigest()[:16]
    cached = cache_root() / "bench" / f"book-{key}.npy"
    if cached.is_file():
        return np.load(cached).view(L2_UPDATE)
    rows = _rows(list(_groups(files)))
    cached.parent.mkdir(parents=True, exist_ok=True)
    partial = cached.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, rows.view(np.uint8))
    partial.replace(cached)
    return rows


def _groups(files: Sequence[Path]) -> Iterator[tuple[int, int, bool, Any, Any]]:
    """(exchange ns, sequence, is a snapshot, bids, asks) from the snapshot on."""
    snapshot, depths = None, []
    for file in files:
        with gzip.open(file, "rt") as lines:
            for line in lines:
                message = json.loads(line.split(" ", 1)[1])
                if "lastUpdateId" in message:
                    snapshot = message
                elif "@depth" in message["stream"]:
                    depths.append(message["data"])
    if snapshot is None:
        raise ValueError(f"no depth snapshot in {', '.join(map(str, files))}: nothing to start on")
    seen = snapshot["lastUpdateId"]
    depths = [depth for depth in depths if depth["u"] > seen]
    start = depths[0]["E"] * 1_000_000 if depths else 0
    yield start, seen, True, snapshot["bids"], snapshot["asks"]
    for depth in depths:
        yield depth["E"] * 1_000_000, depth["u"], False, depth["b"], depth["a"]


def _rows(groups: Sequence[tuple[int, int, bool, Any, Any]]) -> np.ndarray:
    texts = [pair for *_, bids, asks in groups for side in (bids, asks) for pair in side]
    price_units = 10 ** max(_decimals(price) for price, _ in texts)
    volume_units = 10 ** max(_decimals(volume) for _, volume in texts)
    rows = np.zeros(len(texts), L2_UPDATE)
    end = 0
    for ts_exchange, sequence, is_snapshot, bids, asks in groups:
        start = end
        for side, pairs in ((BID, bids), (ASK, asks)):
            for price, volume in pairs:
                row, end = rows[end], end + 1
                row["price"] = int(Decimal(price) * price_units)
                row["volume"] = int(Decimal(volume) * volume_units)
                row["side"] = side
        group = rows[start:end]
        group["ts_exchange"], group["sequence"] = ts_exchange, sequence
        _flag(group, is_snapshot)
    return rows


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def _flag(group: np.ndarray, is_snapshot: bool) -> None:
    if len(group):
        group["flags"] = SNAPSHOT if is_snapshot else 0
        group["flags"][0] |= FIRST
        group["flags"][-1] |= LAST


def random_walk(count: int, seed: int = 1) -> np.ndarray:
    """`count` updates shaped like the recorded: 1,400 levels a side, groups of 46, half deletes.

    The touch walks; a level that it reaches is deleted in the same group, so the book never
    crosses.
    """
    draw = np.random.default_rng(seed)
    touch = 6_000_000  # best possible bid; the best possible ask is one tick above
    first = [
        (side, touch + side + (2 * side - 1) * distance, VOLUME)
        for side in (BID, ASK)
        for distance in draw.choice(20_000, 1400, replace=False).tolist()
    ]
    groups, rows_made = [first], len(first)
    live = {(side, price) for side, price, _ in first}
    while rows_made < count:
        step = int(draw.integers(-20, 21)) if draw.random() < 0.4 else 0
        reached = [(ASK, touch + n) for n in range(1, step + 1)]
        reached += [(BID, touch - n) for n in range(-step)]
        touch += step
        group = [(side, price, 0) for side, price in reached if (side, price) in live]
        sides = draw.integers(0, 2, ROWS_A_GROUP).tolist()
        distances = draw.exponential(4000, ROWS_A_GROUP).astype(int).tolist()
        deletes = (draw.random(ROWS_A_GROUP) < 0.48).tolist()
        for side, distance, delete in zip(sides, distances, deletes, strict=True):
            price = touch + side + (2 * side - 1) * distance
            group.append((side, price, 0 if delete else VOLUME + distance))
        live.difference_update(reached)
        live.update((side, price) for side, price, volume in group if volume)
        groups.append(group)
        rows_made += len(group)
    return _walk_rows(groups)


def _walk_rows(groups: list[list[tuple[int, int, int]]]) -> np.ndarray:
    rows = np.zeros(sum(map(len, groups)), L2_UPDATE)
    end = 0
    for number, group in enumerate(groups):
        part, end = rows[end : end + len(group)], end + len(group)
        part["side"], part["price"], part["volume"] = np.array(group).T
        part["ts_exchange"], part["sequence"] = number * 100_000_000, number
        _flag(part, number == 0)
    return rows
