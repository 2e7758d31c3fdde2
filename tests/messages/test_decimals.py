"""Decimal text <-> integer, beside Python's `decimal`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.icc.memory import address_of
from mantra.messages import decimals
from mantra.messages.decimals import (
    MALFORMED,
    OK,
    OVERFLOW,
    TOO_PRECISE,
    format_decimal,
    parse_decimal,
    scan_decimal,
    to_units,
)
from tests.messages import naive

CASES = [
    ("61737.63000000", 2, 6173763, OK),
    ("61737.63000000", 1, 0, TOO_PRECISE),
    ("0", 0, 0, OK),
    ("0.00000000", 0, 0, OK),
    ("-0.50", 1, -5, OK),
    ("+7", 3, 7000, OK),
    ("1E-8", 8, 1, OK),
    ("1E-8", 7, 0, TOO_PRECISE),
    ("7e-7", 8, 70, OK),
    ("7e+2", 1, 7000, OK),
    ("1.50e1", 0, 15, OK),
    ("10e-1", 0, 1, OK),
    ("0e999999999999999999999", 8, 0, OK),
    ("1e999999999999999999999", 8, 0, OVERFLOW),
    ("1e-999999999999999999999", 8, 0, TOO_PRECISE),
    ("007.10", 1, 71, OK),
    ("9223372036854775807", 0, 2**63 - 1, OK),
    ("-9223372036854775807", 0, 1 - 2**63, OK),
    ("9223372036854775808", 0, 0, OVERFLOW),
    ("92233720368547758.07", 2, 2**63 - 1, OK),
    ("92233720368547758.07", 3, 0, OVERFLOW),
    ("922337203685477580.8", 1, 0, OVERFLOW),
    ("9223372036854775808.5", 0, 0, TOO_PRECISE),
    ("0." + "0" * 300, 2, 0, OK),
    ("1" + "0" * 300, 2, 0, OVERFLOW),
    ("0." + "0" * 300 + "1", 18, 0, TOO_PRECISE),
    *((text, 2, 0, MALFORMED) for text in ("", "-", "+", ".", ".5", "5.", "1.e5", "1e", "1e+")),
    *((text, 2, 0, MALFORMED) for text in ("1.2.3", "--1", "1 ", " 1", "1_0", "0x1", "NaN", "1é")),
    *((text, 2, 0, MALFORMED) for text in ("Infinity", "1,5", "1e5.0", "1\0", "٣")),
]


def parse(text: str, exponent: int) -> tuple[int, int]:
    raw = np.frombuffer(text.encode() + b"9", np.uint8)  # a digit behind the end must not be read
    value, status = parse_decimal(address_of(raw), len(raw) - 1, exponent)
    return int(value), int(status)


@pytest.mark.parametrize(("text", "exponent", "value", "status"), CASES)
def test_text_is_an_exact_integer_or_refused_with_the_reason(text, exponent, value, status):
    assert parse(text, exponent) == (value, status)
    assert naive.parse_decimal(text, exponent) == (value, status), "the naive twin disagrees"


NUMBERS = st.from_regex(r"\A[+-]?[0-9]{1,22}(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?\Z")
ALMOST_NUMBERS = st.text("0123456789+-.eE \0x", max_size=24)


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(NUMBERS, ALMOST_NUMBERS), exponent=st.integers(0, 18))
def test_agrees_with_the_naive_twin_on_numbers_and_almost_numbers(text, exponent):
    assert parse(text, exponent) == naive.parse_decimal(text, exponent)


@settings(max_examples=200, deadline=None)
@given(value=st.integers(1 - 2**63, 2**63 - 1), exponent=st.integers(0, 18))
def test_what_is_formatted_reads_back(value, exponent):
    text = format_decimal(value, exponent)
    assert to_units(text, exponent) == value
    assert naive.amount(value, exponent) == naive.EXACT.create_decimal(text)


def test_a_scan_stops_where_the_number_ends_and_says_where():
    raw = np.frombuffer(b'61.50","0.1', np.uint8)
    start = address_of(raw)
    value, status, after = scan_decimal(start, start + len(raw), 2)
    assert (value, status, after - start) == (6150, OK, 5)


@pytest.mark.parametrize(
    ("text", "exponent", "complaint"),
    [("abc", 2, "'abc'.*malformed"), ("0.001", 2, "'0.001'.*too precise"), ("1", 19, "19")],
)
def test_to_units_names_the_text_it_refuses(text, exponent, complaint):
    with pytest.raises(ValueError, match=complaint):
        to_units(text, exponent)


@pytest.mark.parametrize(
    ("value", "exponent", "text"), [(-5, 3, "-0.005"), (0, 2, "0.00"), (15, 0, "15"), (7, 1, "0.7")]
)
def test_all_decimals_are_written_out(value, exponent, text):
    assert format_decimal(value, exponent) == text


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller():
    parse("1e5", 2)
    for function in (parse_decimal, scan_decimal, decimals._scan_slowly):
        assert len(function.signatures) <= 1, function
