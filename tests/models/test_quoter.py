"""The quoter wants what its naive twin wants, on random books with random positions."""

from fractions import Fraction
from math import ceil, floor

import pytest

from mantra.messages.enums import ASK, BID, POST_ONLY
from tests.models.desk import LOT, TICK, ModelDesk
from tests.models.market_walk import Walk

PARAMETERS = {"half_spread": 1, "step": 2, "skew": 5, "lots": 7, "position_max": 60}


def naive_orders(bid, ask, position, tick, lot, p):
    """[(side, price, volume) or None]: inner and outer bid, inner and outer ask."""
    if not bid or not ask or bid >= ask:
        return [None] * 4
    limit = p["position_max"] * lot
    middle = Fraction(bid + ask, 2) - floor(Fraction(position * p["skew"] * tick, limit))
    lower = min(floor((middle / tick) - p["half_spread"]) * tick, ask - tick)
    upper = max(ceil((middle / tick) + p["half_spread"]) * tick, bid + tick)
    volume, step = p["lots"] * lot, p["step"] * tick
    bids = [(BID, lower, volume), (BID, lower - step, volume)]
    asks = [(ASK, upper, volume), (ASK, upper + step, volume)]
    return (bids if position < limit else [None] * 2) + (asks if -position < limit else [None] * 2)


@pytest.mark.parametrize("seed", range(4))
def test_it_wants_what_its_twin_wants(seed):
    seen = set()
    with ModelDesk("quoter", parameters=PARAMETERS) as desk:
        walk = Walk(desk, seed)
        wanted = [None] * 4
        for _ in range(200):
            if walk.step() != "trade":
                wanted = naive_orders(*walk.touch(), walk.position, TICK, LOT, PARAMETERS)
            assert desk.wanted() == wanted
            seen.add(tuple(order is None for order in wanted))
    assert {(False,) * 4, (True,) * 4} < seen  # all, none, and one side only at some limit


def quotes(bid, ask, tick_size=TICK, **parameters):
    with ModelDesk("quoter", parameters=PARAMETERS | parameters) as desk:
        desk.actor.market["tick_size"] = tick_size
        desk.levels([(BID, bid, 9), (ASK, ask, 9)])
        desk.run()
        return desk.wanted(), {int(desk.row(row)[1]["time_in_force"]) for row in range(4)}


def test_a_middle_between_ticks_is_left_by_as_much_on_both_sides():
    (bid, _, ask, _), _ = quotes(100, 101, tick_size=1)  # the middle is 100.5: 99.5 and 101.5 …
    assert (bid[1], ask[1]) == (99, 102)  # … to the tick away from it


def test_orders_never_take_and_say_so():
    wanted, times_in_force = quotes(1000, 1010, half_spread=-50)
    assert [order[1] for order in wanted] == [1000, 980, 1010, 1030]
    assert times_in_force == {POST_ONLY}
