"""Steps as venues write them, and the decimals they need."""

import pytest

from mantra.exchanges.listing import HALTED, ONLINE, decimals_of, from_steps


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


NAMES = ("BTC-USD", "BTC", "USD")


def test_steps_and_minimum_are_counted_in_the_instruments_own_units():
    found = from_steps(NAMES, "0.05", "0.001", ("0.01", "5"))
    assert (found.price_exponent, found.volume_exponent) == (2, 3)
    assert (found.tick_size, found.lot_size, found.min_volume) == (5, 1, 10)
    assert (found.min_notional, found.status) == ("5", ONLINE)
    assert from_steps(NAMES, "1", "1", online=False).status == HALTED


@pytest.mark.parametrize(("tick", "exponent"), [("1", 3), ("0.0000001", 8), ("1e-10", 10)])
def test_spare_decimals_end_at_the_usual_eight(tick, exponent):
    found = from_steps(NAMES, tick, "1", spare=3)
    assert found.price_exponent == exponent


@pytest.mark.parametrize("steps", [("x", "1"), ("1", "1e-30"), ("", "")])
def test_an_instrument_without_sound_steps_is_named(steps):
    with pytest.raises(ValueError, match="'BTC-USD'"):
        from_steps(NAMES, *steps)
