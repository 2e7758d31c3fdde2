"""Kraken's listings of spot pairs: the v2 `instrument` snapshot, or the answer to GET AssetPairs.

In:        the bytes of either.
Out:       a Listed for each pair, under the names of WebSocket v2 (BTC/USD).
Must not know: how they are asked for, tables.

Exponents are the decimals that the venue writes, not those that tick and lot need: the checksum of
a book is of the digits as written (checksum.py). Of old AssetPairs answers: tick_size, costmin and
status came later; a pair without wsname is a dark pool, which has no public book.
"""

import json
from typing import Any

from mantra.exchanges.listing import HALTED, ONLINE, Listed
from mantra.messages.decimals import to_units

COMMON_NAMES = {"XBT": "BTC", "XDG": "DOGE"}  # v1 and REST speak ISO 4217's X
# What a Listed holds, in its order, behind the names; None: not said, which means one unit.
SNAPSHOT_KEYS = "price_precision qty_precision price_increment qty_increment qty_min cost_min"
REST_KEYS = "pair_decimals lot_decimals tick_size None ordermin costmin"


def parse(listing: bytes) -> list[Listed]:
    """All pairs with a public book. Raises ValueError, LookupError, TypeError: no listing."""
    found = json.loads(listing, parse_float=str)  # 1E-8 stays text
    if "data" in found:
        return [_listed(pair, pair["symbol"], SNAPSHOT_KEYS) for pair in found["data"]["pairs"]]
    pairs = found["result"].values()
    return [_listed(pair, pair["wsname"], REST_KEYS) for pair in pairs if "wsname" in pair]


def _listed(pair: dict[str, Any], name: str, keys: str) -> Listed:
    base, quote = (COMMON_NAMES.get(asset, asset) for asset in name.split("/"))
    price, volume, tick, lot, minimum, notional = (pair.get(key, 0) for key in keys.split())
    tick_size, lot_size = to_units(str(tick), price) or 1, to_units(str(lot), volume) or 1
    sizes = tick_size, lot_size, to_units(str(minimum), volume), str(notional)
    status = ONLINE if pair.get("status", ONLINE) == "online" else HALTED
    return Listed(f"{base}/{quote}", base, quote, price, volume, *sizes, status)
