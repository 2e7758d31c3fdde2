"""Market data in: the book of each instrument is kept, and matching begins where it has to.

The common event reaches no order of ours, and costs one comparison beyond the book: the sign of the
resting side times the event's price against the key of that side.
"""

import numpy as np

from mantra.books.book import apply_update, clear
from mantra.compiled import compiled, inlined
from mantra.exchanges.mock import layout, matching, orders
from mantra.icc.memory import records_at
from mantra.messages import enums, records


@inlined
def is_ours(exchange, instrument):
    """Whether this is an instrument of the venue: only those have a book."""
    known = 0 <= instrument < exchange["instruments"]
    return known and orders.market_of(exchange, instrument)["book"] != 0


@compiled
def on_update(exchange, update_address):
    """Apply one L2_UPDATE; at the end of its group fill the orders that the book now reaches."""
    update = records_at(update_address, 1, records.L2_UPDATE)[0]
    instrument = np.int64(update["instrument"])
    if not is_ours(exchange, instrument):
        return
    market = orders.market_of(exchange, instrument)
    flags = np.int64(update["flags"])
    if flags & (enums.FIRST | enums.SNAPSHOT) == enums.FIRST | enums.SNAPSHOT:
        market["lost"] = 0
    apply_update(market["book"], update_address)
    exchange["ts_exchange"], market["sequence"] = update["ts_exchange"], update["sequence"]
    side = 1 - (np.int64(update["side"]) & 1)  # ours, that rests opposite
    if (1 - 2 * side) * update["price"] <= market["keys"][side] and update["volume"] > 0:
        market["touched"] = 1
    in_group = np.int64(flags & enums.LAST == 0)
    exchange["groups_open"] += in_group - market["in_group"]
    market["in_group"] = in_group
    if market["touched"] and not in_group and matching.has_book(market):
        matching.match_book(exchange, market)


@compiled
def on_trade(exchange, trade):
    """Fill the orders that one TRADE_UPDATE reaches; none while the book is lost."""
    instrument, side = np.int64(trade["instrument"]), 1 - np.int64(trade["side"])
    if not (is_ours(exchange, instrument) and 0 <= side <= 1):
        return
    market = orders.market_of(exchange, instrument)
    exchange["ts_exchange"] = trade["ts_exchange"]
    if (1 - 2 * side) * trade["price"] <= market["keys"][side] and market["lost"] == 0:
        if trade["price"] > 0 and trade["volume"] > 0:
            matching.match_trade(exchange, market, trade)


@compiled
def lose_books(exchange):
    """Updates were lost: no book is to be matched against before its next snapshot."""
    for market in records_at(exchange["markets"], exchange["instruments"], layout.MARKET):
        if market["book"] != 0:
            clear(market["book"])
        market["lost"], market["in_group"], market["touched"] = 1, 0, 0
    exchange["groups_open"] = 0
