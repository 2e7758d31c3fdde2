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

# Symbol, base, quote, tick, lot, smallest volume, smallest notional.
ADVANCED = (
    *("product_id", "base_currency_id", "quote_currency_id", "price_increment"),
    *("base_increment", "base_min_size", "quote_min_size"),
)
EXCHANGE = (
    *("id", "base_currency", "quote_currency", "quote_increment"),
    *("base_increment", "base_min_size", "min_market_funds"),
)
DEFAULTS = {"base_min_size": "0"}  # the Exchange listed it until 2022
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
        return [_listed(DEFAULTS | row, names) for row in spot if not row.get("alias")]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"listing {listing[:60]!r}: {error!r}") from None


def _listed(product: dict, names: tuple[str, ...]) -> Listed:
    symbol, base, quote, tick, lot, volume, notional = (product[name] for name in names)
    try:
        price_exponent, volume_exponent = decimals_of(tick), decimals_of(lot)
        tick_size, lot_size = to_units(tick, price_exponent), to_units(lot, volume_exponent)
        min_volume = to_units(volume, volume_exponent)
    except ValueError as error:
        raise ValueError(f"product {symbol!r}: {error}") from None
    trades = product["status"] == "online" and not any(product.get(name) for name in HALTS)
    units = (price_exponent, volume_exponent, tick_size, lot_size, min_volume)
    return Listed(symbol, base, quote, *units, notional, ONLINE if trades else HALTED)
