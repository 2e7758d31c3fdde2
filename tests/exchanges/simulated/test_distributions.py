"""Tables of quantiles say what the knots say."""

import numpy as np
import pytest

from mantra.exchanges.simulated import distributions


@pytest.mark.parametrize(
    "knots",
    [
        distributions.LEVEL_VOLUMES,
        distributions.TOUCH_VOLUMES,
        distributions.TRADE_VOLUMES,
        distributions.DISTANCES,
        distributions.FILLS,
    ],
)
def test_a_table_goes_through_its_knots(knots):
    table = distributions.quantiles(knots)
    assert (np.diff(table) >= 0).all()
    assert table[0] >= 1
    for probability, value in knots[1:-1]:
        low, high = table[[int(probability * 1024) - 1, int(probability * 1024) + 1]]
        assert low <= max(round(value), 1) <= high


def test_pauses_have_the_mean_one_and_the_tail_is_a_power_law():
    assert distributions.pauses().mean() == pytest.approx(distributions.UNIT, rel=1e-3)
    tail = distributions.tail()
    ratio = np.log(tail[512] / tail[0]) / np.log(2)
    assert ratio == pytest.approx(1 / distributions.TAIL_EXPONENT, rel=0.01)
