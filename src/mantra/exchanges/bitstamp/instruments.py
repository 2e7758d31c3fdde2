"""Bitstamp's listing of instruments: GET /api/v2/markets/ or /api/v2/trading-pairs-info/ -> Listed.

In:        the body of the answer, a JSON list.
Out:       Listed, one a spot pair, in the venue's order.
Must not know: tables, the network.

Both say decimals, not steps: a price has `counter_decimals`, an amount `base_decimals`, and tick
and lot are one unit of those. `minimum_order` is "25.0 USD", always in the counter currency;
markets says `minimum_order_value` instead.
"""

import json
from typing import Any

from mantra.exchanges.listing import HALTED, ONLINE, Listed
from mantra.messages.decimals import check_exponent


def parse(listing: bytes) -> list[Listed]:
    """The spot pairs of a listing. Raises ValueError, KeyError where it is none."""
    return [
        _listed(pair) for pair in json.loads(listing) if pair.get("market_type", "SPOT") == "SPOT"
    ]


def _listed(pair: dict[str, Any]) -> Listed:
    base, quote = pair["name"].split("/")
    price_exponent, volume_exponent = int(pair["counter_decimals"]), int(pair["base_decimals"])
    check_exponent(price_exponent)
    check_exponent(volume_exponent)
    minimum = pair["minimum_order"] if "minimum_order" in pair else pair["minimum_order_value"]
    return Listed(
        symbol=pair.get("url_symbol") or pair["market_symbol"],
        base=base,
        quote=quote,
        price_exponent=price_exponent,
        volume_exponent=volume_exponent,
        tick_size=1,
        lot_size=1,
        min_volume=0,
        min_notional=str(minimum).split()[0],
        status=ONLINE if pair["trading"] == "Enabled" else HALTED,
    )
