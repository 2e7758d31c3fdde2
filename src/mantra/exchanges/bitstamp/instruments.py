"""Bitstamp's listing: the answer to GET markets, or to GET trading-pairs-info -> Listed.

In:        the bytes of the answer.
Out:       Listed of the spot pairs, in the order of the answer.
Must not know: the network, tables.

Both say decimals, not steps: a price has `counter_decimals`, an amount `base_decimals`, and tick
and lot are one unit of those. `minimum_order` is "25.0 USD", always in the counter currency;
markets says `minimum_order_value` instead.
"""

from mantra.exchanges.listing import Listed, from_steps, parse_rows


def parse(listing: bytes, skipped: list[str] | None = None) -> list[Listed]:
    """`skipped` gets a sentence for each row that is none. Raises ValueError: no listing."""
    return parse_rows(listing, skipped, lambda answer: answer, _listed)


def _listed(row: dict) -> Listed | None:
    if row.get("market_type", "SPOT") != "SPOT":
        return None
    base, quote = row["name"].split("/")
    names = row.get("url_symbol") or row["market_symbol"], base, quote
    steps = f"1e-{row['counter_decimals']}", f"1e-{row['base_decimals']}"
    minimum = "0", str(row.get("minimum_order") or row["minimum_order_value"]).split()[0]
    return from_steps(names, *steps, minimum, row["trading"] == "Enabled")
