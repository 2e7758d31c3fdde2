"""Rows for the archive's tests: random ones, and ones that look like a run's."""

import numpy as np

from mantra.messages import records as messages

INT64 = np.iinfo(np.int64)


def random_rows(dtype: np.dtype, count: int, seed: int = 0) -> np.ndarray:
    """Every field full of random bits, extremes among them."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, dtype)
    for name in dtype.names or ():
        base = dtype[name].base
        raw = rng.integers(0, 256, (count, dtype[name].itemsize), np.uint8)
        rows[name] = raw.view(base).reshape(rows[name].shape)
        if base.kind == "i" and count >= 2:
            rows[name][0], rows[name][1] = np.iinfo(base).min, np.iinfo(base).max
    return rows


def l2_rows(groups: int, seed: int = 0, step: int = 1000) -> np.ndarray:
    """L2 updates as they arrive: groups of levels under one stamp, now and then out of order."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, groups)
    stamps = np.cumsum(rng.integers(0, step, groups)) - rng.integers(0, 3 * step, groups)
    rows = np.zeros(int(sizes.sum()), messages.L2_UPDATE)
    rows["ts_origin"] = np.repeat(stamps, sizes)
    rows["ts_exchange"] = rows["ts_origin"] // 1000 * 1000
    rows["sequence"] = np.repeat(np.arange(groups) * 3, sizes)
    rows["published"] = rng.integers(0, 500, len(rows)) << 16 | 7
    rows["price"] = 6_000_000 + rng.integers(-500, 500, len(rows))
    rows["volume"] = rng.integers(0, 1000, len(rows)) * 1000
    rows["side"] = rng.integers(0, 2, len(rows))
    return rows


def trade_rows(count: int, seed: int = 1, step: int = 5000) -> np.ndarray:
    """Trades; several share a stamp."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, messages.TRADE_UPDATE)
    rows["ts_origin"] = np.cumsum(rng.integers(0, 2, count) * rng.integers(0, step, count))
    rows["trade_id"] = np.arange(count)
    rows["price"] = 6_000_000 + rng.integers(-500, 500, count)
    rows["volume"] = rng.integers(1, 1000, count)
    return rows


def assert_same_rows(got: np.ndarray, expected: np.ndarray) -> None:
    """Same dtype, same bits in every field (padding does not count)."""
    assert got.dtype == expected.dtype
    assert len(got) == len(expected)
    for name in expected.dtype.names or ():
        assert got[name].tobytes() == expected[name].tobytes(), name
