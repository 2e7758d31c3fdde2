"""Is a followed book still the venue's? Compared with a snapshot that was asked for beside it.

In:        the answer of a venue to GET of a book; the followed book before and after.
Out:       the prices at which they cannot both be right.
Must not know: who asks, when; what is done about it.

A book moves while its snapshot travels, so two moments of the followed one are compared with it:
what stood still in between must be in the snapshot as it is.

    before = book_levels(book)        # when the snapshot is asked for
    after = book_levels(book)         # a second after it came: all that it holds has been told
    drift(before, after, levels_of(venue, body, price_exponent, volume_exponent))

A venue whose snapshots lag its stream (Bitstamp's: a second was seen) must be asked that much after
`before`. A book whose base had a limit does not know what lies deeper: compare its best `depth`.
"""

import json
from operator import itemgetter
from typing import Any

from mantra.books.book import best_price, next_price, volume_at
from mantra.exchanges.binance.subscriptions import RULES as BINANCE
from mantra.exchanges.bitstamp.subscriptions import RULES as BITSTAMP
from mantra.messages.decimals import to_units
from mantra.messages.enums import ASK, BID

# Depths are ours: the deepest that cost little. Kraken takes the names of WebSocket v2 for pairs,
# which it does not document: https://github.com/gmosx/kraken-sdk-rust/pull/43.
BOOK_URLS = {
    "binance": BINANCE.snapshot_url,
    "bitfinex": "https://api-pub.bitfinex.com/v2/book/{symbol}/P0?len=100",
    "bitstamp": BITSTAMP.snapshot_url,
    "coinbase": "https://api.coinbase.com/api/v3/brokerage/market/product_book"
    "?product_id={symbol}&limit=1000",
    "kraken": "https://api.kraken.com/0/public/Depth?pair={symbol}&count=500",
}
# Where price and volume stand in a level: of Bitfinex [price, count, amount].
FIELDS: dict[str, tuple[Any, Any]] = {"bitfinex": (0, 2), "coinbase": ("price", "size")}

Levels = tuple[dict[int, int], dict[int, int]]  # bids, asks: volume by price, in integer units


def levels_of(venue: str, body: bytes, price_exponent: int, volume_exponent: int) -> Levels:
    """Both sides of a snapshot as the venue answers. Raises ValueError for anything else."""
    try:
        answer = json.loads(body, parse_float=str, parse_int=str)
        if venue == "kraken":
            (answer,) = answer["result"].values()
        elif venue == "coinbase":
            answer = answer["pricebook"]
        sides: Levels = ({}, {})
        for side, key in enumerate(("bids", "asks")):
            for row in answer[:] if venue == "bitfinex" else answer[key]:
                price, volume = itemgetter(*FIELDS.get(venue, (0, 1)))(row)
                units = to_units(volume, volume_exponent)
                if venue == "bitfinex":  # amounts of asks are negative
                    units *= 1 - 2 * side
                if units > 0:
                    sides[side][to_units(price, price_exponent)] = units
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"{venue}: book {body[:60]!r}: {error!r}") from None
    return sides


def book_levels(book: int, depth: int = 0) -> Levels:
    """Both sides of the book at this address, or the best `depth` levels of each."""
    sides: Levels = ({}, {})
    for side, levels in zip((BID, ASK), sides, strict=True):
        price = best_price(book, side)
        while price and (not depth or len(levels) < depth):
            levels[int(price)] = int(volume_at(book, side, price))
            price = next_price(book, side, price)
    return sides


def drift(before: Levels, after: Levels, snapshot: Levels) -> list[tuple[int, int, int, int]]:
    """(side, price, volume shown by the book, volume told by the snapshot), best first.

    A price has drifted if the book shows the same before and after, and the snapshot another. Only
    prices that all three reach are compared; a side without levels reaches everywhere. A book in
    motion does not drift, but where a price changed and came back while the snapshot travelled:
    who sees a drift, looks once more before saying so.
    """
    found = []
    for side, sign in ((BID, 1), (ASK, -1)):
        three = [levels[side] for levels in (before, after, snapshot)]
        reached = max((min(price * sign for price in one) for one in three if one), default=0)
        for price in sorted({price for one in three for price in one}, reverse=side == BID):
            shown, later, told = (one.get(price, 0) for one in three)
            if price * sign >= reached and shown == later != told:
                found.append((side, price, shown, told))
    return found
