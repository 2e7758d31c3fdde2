"""Bitfinex's listing of pairs -> Listed.

In:        the bytes of the answer to GET LISTING_URL: [[pair,…], [[pair,[facts]],…], [[name,
           common name],…]]; of its three parts the last, or the last two, may be missing.
Out:       Listed, in the order of the answer.
Must not know: the network, tables.

Prices have five significant digits, so the tick depends on the price: `tick_size` is 1. The venue
lists a pair or does not; that all trading is off it says in its `info` events.
"""

from mantra.exchanges.bitfinex import COMMON_NAMES, PRICE_EXPONENT, VOLUME_EXPONENT, split_symbol
from mantra.exchanges.listing import ONLINE, Listed, parse_rows
from mantra.messages.decimals import to_units

CONFIGS = "pub:list:pair:exchange,pub:info:pair,pub:map:currency:sym"
LISTING_URL = "https://api-pub.bitfinex.com/v2/conf/" + CONFIGS
MIN_ORDER_SIZE = 3  # its place among a pair's facts; "0.00006"


def parse(listing: bytes, skipped: list[str] | None = None) -> list[Listed]:
    """`skipped` gets a sentence for each row that is none. Raises ValueError: no listing."""
    return parse_rows(listing, skipped, _rows, _listed)


def _rows(answer: list) -> list:
    """(pair, its facts, names) of each pair."""
    pairs, *parts = [*answer, [], []][:3]
    facts, names = (
        {f"{row[0]}": row[1] for row in part or () if isinstance(row, list) and row[1:]}
        for part in parts
    )
    names = COMMON_NAMES | names
    return [(pair, facts.get(f"{pair}"), names) for pair in pairs]


def _listed(row: tuple[str, list | None, dict[str, str]]) -> Listed:
    pair, facts, names = row
    base, quote = (names.get(name, name).upper() for name in split_symbol(pair))
    least = to_units(str((facts and facts[MIN_ORDER_SIZE]) or 0), VOLUME_EXPONENT)
    units = (PRICE_EXPONENT, VOLUME_EXPONENT, 1, 1)  # tick and lot are one unit
    return Listed("t" + pair, base, quote, *units, least, "0", ONLINE)
