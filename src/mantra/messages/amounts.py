"""Amounts: price times volume, fees. Integers across exponents, exact or rounded as told.

In:        prices and volumes in an instrument's units, the instrument's record.
Out:       amounts in its assets' units.
Must not know: whose money it is. The caller says which way to round.

Rounding is toward minus infinity (DOWN) or plus infinity (UP). What we pay, hold or owe rounds UP,
what we get rounds DOWN: against us by at most one unit, never for us. With the usual exponents
(decimals of price + of volume <= decimals of the quote asset) nothing is rounded but fees.

Products are formed in 128 bits. A result that fits no int64 is AMOUNT_MAX with its sign: an amount
nobody can afford, so it fails where it is compared with a balance.
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import records_at
from mantra.messages.tables import INSTRUMENT

DOWN, UP = 0, 1

AMOUNT_MAX = (1 << 63) - 1
PPM = 1_000_000  # fee rates are parts per million

SURELY = 1 << 31  # two factors below it have a product that fits
SMALL, LARGE = 1 << 13, 1 << 50  # and so have these: an amount and a rate

LIMB_BITS = 21  # three limbs are an int64's 63 bits
LIMB_MASK = (1 << LIMB_BITS) - 1
DIVISOR_LIMIT = 10**12  # below 2 ** 42: a remainder and a limb fit an int64 together


@inlined
def mul_div(a, b, divisor, rounding):
    """a × b / divisor, rounded DOWN or UP, saturated at ±AMOUNT_MAX.

    `divisor` is 1 to DIVISOR_LIMIT, or a multiple of DIVISOR_LIMIT: any power of ten that fits.
    a and b are within ±AMOUNT_MAX.
    """
    negative = (a < 0) != (b < 0)
    a, b = abs(a), abs(b)
    small, large = min(a, b), max(a, b)
    plainly_fits = large < SURELY or (small < SMALL and large < LARGE)  # told without a division
    if plainly_fits or b == 0 or a <= AMOUNT_MAX // b:
        quotient, rest = a * b // divisor, a * b % divisor
    else:
        quotient, rest = _wide_mul_div(a, b, divisor)
    # Magnitude grows for UP of a positive and for DOWN of a negative.
    if rest != 0 and negative == (rounding == DOWN) and quotient < AMOUNT_MAX:
        quotient += 1
    return -quotient if negative else quotient


@compiled
def _wide_mul_div(a, b, divisor):
    """(a × b // divisor, saturated; 1 if something was left, else 0) for a, b >= 0."""
    # Schoolbook, 21 bits a limb, so that no partial sum leaves an int64.
    a_0, a_1, a_2 = a & LIMB_MASK, (a >> LIMB_BITS) & LIMB_MASK, a >> (2 * LIMB_BITS)
    b_0, b_1, b_2 = b & LIMB_MASK, (b >> LIMB_BITS) & LIMB_MASK, b >> (2 * LIMB_BITS)
    sum_0 = a_0 * b_0
    sum_1 = a_0 * b_1 + a_1 * b_0 + (sum_0 >> LIMB_BITS)
    sum_2 = a_0 * b_2 + a_1 * b_1 + a_2 * b_0 + (sum_1 >> LIMB_BITS)
    sum_3 = a_1 * b_2 + a_2 * b_1 + (sum_2 >> LIMB_BITS)
    top = a_2 * b_2 + (sum_3 >> LIMB_BITS)  # two limbs in one word
    limb_0, limb_1, limb_2 = sum_0 & LIMB_MASK, sum_1 & LIMB_MASK, sum_2 & LIMB_MASK
    limb_3, rest = sum_3 & LIMB_MASK, np.int64(0)
    while divisor > 1:
        factor = min(divisor, np.int64(DIVISOR_LIMIT))
        divisor //= factor
        top, left = top // factor, top % factor
        limb_3, left = _divide_limb(left, limb_3, factor)
        limb_2, left = _divide_limb(left, limb_2, factor)
        limb_1, left = _divide_limb(left, limb_1, factor)
        limb_0, left = _divide_limb(left, limb_0, factor)
        rest |= left
    if top != 0 or limb_3 != 0:
        return np.int64(AMOUNT_MAX), np.int64(0)
    quotient = (limb_2 << (2 * LIMB_BITS)) | (limb_1 << LIMB_BITS) | limb_0
    return quotient, np.int64(rest != 0)


@compiled
def _divide_limb(left, limb, factor):
    window = (left << LIMB_BITS) | limb
    return window // factor, window % factor


@compiled
def quote_amount(instrument_address, price, volume, rounding):
    """What `volume` costs at `price`, in units of the instrument's quote asset."""
    instrument = records_at(instrument_address, 1, INSTRUMENT)[0]
    if instrument["quote_divisor"] == 1:
        product = mul_div(price, volume, np.int64(1), rounding)
        return mul_div(product, instrument["quote_multiplier"], np.int64(1), rounding)
    return mul_div(price, volume, instrument["quote_divisor"], rounding)


@compiled
def base_amount(instrument_address, volume):
    """`volume` in units of the instrument's base asset: exact, the table sees to it."""
    instrument = records_at(instrument_address, 1, INSTRUMENT)[0]
    return mul_div(volume, instrument["base_multiplier"], np.int64(1), np.int64(DOWN))


@compiled
def fee_amount(amount, fee_ppm):
    """The fee on an amount, in the same asset. Rounds UP: a fee is not less, a rebate not more.

    A negative rate is a rebate and gives a negative fee.
    """
    return mul_div(amount, fee_ppm, np.int64(PPM), np.int64(UP))
