"""HDR-style histogram in flat memory: fixed relative error, one increment to record.

Values are non-negative integers (ticks). Below 64 a bucket is one value; above, each doubling is
cut into 32 buckets, so a bucket is at most 1/32 (3.1 %) wide and a percentile, reported as the
bucket's middle, at most 1.6 % off. The idea is that of HdrHistogram (Gil Tene); the layout is ours:

     0       8      16     24     32          32 + 8 × BUCKETS
     +-------+------+------+------+-----------------------------+
     | count | sum  | min  | max  | counts by bucket            |
     +-------+------+------+------+-----------------------------+
"""

from collections.abc import Sequence

import numpy as np
from llvmlite import ir
from numba import types

from mantra.compiled import compiled, emits
from mantra.icc.memory import record_type, records_at

SUB_BITS = 5
SUB_BUCKETS = 1 << SUB_BITS
EXACT_BELOW = 2 * SUB_BUCKETS
VALUE_BITS = 44  # larger values are counted as the largest: 2 h at 2.4 GHz
BUCKETS = (VALUE_BITS - SUB_BITS + 1) * SUB_BUCKETS
VALUE_MAX = (1 << VALUE_BITS) - 1

HISTOGRAM = record_type("i8 count sum min max", f"({BUCKETS},)i8 counts")


def bit_length(value: int) -> int:
    """Bits of a non-negative value; 0 for 0."""
    return int(value).bit_length()


@emits(bit_length, types.int64, types.int64)
def _emit_bit_length(builder, value):
    zeros = builder.ctlz(value, ir.Constant(ir.IntType(1), 0))
    return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)


@compiled
def bucket_of(value):
    """Index of the bucket that counts `value`; negative values count as 0."""
    value = min(max(value, 0), VALUE_MAX)
    if value < EXACT_BELOW:
        return value
    shift = bit_length(value) - SUB_BITS - 1
    return shift * SUB_BUCKETS + (value >> shift)


@compiled
def record_value(histogram_address, value):
    """Count one value."""
    histogram = records_at(histogram_address, 1, HISTOGRAM)[0]
    if histogram["count"] == 0 or value < histogram["min"]:
        histogram["min"] = value
    histogram["max"] = max(histogram["max"], value)
    histogram["count"] += 1
    histogram["sum"] += value
    histogram["counts"][bucket_of(value)] += 1


def bucket_middles() -> np.ndarray:
    """The value each bucket stands for (float64, ticks)."""
    index = np.arange(BUCKETS)
    shift = np.maximum(index // SUB_BUCKETS - 1, 0)
    low = (index - shift * SUB_BUCKETS) << shift
    return low + ((1 << shift) - 1) / 2


def percentiles(histogram: np.void, percents: Sequence[float]) -> list[float]:
    """Values (ticks) below which so many percent of all lie; NaN where nothing was counted."""
    cumulative = np.cumsum(histogram["counts"])
    if cumulative[-1] == 0:
        return [float("nan")] * len(percents)
    ranks = np.ceil(np.asarray(percents) / 100 * cumulative[-1]).clip(1)
    middles = bucket_middles()[np.searchsorted(cumulative, ranks)]
    return [float(v) for v in np.clip(middles, histogram["min"], histogram["max"])]
