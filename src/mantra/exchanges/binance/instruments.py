"""Binance's listing: the answer to GET exchangeInfo -> Listed.

In:        the bytes of the answer.
Out:       Listed, in the order of the answer.
Must not know: the network, tables.

Tick and lot are the filters' tickSize and stepSize, not the precisions beside them. Orders older
than the last change of a step stand in the book as they were made: the recorded book of BTCUSDT,
whose lot is 0.00001, has an ask of 25.426189 at 200,000.
"""

from mantra.exchanges.listing import Listed, from_steps, parse_rows

SPARE_DECIMALS = 3


def parse(listing: bytes, skipped: list[str] | None = None) -> list[Listed]:
    """`skipped` gets a sentence for each row that is none. Raises ValueError: no listing."""
    return parse_rows(listing, skipped, lambda answer: answer["symbols"], _listed)


def _listed(row: dict) -> Listed | None:
    if not row.get("isSpotTradingAllowed", True):
        return None
    filters = {rule["filterType"]: rule for rule in row["filters"]}
    lot = filters["LOT_SIZE"]
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    names = row["symbol"], row["baseAsset"], row["quoteAsset"]
    steps = filters["PRICE_FILTER"]["tickSize"], lot["stepSize"]
    minimum = lot["minQty"], notional.get("minNotional", "0")
    return from_steps(names, *steps, minimum, row["status"] == "TRADING", SPARE_DECIMALS)
