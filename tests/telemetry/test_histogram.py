"""The histogram against NumPy's own percentiles, within its stated error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantra.icc.memory import address_of, aligned_zeros
from mantra.telemetry.histogram import (
    BUCKETS,
    HISTOGRAM,
    VALUE_MAX,
    bit_length,
    bucket_middles,
    bucket_of,
    percentiles,
    record_value,
)

ERROR = 1 / 32


def filled(values):
    histogram = aligned_zeros(1, HISTOGRAM)
    for value in values:
        record_value(address_of(histogram), int(value))
    return histogram[0]


@given(st.integers(0, VALUE_MAX))
def test_a_bucket_stands_for_its_values_within_the_stated_error(value):
    bucket = bucket_of(value)
    assert 0 <= bucket < BUCKETS
    assert abs(bucket_middles()[bucket] - value) <= max(value * ERROR / 2, 0)


def test_buckets_rise_with_values_and_leave_none_out():
    assert [bucket_of(value) for value in range(64)] == list(range(64))
    buckets = [bucket_of(value) for value in range(1 << 12)]
    assert set(np.diff(buckets)) <= {0, 1}
    assert bucket_of(VALUE_MAX) == BUCKETS - 1


def test_values_out_of_range_count_as_the_nearest():
    assert bucket_of(-5) == 0
    assert bucket_of(VALUE_MAX + 1) == BUCKETS - 1


@pytest.mark.parametrize("value", [0, 1, 2, 3, 63, 64, 65, (1 << 43) - 1, 1 << 43])
def test_bit_length_is_pythons(value):
    assert bit_length(value) == value.bit_length()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_percentiles_are_those_of_the_values(seed):
    values = np.random.default_rng(seed).lognormal(6, 1.5, 3000).astype(np.int64)
    asked = (0, 10, 50, 90, 99, 99.9, 100)
    exact = np.percentile(values, asked, method="inverted_cdf")
    for got, want in zip(percentiles(filled(values), asked), exact, strict=True):
        assert got == pytest.approx(want, rel=ERROR / 2, abs=0.5)


def test_count_sum_and_extremes_are_exact():
    histogram = filled([7, 100_000, 3])
    assert (histogram["count"], histogram["sum"]) == (3, 100_010)
    assert (histogram["min"], histogram["max"]) == (3, 100_000)


def test_an_empty_histogram_has_no_percentiles():
    assert np.isnan(percentiles(filled([]), (50,))[0])


@pytest.mark.needs_jit
def test_recording_is_compiled_once():
    filled([1])
    assert len(record_value.signatures) == 1
