"""Binance's listing: the answer to GET exchangeInfo -> Listed.

In:        the bytes of the answer.
Out:       Listed, in the order of the answer.
Must not know: the network, tables.

Tick and lot are the filters' tickSize and stepSize, not the precisions beside them. Orders older
than the last change of a step stand in the book as they were made: the recorded book of BTCUSDT,
whose lot is 0.00001, has an ask of 25.426189 at 200,000.
"""

import json

from mantra.exchanges.listing import Listed, from_steps

SPARE_DECIMALS = 3


def parse(listing: bytes) -> list[Listed]:
    """Raises ValueError, naming the symbol, for what is no listing."""
    symbols = json.loads(listing).get("symbols")
    if not isinstance(symbols, list):
        raise ValueError(f"listing {listing[:60]!r}: expected symbols")
    return [_listed(row) for row in symbols if row.get("isSpotTradingAllowed", True)]


def _listed(row: dict) -> Listed:
    try:
        filters = {rule["filterType"]: rule for rule in row["filters"]}
        lot = filters["LOT_SIZE"]
        notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
        return from_steps(
            (row["symbol"], row["baseAsset"], row["quoteAsset"]),
            filters["PRICE_FILTER"]["tickSize"],
            lot["stepSize"],
            (lot["minQty"], notional.get("minNotional", "0")),
            row["status"] == "TRADING",
            SPARE_DECIMALS,
        )
    except KeyError as error:
        raise ValueError(f"instrument {row.get('symbol')!r}: no {error}") from None
