"""Example: two bids and two asks around the middle, skewed against the position.

The shape of the original's model: four ideal orders, rewritten on each book event. The inner pair
stands `half_spread` ticks from the middle, the outer `step` ticks further out. A position moves
all four against itself: by `skew` ticks when it is `position_max`, where the side that would add
to it wants nothing.
"""

import numpy as np

from mantra.books.book import best_price
from mantra.compiled import compiled
from mantra.messages.enums import ASK, BID, POST_ONLY
from mantra.models.contract import TRADE
from mantra.models.orders import want, want_nothing

ORDERS = 4  # inner bid, outer bid, inner ask, outer ask
PAIR = 2

DEFAULTS = {
    "half_spread": 1,  # ticks
    "step": 2,  # ticks
    "skew": 4,  # ticks
    "lots": 100,  # volume of each order
    "position_max": 1000,  # lots
}
PARAMETERS = np.dtype([(name, "i8") for name in DEFAULTS], align=True)


@compiled
def on_event(event, market, state, parameters, orders):
    if event["kind"] == TRADE:
        return
    here = market[event["at"]]
    bid, ask = best_price(here["book"], BID), best_price(here["book"], ASK)
    first = here["first_row"]
    if bid == 0 or ask == 0 or bid >= ask or parameters["position_max"] <= 0:
        for row in range(first, first + ORDERS):
            want_nothing(orders, row)
        return
    tick, lot = here["tick_size"], here["lot_size"]
    limit = parameters["position_max"] * lot
    skew = here["position"] * parameters["skew"] * tick // limit
    for side in (BID, ASK):
        sign = 1 - 2 * side
        middle = bid + ask - 2 * skew  # twice the price, so that it stays an integer
        twice = middle - 2 * sign * parameters["half_spread"] * tick
        inner = sign * (sign * twice // (2 * tick)) * tick  # to the tick away from the middle
        # Never through the other side: post-only would be refused.
        inner = min(inner, ask - tick) if side == BID else max(inner, bid + tick)
        row = first + PAIR * side
        if sign * here["position"] >= limit:
            want_nothing(orders, row)
            want_nothing(orders, row + 1)
            continue
        volume = parameters["lots"] * lot
        outer = inner - sign * parameters["step"] * tick
        want(orders, row, side, inner, volume, POST_ONLY)
        want(orders, row + 1, side, outer, volume, POST_ONLY)
