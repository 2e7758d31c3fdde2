"""Distributions as tables of 1,024 quantiles: a draw is ten random bits and one load.

The knots are (probability, value) as measured on recorded Binance spot BTCUSDT data by
`bench/market_facts.py`; between knots a table is log-linear. Beyond its last quantile a size goes
on as a power law: there a value is multiplied by a draw from `TAIL`, which is Pareto's law and so
similar to itself.

Volumes are in lots of 0.00001 BTC; an instrument's `volume_scale` turns them into its own.
"""

from collections.abc import Sequence

import numpy as np

BITS = 10
QUANTILES = 1 << BITS
UNIT = 1 << 10  # the fixed point of factors and pauses: 1.0
Knot = tuple[float, float]  # probability, value


# Behind the touch: less than measured of all levels, for those at the touch are thick.
LEVEL_VOLUMES = (
    (0, 1), (0.01, 9), (0.1, 55), (0.25, 800), (0.5, 4_300),
    (0.75, 21_000), (0.92, 52_000), (0.99, 1_917_279), (0.999, 8_500_000),
)  # fmt: skip
TOUCH_VOLUMES = (
    (0, 1), (0.01, 9), (0.1, 797), (0.25, 13_515), (0.5, 114_177),
    (0.75, 290_135), (0.9, 424_768), (0.99, 662_494), (1, 1_000_000),
)  # fmt: skip
TRADE_VOLUMES = (
    (0, 1), (0.01, 2), (0.1, 9), (0.25, 10), (0.5, 67),
    (0.75, 1_404), (0.9, 5_761), (0.99, 32_425), (0.999, 72_487),
)  # fmt: skip
# Ticks behind the touch; what is at the touch or inside the spread are other events.
DISTANCES = (
    (0, 1), (0.01, 10), (0.035, 100), (0.24, 1_000), (0.46, 2_625),
    (0.73, 7_898), (0.89, 14_062), (1, 28_000),
)  # fmt: skip
# Trades that one aggressive order makes.
FILLS = ((0, 1), (0.7, 1.5), (0.9, 6), (0.95, 10), (0.99, 21), (1, 96))
# Levels that withdraw together.
WITHDRAWN = ((0, 1), (0.3, 3), (0.6, 10), (0.9, 24), (1, 60))
TAIL_EXPONENT = 1.5


# Where the quantiles of a table are taken.
PROBABILITIES = (np.arange(QUANTILES) + 0.5) / QUANTILES


def quantiles(knots: Sequence[Knot]) -> np.ndarray:
    """The table of a distribution given by knots: each 1 or more."""
    probabilities, values = zip(*knots, strict=True)
    return np.rint(np.exp(np.interp(PROBABILITIES, probabilities, np.log(values))))


def tail() -> np.ndarray:
    """Pareto's law from 1.0, in UNITs."""
    return np.rint(UNIT * (1 - PROBABILITIES) ** (-1 / TAIL_EXPONENT))


def pauses() -> np.ndarray:
    """The exponential law of mean 1.0, in UNITs; the mean is exact to one part in a thousand."""
    law = -np.log(1 - PROBABILITIES)
    return np.rint(UNIT * law / law.mean())


def tables() -> list[np.ndarray]:
    """All tables, in the order of their numbers in `layout.py`."""
    laws = (LEVEL_VOLUMES, TOUCH_VOLUMES, TRADE_VOLUMES, DISTANCES, FILLS, WITHDRAWN)
    return [*map(quantiles, laws), tail(), pauses()]
