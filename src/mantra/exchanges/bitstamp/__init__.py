"""Bitstamp: spot.

public.py         market data: frames, and the answer to GET order_book -> records
instruments.py    the listing -> Listed
subscriptions.py  what to send to get market data; the limits

Facts the venue does not say in its market data. Fees are those of an account without discounts,
and ours: no text at hand confirms them.

A book: subscribe diff_order_book, keep what comes; GET order_book with group=1; drop diffs whose
microtimestamp is not above the snapshot's, apply the rest (../bridging.py, times as ids). The
snapshot may lag the stream by a second: if it is older than the first diff kept, ask again. No
number and no checksum tells of a lost diff, and books were seen to cross after a while, so ask
anew when times do not rise, when the book crosses, and now and then. Source: the venue's API
documentation, https://www.bitstamp.net/api/ and https://www.bitstamp.net/websocket/v2/
"""

from mantra.exchanges.listing import split_by_quote

# Name in the tables: maker and taker fee in parts per million.
VENUES = {"bitstamp": {"maker_fee_ppm": 3_000, "taker_fee_ppm": 4_000}}

# Quote assets by which a pair is split, BTCUSD -> BTC, USD; the longest that fits wins.
# GUSD is none of them: omgusd is OMG in USD.
QUOTE_ASSETS = ("USD", "EUR", "GBP", "BTC", "ETH", "USDT", "USDC", "PAX", "USDP", "EURC", "RLUSD")


def split_symbol(symbol: str) -> tuple[str, str]:
    """(base, quote) of a pair; a quote asset that is not in the list is "?"."""
    return split_by_quote(symbol.upper(), QUOTE_ASSETS)
