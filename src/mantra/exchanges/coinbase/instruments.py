"""Coinbase's listings of products: the answers of both forms -> Listed.

In:        the bytes of Advanced Trade's GET /market/products, or of the Exchange's GET /products.
Out:       Listed, in the order of the answer.
Must not know: the network, tables.

Left out: what is not spot, and aliases. BTC-USDC is one of BTC-USD: both are one book, which the
market data calls BTC-USD whichever was asked for. The venue writes assets by their common names.
"""

from mantra.exchanges.listing import Listed, from_steps, parse_rows

# Symbol, base, quote, tick, smallest notional. The sizes of volume have one name in both.
ADVANCED = "product_id base_currency_id quote_currency_id price_increment quote_min_size"
EXCHANGE = "id base_currency quote_currency quote_increment min_market_funds"
# With any of these a side does not trade. `limit_only` is none: limit orders are ours.
HALTS = ("trading_disabled", "cancel_only", "post_only", "auction_mode", "is_disabled", "view_only")


def parse(listing: bytes, skipped: list[str] | None = None) -> list[Listed]:
    """`skipped` gets a sentence for each row that is none. Raises ValueError: no listing."""
    return parse_rows(listing, skipped, _rows, _listed)


def _rows(answer: dict | list) -> list:
    return answer["products"] if isinstance(answer, dict) else answer


def _listed(product: dict) -> Listed | None:
    if product.get("product_type", "SPOT") != "SPOT" or product.get("alias"):
        return None
    keys = ADVANCED if "product_id" in product else EXCHANGE
    symbol, base, quote, tick, notional = (product[key] for key in keys.split())
    minimum = product.get("base_min_size", "0"), notional  # the first was gone in 2022
    online = product["status"] == "online" and not any(product.get(halt) for halt in HALTS)
    return from_steps((symbol, base, quote), tick, product["base_increment"], minimum, online)
