"""A venue's listing of spot instruments: what its parser hands on, in one form for all venues.

In:        numbers as the venue writes them.
Out:       Listed: integers in the instrument's own units.
Must not know: how a venue lists them, tables, the network.
"""

from dataclasses import dataclass

from mantra.messages.decimals import EXPONENT_MAX, to_units

ONLINE = "online"  # both sides trade
DECIMALS_USUAL = 8
HALTED = "halted"  # anything less: cancel only, post only, auction, delisted


@dataclass(frozen=True)
class Listed:
    """One instrument. Sizes are in its own smallest units, the notional in units of the price."""

    symbol: str  # as the venue's market data names it
    base: str  # in common names: BTC, not XBT; USDT, not UST
    quote: str
    price_exponent: int
    volume_exponent: int
    tick_size: int  # 1 where the tick depends on the price (significant figures)
    lot_size: int
    min_volume: int  # 0: the venue names none
    min_notional: str  # decimal text in the quote asset, "0": none
    status: str


def from_steps(
    names: tuple[str, str, str],
    tick: str,
    lot: str,
    minimum: tuple[str, str] = ("0", "0"),
    online: bool = True,
    spare: int = 0,
) -> Listed:
    """An instrument whose venue gives it steps: `names` are symbol, base, quote.

    `minimum` is that of the volume, and of the notional. `spare` decimals beyond the steps', 8 at
    most: for venues where orders of the days of a finer step still stand in the book. Raises
    ValueError naming the symbol.
    """
    try:
        price_exponent, volume_exponent = (
            max(decimals, min(decimals + spare, DECIMALS_USUAL))
            for decimals in (decimals_of(tick), decimals_of(lot))
        )
        return Listed(
            *names,
            price_exponent,
            volume_exponent,
            tick_size=to_units(tick, price_exponent),
            lot_size=to_units(lot, volume_exponent),
            min_volume=to_units(minimum[0], volume_exponent),
            min_notional=minimum[1],
            status=ONLINE if online else HALTED,
        )
    except ValueError as error:
        raise ValueError(f"instrument {names[0]!r}: {error}") from None


def decimals_of(step: str) -> int:
    """Decimals that a step needs: "0.01000000" -> 2, "1E-8" -> 8, "5" -> 0.

    Raises ValueError for what is no number, or needs more than EXPONENT_MAX.
    """
    for exponent in range(EXPONENT_MAX + 1):
        try:
            to_units(step, exponent)
        except ValueError as error:
            if "too precise" not in str(error):
                raise
        else:
            return exponent
    raise ValueError(f"step {step!r}: more than {EXPONENT_MAX} decimals")


def split_by_quote(pair: str, quotes: tuple[str, ...]) -> tuple[str, str]:
    """(base, quote) of a pair written as one word: by the longest quote asset that ends it.

    A quote asset that is not among `quotes` is "?": amounts are right, their name is not known.
    """
    for quote in sorted(quotes, key=len, reverse=True):
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair.removesuffix(quote), quote
    return pair, "?"
