"""An actor that keeps all market data it sees, and the slow and clear twin of a book."""

import numpy as np

from mantra.actors.actor import Actor
from mantra.compiled import duty_cycle
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.icc.queue import DATA, SPED_PAST, show_progress, try_consume
from mantra.messages.enums import BID, FIRST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

SINK = np.dtype(
    [
        ("l2", "i8"),
        ("trades", "i8"),
        ("l2_rows", "i8"),
        ("trade_rows", "i8"),
        ("l2_kept", "i8"),
        ("trades_kept", "i8"),
        ("every", "i8"),  # it reads in every n-th step only
        ("steps", "i8"),
        ("sped_past", "i8"),
        ("l2_ahead_max", "i8"),  # messages found waiting at once
        ("trades_ahead_max", "i8"),
    ],
    align=True,
)


@duty_cycle
def sink_step(context_address):
    sink = records_at(context_address, 1, SINK)[0]
    sink["steps"] += 1
    if sink["steps"] % sink["every"] != 0:
        return 1
    found = 0
    target = sink["l2_kept"] + sink["l2_rows"] * 56
    status = try_consume(sink["l2"], target)
    while status == DATA:
        found += 1
        target += 56
        status = try_consume(sink["l2"], target)
    sink["sped_past"] += status == SPED_PAST
    sink["l2_rows"] += found
    sink["l2_ahead_max"] = max(sink["l2_ahead_max"], found)
    trades = 0
    target = sink["trades_kept"] + sink["trade_rows"] * 56
    status = try_consume(sink["trades"], target)
    while status == DATA:
        trades += 1
        target += 56
        status = try_consume(sink["trades"], target)
    sink["sped_past"] += status == SPED_PAST
    sink["trade_rows"] += trades
    sink["trades_ahead_max"] = max(sink["trades_ahead_max"], trades)
    show_progress(sink["l2"])
    show_progress(sink["trades"])
    return found + trades


class Sink(Actor):
    """Keeps all market data; reads only in every n-th step, and paces the source."""

    reads = ("l2", "trades")
    step = sink_step

    def __init__(self, name: str = "sink", every: int = 1, rows: int = 20_000, paces: bool = True):
        super().__init__(name)
        self.every, self.paces = every, paces
        self._l2, self._trades = aligned_zeros(rows, L2_UPDATE), aligned_zeros(rows, TRADE_UPDATE)

    def on_start(self, spine):
        self.context = aligned_zeros(1, SINK)
        sink = self.context[0]
        sink["l2"] = address_of(spine.inlet("l2", paces=self.paces))
        sink["trades"] = address_of(spine.inlet("trades", paces=self.paces))
        sink["l2_kept"], sink["trades_kept"] = address_of(self._l2), address_of(self._trades)
        sink["every"] = self.every

    @property
    def l2(self) -> np.ndarray:
        return self._l2[: int(self.context[0]["l2_rows"])]

    @property
    def trades(self) -> np.ndarray:
        return self._trades[: int(self.context[0]["trade_rows"])]


class NaiveBook:
    """A book as two dicts, from groups of L2 updates."""

    def __init__(self):
        self.sides = ({}, {})

    def apply(self, group: np.ndarray) -> None:
        if group["flags"][0] & SNAPSHOT and group["flags"][0] & FIRST:
            self.sides = ({}, {})
        for price, volume, side in zip(
            group["price"].tolist(), group["volume"].tolist(), group["side"].tolist(), strict=True
        ):
            if volume:
                self.sides[side][price] = volume
            else:
                self.sides[side].pop(price, None)

    def best(self, side: int) -> int:
        return max(self.sides[side]) if side == BID else min(self.sides[side])


def unstamped(rows: np.ndarray) -> np.ndarray:
    """The rows without what publishing writes into them."""
    bare = rows.copy()
    bare["ts_origin"] = bare["published"] = 0
    return bare
