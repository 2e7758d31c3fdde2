"""Bitfinex's listing of pairs -> Listed.

In:        the bytes of the answer to GET LISTING_URL: [[pair,…], [[pair,[facts]],…], [[name,
           common name],…]]; of its three parts the last, or the last two, may be missing.
Out:       Listed, in the order of the answer.
Must not know: the network, tables.

Prices have five significant digits, so the tick depends on the price: `tick_size` is 1. The venue
lists a pair or does not; that all trading is off it says in its `info` events.
"""

import json

from mantra.exchanges.bitfinex import COMMON_NAMES, PRICE_EXPONENT, VOLUME_EXPONENT, split_symbol
from mantra.exchanges.listing import ONLINE, Listed
from mantra.messages.decimals import to_units

CONFIGS = "pub:list:pair:exchange,pub:info:pair,pub:map:currency:sym"
LISTING_URL = "https://api-pub.bitfinex.com/v2/conf/" + CONFIGS
MIN_ORDER_SIZE = 3  # its place among a pair's facts; "0.00006"


def parse(listing: bytes) -> list[Listed]:
    """Raises ValueError, naming the answer or the pair, for what is no listing."""
    try:
        answer = json.loads(listing, parse_float=str)
        pairs, facts, names = [*answer, [], []][:3]
        facts, names = dict(facts), COMMON_NAMES | dict(names)
        return [_listed(pair, facts.get(pair), names) for pair in pairs]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"listing {listing[:60]!r}: {error!r}") from None


def _listed(pair: str, facts: list | None, names: dict[str, str]) -> Listed:
    base, quote = (names.get(name, name).upper() for name in split_symbol(pair))
    least = to_units(str((facts and facts[MIN_ORDER_SIZE]) or 0), VOLUME_EXPONENT)
    units = (PRICE_EXPONENT, VOLUME_EXPONENT, 1, 1)  # tick and lot are one unit
    return Listed("t" + pair, base, quote, *units, least, "0", ONLINE)
