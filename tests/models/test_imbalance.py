"""The imbalance model acts when its naive twin does, and asks for the same."""

import pytest

from mantra.messages.enums import ASK, BID, IOC, LIMIT
from tests.models.desk import LOT, TICK, ModelDesk
from tests.models.market_walk import MS, Walk

PARAMETERS = {
    "depth": 4,
    "half_life_ms": 400,
    "threshold": 350,
    "pause_ms": 500,
    "lots": 7,
    "position_max": 60,
}


class Twin:
    """Every sum anew from the list of all that was traded."""

    def __init__(self, walk, p):
        self.walk, self.p, self.acted_at, self.orders = walk, p, 0, []

    def flow(self, side):
        walk, half_life = self.walk, self.p["half_life_ms"] * MS
        of_side = ((ts, v) for ts, s, v in walk.trades if s == side)
        return sum(v * 0.5 ** ((walk.now - ts) / half_life) for ts, v in of_side)

    def signal(self):
        """In parts per thousand, not rounded."""
        bid, ask = self.walk.touch()
        reach, book = self.p["depth"] * TICK, self.walk.book
        depths = book.volume_to(BID, bid - reach), book.volume_to(ASK, ask + reach)
        leans = []
        for up, down in (depths, (self.flow(BID), self.flow(ASK))):
            leans.append(1000 * (up - down) / (up + down) if up + down else 0)
        return sum(leans) / 2

    def on_group(self):
        """Appends an order if it acts. None when rounding alone decides, else whether it acts."""
        walk, p = self.walk, self.p
        bid, ask = walk.touch()
        if walk.now - self.acted_at < p["pause_ms"] * MS or not bid or not ask or bid >= ask:
            return False
        signal = self.signal()
        if abs(abs(signal) - p["threshold"]) < 2:
            return None
        side = BID if signal > 0 else ASK
        sign = 1 if side == BID else -1
        if abs(signal) < p["threshold"] or sign * walk.position >= p["position_max"] * LOT:
            return False
        self.acted_at = walk.now
        self.orders.append((side, ask if side == BID else bid, p["lots"] * LOT))
        return True


@pytest.mark.parametrize("seed", range(4))
def test_it_acts_when_its_twin_does(seed):
    with ModelDesk("imbalance", parameters=PARAMETERS) as desk:
        walk = Walk(desk, seed)
        twin = Twin(walk, PARAMETERS)
        for _ in range(300):
            if walk.step() == "group" and twin.on_group() is None:
                revision = int(desk.row()[1]["revision"])
                if revision > len(twin.orders):  # it went over the edge: so does the twin
                    twin.acted_at = walk.now
                    twin.orders.append(desk.wanted()[0])
            _, order = desk.row()
            assert order["revision"] == len(twin.orders)
            assert desk.wanted() == (twin.orders[-1:] or [None])
        assert len(twin.orders) >= 3
        assert (order["time_in_force"], order["type"]) == (IOC, LIMIT)


def test_it_takes_at_the_touch_and_then_pauses():
    with ModelDesk("imbalance", parameters=PARAMETERS) as desk:
        start = 10**15
        for now, price in ((start, 100), (start + 499 * MS, 110), (start + 500 * MS, 120)):
            desk.levels([(BID, price, 900), (ASK, 200, 9)], ts=now)
            desk.run()
            expected = 2 if price == 120 else 1
            assert desk.row()[1]["revision"] == expected
        assert desk.wanted() == [(BID, 200, 7 * LOT)]
