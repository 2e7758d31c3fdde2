"""Slow, obvious twins: decimals by `decimal`, amounts by Python's unbounded integers."""

import re
from decimal import Context, Decimal

from mantra.messages import decimals
from mantra.messages.amounts import AMOUNT_MAX, UP

NUMBER = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)(?:[eE]([+-]?[0-9]+))?", re.ASCII)
EXACT = Context(prec=30_000)
TENS_MAX = 10_000


def parse_decimal(text: str, exponent: int) -> tuple[int, int]:
    """(value, status) of the whole text."""
    match = NUMBER.fullmatch(text)
    if not match:
        return 0, decimals.MALFORMED
    tens = max(-TENS_MAX, min(TENS_MAX, int(match[2] or 0)))
    units = Decimal(match[1]).scaleb(exponent + tens, EXACT)
    if units != units.to_integral_value(context=EXACT):
        return 0, decimals.TOO_PRECISE
    if abs(units) > decimals.INT64_MAX:
        return 0, decimals.OVERFLOW
    return int(units), decimals.OK


def mul_div(a: int, b: int, divisor: int, rounding: int) -> int:
    """a × b / divisor, rounded as asked, saturated."""
    quotient = -(-(a * b) // divisor) if rounding == UP else a * b // divisor
    return max(-AMOUNT_MAX, min(AMOUNT_MAX, quotient))


def amount(value: int, exponent: int) -> Decimal:
    """An integer count as the decimal it stands for."""
    return Decimal(int(value)).scaleb(-exponent, EXACT)
