"""Example: crosses the spread when the book and the flow of trades lean one way.

Two signals, each in parts per thousand from -1000 (all sells) to +1000 (all buys):

    book    (bid volume - ask volume) / their sum, over the levels within `depth` ticks of the touch
    flow    the same of traded volume by aggressor, decayed by half every `half_life_ms`

When their mean is beyond `threshold` the model takes `lots` at the touch, at most once every
`pause_ms` of exchange time, and never beyond `position_max`. Volume imbalance as a predictor of
the next move: Cartea, Donnelly, Jaimungal, "Enhancing trading strategies with order book signals",
Applied Mathematical Finance 25 (2018).
"""

import numpy as np

from mantra.books.book import best_price, volume_to
from mantra.compiled import compiled
from mantra.icc.memory import record_type
from mantra.messages.enums import ASK, BID, IOC
from mantra.models.contract import BOOK, TRADE
from mantra.models.orders import want_now

ORDERS = 1
NS_PER_MS = 1_000_000
FULL = 1000  # parts per thousand

DEFAULTS = {
    "depth": 10,  # ticks
    "half_life_ms": 500,
    "threshold": 700,  # parts per thousand
    "pause_ms": 1000,
    "lots": 100,
    "position_max": 1000,  # lots
}
PARAMETERS = np.dtype([(name, "i8") for name in DEFAULTS], align=True)

# bought      decayed volume of aggressive buys: a signal, not money
# decayed_at  ns
STATE = record_type("f8 bought sold", "i8 decayed_at acted_at")


@compiled
def on_event(event, market, state, parameters, orders):
    now = event["ts_exchange"]
    if event["kind"] == TRADE:
        decay(state, parameters, now)
        if event["side"] == BID:
            state["bought"] += event["volume"]
        else:
            state["sold"] += event["volume"]
    if event["kind"] != BOOK or now - state["acted_at"] < parameters["pause_ms"] * NS_PER_MS:
        return
    here = market[event["at"]]
    bid, ask = best_price(here["book"], BID), best_price(here["book"], ASK)
    if bid == 0 or ask == 0 or bid >= ask:
        return
    reach = parameters["depth"] * here["tick_size"]
    on_bid = volume_to(here["book"], BID, bid - reach)
    on_ask = volume_to(here["book"], ASK, ask + reach)
    signal = (lean(on_bid, on_ask) + lean(state["bought"], state["sold"])) // 2
    if abs(signal) < parameters["threshold"]:
        return
    side = BID if signal > 0 else ASK
    sign = 1 - 2 * side
    if sign * here["position"] >= parameters["position_max"] * here["lot_size"]:
        return
    price = ask if side == BID else bid
    volume = parameters["lots"] * here["lot_size"]
    want_now(orders, here["first_row"], side, price, volume, IOC)
    state["acted_at"] = now


@compiled
def lean(up, down):
    """(up - down) / (up + down) in parts per thousand; 0 where there is neither."""
    return np.int64(FULL * (up - down) / (up + down)) if up + down > 0 else np.int64(0)


@compiled
def decay(state, parameters, now):
    """Let what was bought and sold fade to now."""
    age_ms = (now - state["decayed_at"]) / NS_PER_MS
    factor = 0.5 ** (age_ms / parameters["half_life_ms"])
    state["bought"] *= factor
    state["sold"] *= factor
    state["decayed_at"] = now
