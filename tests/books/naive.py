"""The slow and clear twins: two dicts, sorted whenever somebody asks."""

from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT


class NaiveBook:
    """Same questions as books/book.py, by their definitions."""

    def __init__(self):
        self.sides = ({}, {})
        self.consistent = False
        self.updates = self.groups = self.crossed = self.locked = self.refused = 0

    @property
    def counters(self):
        return (self.updates, self.groups, self.crossed, self.locked, self.refused)

    def apply_level(self, side, price, volume):
        if side not in (BID, ASK) or not 0 < price <= 1 << 60 or volume < 0:
            self.refused += 1
            return -1
        self.updates += 1
        if volume:
            self.sides[side][price] = volume
        else:
            self.sides[side].pop(price, None)
        return 0

    def apply_update(self, side, price, volume, flags):
        if flags & FIRST and flags & SNAPSHOT:
            self.clear()
        status = 0 if price == 0 and volume == 0 else self.apply_level(side, price, volume)
        self.consistent = bool(flags & LAST)
        if not self.consistent:
            return status
        self.groups += 1
        if all(self.sides):
            bid, ask = max(self.sides[BID]), min(self.sides[ASK])
            self.crossed += bid > ask
            self.locked += bid == ask
        return status or 1

    def clear(self):
        self.sides = ({}, {})
        self.consistent = False

    def ladder(self, side):
        """[(price, volume)], best first."""
        return sorted(self.sides[side].items(), reverse=side == BID)

    def volume_at(self, side, price):
        return self.sides[side].get(price, 0)

    def next_price(self, side, price):
        worse = [p for p, _ in self.ladder(side) if (p < price if side == BID else p > price)]
        return worse[0] if worse else 0

    def volume_to(self, side, price):
        return sum(v for p, v in self.ladder(side) if (p >= price if side == BID else p <= price))

    def price_for(self, side, volume):
        total = 0
        for price, level in self.ladder(side):
            total += level
            if total >= volume:
                return price
        return 0
