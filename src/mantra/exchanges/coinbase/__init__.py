"""Coinbase: Advanced Trade (live), and Coinbase Exchange (recordings): one matching engine.

wire.py           what both forms share: words, members, products, trades
public.py         Advanced Trade market data: frames of the WebSocket -> records
exchange.py       Coinbase Exchange market data: frames of the WebSocket -> records
instruments.py    both forms' listings of products
subscriptions.py  the texts that ask Advanced Trade for market data, and the limits on asking

Facts the venue does not say in its market data. Fees are those of an account without discounts:
the lowest tier of the trailing 30 days, at which the venue puts whoever has traded nothing yet;
ours, for no text at hand confirms them.
"""

VENUES = {
    # name in the tables: maker and taker fee in parts per million
    "coinbase": {"maker_fee_ppm": 6_000, "taker_fee_ppm": 12_000},
    "coinbase-exchange": {"maker_fee_ppm": 4_000, "taker_fee_ppm": 6_000},
}


def split_symbol(symbol: str) -> tuple[str, str]:
    """(base, quote) of a product: BTC-USD."""
    base, _, quote = symbol.partition("-")
    return base, quote
