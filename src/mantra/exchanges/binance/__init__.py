"""Binance: spot, and USD-margined futures (`usdm`).

wire.py           the outside of a message: frame, payload, keys, kinds
public.py         market data: combined-stream frames, bare payloads, REST depth -> records
instruments.py    the listing -> Listed
subscriptions.py  what to send to get market data; the limits

Facts the venue does not say in its market data. Fees are those of an account without discounts,
and ours: no text at hand confirms them.
"""

from mantra.exchanges.listing import split_by_quote

VENUES = {
    # name in the tables: maker and taker fee in parts per million
    "binance": {"maker_fee_ppm": 1_000, "taker_fee_ppm": 1_000},
    "binance-usdm": {"maker_fee_ppm": 200, "taker_fee_ppm": 500},
}

# Quote assets by which a symbol is split, BTCUSDT -> BTC, USDT; the longest that fits wins.
QUOTE_ASSETS = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "BIDR", "IDRT", "BVND", "DOGE", "BKRW"),
    *("BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL", "AUD", "RUB", "UAH", "NGN", "ZAR", "PLN"),
    *("RON", "ARS", "JPY", "MXN", "CZK", "COP", "DAI", "PAX", "TRX", "XRP", "DOT", "SOL", "VAI"),
    *("USD", "UST"),
)


def split_symbol(symbol: str) -> tuple[str, str]:
    """(base, quote) of a symbol; a future's date or PERP is no part of them."""
    return split_by_quote(symbol.split("_", maxsplit=1)[0], QUOTE_ASSETS)
