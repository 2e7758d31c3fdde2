"""Amounts beside Python's unbounded integers."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.icc.memory import address_of
from mantra.messages import amounts
from mantra.messages.amounts import AMOUNT_MAX, DOWN, UP
from mantra.messages.tables import Tables
from tests.messages import naive

ROUNDINGS = st.sampled_from([DOWN, UP])
INTEGERS = st.one_of(
    st.integers(-AMOUNT_MAX, AMOUNT_MAX),
    st.integers(-(10**7), 10**7),
    st.sampled_from([0, 1, -1, AMOUNT_MAX, -AMOUNT_MAX, 2**42, 2**21 - 1]),
)
DIVISORS = st.one_of(st.integers(0, 18).map(lambda n: 10**n), st.integers(1, 10**12))


@settings(max_examples=600, deadline=None)
@given(a=INTEGERS, b=INTEGERS, divisor=DIVISORS, rounding=ROUNDINGS)
def test_products_are_exact_rounded_as_asked_and_saturated(a, b, divisor, rounding):
    assert amounts.mul_div(a, b, divisor, rounding) == naive.mul_div(a, b, divisor, rounding)


def instrument(price_exponent: int, volume_exponent: int, base: int = 8, quote: int = 8) -> Tables:
    tables = Tables()
    venue = tables.add_venue("binance")
    assets = tables.add_asset("BASE", base), tables.add_asset("QUOTE", quote)
    exponents = {"price_exponent": price_exponent, "volume_exponent": volume_exponent}
    tables.add_instrument(venue, "BASEQUOTE", *assets, **exponents)
    return tables


def test_the_common_case_is_exact():
    tables = instrument(price_exponent=2, volume_exponent=6)
    address = address_of(tables.instruments)
    for rounding in (DOWN, UP):
        amount = amounts.quote_amount(address, 6173763, 1_500_001, rounding)
        assert naive.amount(amount, 8) == naive.amount(6173763, 2) * naive.amount(1_500_001, 6)
    assert naive.amount(amounts.base_amount(address, 1_500_001), 8) == naive.amount(1_500_001, 6)


@settings(max_examples=200, deadline=None)
@given(
    price=st.integers(0, 10**14),
    volume=st.integers(0, 10**14),
    price_exponent=st.integers(0, 8),
    volume_exponent=st.integers(0, 8),
    quote=st.integers(0, 12),
)
def test_quote_amounts_round_by_less_than_one_unit_and_to_the_stated_side(
    price, volume, price_exponent, volume_exponent, quote
):
    tables = instrument(price_exponent, volume_exponent, quote=quote)
    address = address_of(tables.instruments)
    true = Fraction(price * volume * 10**quote, 10 ** (price_exponent + volume_exponent))
    low = int(amounts.quote_amount(address, price, volume, DOWN))
    high = int(amounts.quote_amount(address, price, volume, UP))
    if true >= AMOUNT_MAX:
        assert low == high == AMOUNT_MAX
        return
    assert low <= true <= high
    assert high - low == (true.denominator != 1)


@pytest.mark.parametrize(
    ("amount", "fee_ppm", "fee"),
    [
        (1_000_000, 1_000, 1_000),
        (1_000_001, 1_000, 1_001),  # a fee is never less than its rate
        (1, 1, 1),
        (1_000_001, -1_000, -1_000),  # a rebate is never more
        (1, -1, 0),
        (0, 1_000, 0),
        (AMOUNT_MAX, 2_000_000, AMOUNT_MAX),
    ],
)
def test_fees_round_against_us(amount, fee_ppm, fee):
    assert amounts.fee_amount(amount, fee_ppm) == fee


def test_an_amount_no_int64_holds_is_one_that_nobody_can_afford():
    tables = instrument(price_exponent=0, volume_exponent=0, quote=8)
    address = address_of(tables.instruments)
    assert amounts.quote_amount(address, 10**10, 10**5, UP) == AMOUNT_MAX
    assert amounts.quote_amount(address, 10**10, -(10**5), DOWN) == -AMOUNT_MAX
    assert amounts.base_amount(address, 10**12) == AMOUNT_MAX


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller():
    amounts.mul_div(AMOUNT_MAX, AMOUNT_MAX, 10, UP)
    for function in (amounts.mul_div, amounts.quote_amount, amounts.fee_amount):
        assert len(function.signatures) <= 1, function
