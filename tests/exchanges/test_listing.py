"""Steps as venues write them, and the decimals they need."""

import pytest

from mantra.exchanges.listing import decimals_of


@pytest.mark.parametrize(
    ("step", "exponent"),
    [
        ("0.01000000", 2),
        ("1E-8", 8),
        ("5", 0),
        ("100", 0),
        ("0.5", 1),
        ("0.00000001", 8),
        ("1e2", 0),
    ],
)
def test_a_step_needs_as_many_decimals_as_it_has_digits_that_are_not_zero(step, exponent):
    assert decimals_of(step) == exponent


@pytest.mark.parametrize("step", ["", "x", "1e-19", "0.1.2", "99999999999999999999"])
def test_what_is_no_step_is_refused(step):
    with pytest.raises(ValueError, match=r"step|decimal"):
        decimals_of(step)
