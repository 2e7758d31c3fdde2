"""Kraken's listings of spot pairs: the v2 `instrument` snapshot, or the answer to GET AssetPairs.

In:        the bytes of either.
Out:       a Listed for each pair, under the names of WebSocket v2 (BTC/USD).
Must not know: how they are asked for, tables.

Exponents are the decimals that the venue writes, not those that tick and lot need: the checksum of
a book is of the digits as written (checksum.py). Of old AssetPairs answers: tick_size, costmin and
status came later; a pair without wsname is a dark pool, which has no public book.
"""

from typing import Any

from mantra.exchanges.listing import HALTED, ONLINE, Listed, parse_rows
from mantra.messages.decimals import to_units

COMMON_NAMES = {"XBT": "BTC", "XDG": "DOGE"}  # v1 and REST speak ISO 4217's X
# What a Listed holds, in its order, behind the names; None: not said, which means one unit.
SNAPSHOT_KEYS = "price_precision qty_precision price_increment qty_increment qty_min cost_min"
REST_KEYS = "pair_decimals lot_decimals tick_size None ordermin costmin"


def parse(listing: bytes, skipped: list[str] | None = None) -> list[Listed]:
    """All pairs with a public book; `skipped` gets a sentence for each row that is none.

    Raises ValueError for what is no listing.
    """
    return parse_rows(listing, skipped, _rows, _listed)


def _rows(answer: dict) -> list:
    return answer["data"]["pairs"] if "data" in answer else [*answer["result"].values()]


def _listed(pair: dict[str, Any]) -> Listed | None:
    keys = SNAPSHOT_KEYS if "symbol" in pair else REST_KEYS
    name = pair["symbol"] if "symbol" in pair else pair.get("wsname")
    if name is None:
        return None
    base, quote = (COMMON_NAMES.get(asset, asset) for asset in name.split("/"))
    price, volume = (pair[key] for key in keys.split()[:2])
    tick, lot, minimum, notional = (pair.get(key) for key in keys.split()[2:])
    tick_size = 1 if tick is None else to_units(str(tick), price)
    lot_size = 1 if lot is None else to_units(str(lot), volume)
    sizes = tick_size, lot_size, to_units(str(minimum or 0), volume), str(notional or 0)
    status = ONLINE if pair.get("status", ONLINE) == "online" else HALTED
    return Listed(f"{base}/{quote}", base, quote, price, volume, *sizes, status)
