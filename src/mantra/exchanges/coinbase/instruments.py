"""Coinbase's listings of products: the answers of both forms -> Listed.

In:        the bytes of Advanced Trade's GET /market/products, or of the Exchange's GET /products.
Out:       Listed, in the order of the answer.
Must not know: the network, tables.

Left out: what is not spot, and aliases. BTC-USDC is one of BTC-USD: both are one book, which the
market data calls BTC-USD whichever was asked for. The venue writes assets by their common names.
"""

import json

from mantra.exchanges.listing import HALTED, ONLINE, Listed, decimals_of
from mantra.messages.decimals import to_units

# Base, quote, tick, smallest notional. The sizes of volume have one name in both.
ADVANCED = ("base_currency_id", "quote_currency_id", "price_increment", "quote_min_size")
EXCHANGE = ("base_currency", "quote_currency", "quote_increment", "min_market_funds")
# With any of these a side does not trade. `limit_only` is none: limit orders are ours.
HALTS = ("trading_disabled", "cancel_only", "post_only", "auction_mode", "is_disabled", "view_only")


def parse(listing: bytes) -> list[Listed]:
    """Raises ValueError, naming the product, for what is no listing."""
    answer = json.loads(listing)
    advanced = isinstance(answer, dict)
    try:
        products = answer["products"] if advanced else answer
        spot = [row for row in products if row.get("product_type", "SPOT") == "SPOT"]
        names = ADVANCED if advanced else EXCHANGE
        return [_listed(row, names) for row in spot if not row.get("alias")]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"listing {listing[:60]!r}: {error!r}") from None


def _listed(product: dict, names: tuple[str, ...]) -> Listed:
    symbol = product["product_id" if names is ADVANCED else "id"]
    base, quote, tick, notional = (product[name] for name in names)
    lot, volume = product["base_increment"], product.get("base_min_size", "0")  # gone in 2022
    try:
        price_exponent, volume_exponent = decimals_of(tick), decimals_of(lot)
        tick_size, lot_size = to_units(tick, price_exponent), to_units(lot, volume_exponent)
        min_volume = to_units(volume, volume_exponent)
    except ValueError as error:
        raise ValueError(f"product {symbol!r}: {error}") from None
    trades = product["status"] == "online" and not any(product.get(name) for name in HALTS)
    units = (price_exponent, volume_exponent, tick_size, lot_size, min_volume)
    return Listed(symbol, base, quote, *units, notional, ONLINE if trades else HALTED)
