"""A venue's listing of spot instruments: what its parser hands on, in one form for all venues.

In:        numbers as the venue writes them.
Out:       Listed: integers in the instrument's own units; a sentence for each row that is none.
Must not know: how a venue lists them, the network.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mantra.messages.decimals import EXPONENT_MAX, check_exponent, to_units
from mantra.messages.tables import ASSET_EXPONENT, NAME_BYTES

ONLINE = "online"  # both sides trade
DECIMALS_USUAL = 8
HALTED = "halted"  # anything less: cancel only, post only, auction, delisted
VOLUME_EXPONENT_MAX = 12  # the base asset counts as finely: 9 million whole units then fit an int64
NAMES = ("symbol", "product_id", "id", "wsname", "name")  # how a row may call itself
WRONG = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


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


def parse_rows(
    listing: bytes,
    skipped: list[str] | None,
    rows_of: Callable[[Any], list],
    listed: Callable[[Any], Listed | None],
) -> list[Listed]:
    """Read a listing, JSON whose rows `rows_of` finds; `listed` reads one, None: not wanted.

    A row that cannot be used costs no other: `skipped` gets a sentence for it. Of symbols that
    differ by case only the first is kept: venues write the same one both ways. Raises ValueError
    for what is no listing.
    """
    try:
        rows = rows_of(json.loads(listing, parse_float=str))  # 1E-8 stays text
        if not isinstance(rows, list):
            raise TypeError("no list of instruments")
    except WRONG as error:
        raise ValueError(f"listing {listing[:60]!r}: {error!r}") from None
    found: dict[str, Listed] = {}
    for row in rows:
        try:
            one = listed(row)
            if one is None:
                continue
            _check(one)
            if found.setdefault(one.symbol.upper(), one) is not one:
                raise ValueError("listed twice")
        except WRONG as error:
            reason = f"no {error}" if isinstance(error, KeyError) else f"{error}"
            if skipped is not None:
                skipped.append(f"{_name_of(row)!r}: {reason[:200]}")
    return [*found.values()]


def _name_of(row: Any) -> str:
    """How a row calls itself, if it does."""
    names = [row.get(key) for key in NAMES] if isinstance(row, dict) else [row]
    names = [*row[:1]] if isinstance(row, tuple) else names
    return next((name[:40] for name in names if isinstance(name, str)), "a row without a name")


def _check(one: Listed) -> None:
    """Raises ValueError unless a Tables takes it, whatever else its assets are traded in."""
    for name in (one.symbol, one.base, one.quote):
        sound = name.isascii() and name.isprintable() and 0 < len(name) <= NAME_BYTES
        if not sound or set(name) & set("@[ "):
            raise ValueError(f"name {name!r}: expected 1 to {NAME_BYTES} ASCII letters or signs")
    price, volume = one.price_exponent, one.volume_exponent
    for exponent in (price, volume):
        check_exponent(exponent)
    if volume > VOLUME_EXPONENT_MAX or price + volume > EXPONENT_MAX + ASSET_EXPONENT:
        raise ValueError(f"{price} decimals of prices, {volume} of volumes are too many")
    if one.tick_size < 1 or one.lot_size < 1 or one.min_volume < 0:
        sizes = f"{one.tick_size}, {one.lot_size}, {one.min_volume}"
        raise ValueError(f"tick, lot, least volume of {sizes} units: expected 1, 1, 0 or more")
    for exponent in (ASSET_EXPONENT, VOLUME_EXPONENT_MAX):
        if to_units(one.min_notional, exponent) < 0:
            raise ValueError(f"least notional {one.min_notional}: expected 0 or more")


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
    ValueError.
    """
    needed = decimals_of(tick), decimals_of(lot)
    price, volume = (max(one, min(one + spare, DECIMALS_USUAL)) for one in needed)
    sizes = to_units(tick, price), to_units(lot, volume), to_units(minimum[0], volume)
    return Listed(*names, price, volume, *sizes, minimum[1], ONLINE if online else HALTED)


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
