"""The state of a generator, in flat memory: everything `orderflow.py` reads and writes.

A market is a grid of TICKS_MAX prices around where it began, and the volume at each: below the
best bid these are bids, above the best ask asks, between them is nothing. So a side's book needs
no structure, the next level is found by looking at the next ticks, and no book can be crossed.

     0          64                     quantile tables       l2: 1,024 records     trades: 96
     +----------+----------------------+---------------------+---------------------+--------
     | random,  | what happened last:  | int32[1024] each    | the group to send   | …
     | clock    | counts, ts_exchange  |                     |                     |
     +----------+----------------------+---------------------+---------------------+--------

A MARKET an instrument: a cache line and a half, then its grid of 256 KB.
"""

import numpy as np

from mantra.exchanges.simulated.distributions import QUANTILES
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

TICKS_MAX = 1 << 16  # the price stays within ± half of it of where it began
CENTER = TICKS_MAX // 2
FREE = TICKS_MAX // 4  # within ± this of the center nothing pulls the price back
LEVELS_MIN = 8  # a side never has fewer: what would leave it fewer does not happen
SNAPSHOT_LEVELS = 500  # a side
GROUP_MAX = 2 * SNAPSHOT_LEVELS + 24  # levels of a group
FILLS_MAX = 96  # trades of an event: the largest of the table
MARKETS_MAX = 64

# Tables of quantiles.
LEVEL_VOLUMES, TOUCH_VOLUMES, TRADE_VOLUMES, DISTANCES, FILLS, WITHDRAWN, TAIL, PAUSES = range(8)

GENERATOR = np.dtype(
    [
        ("random", "i8"),  # state of xorshift64, never 0
        ("clock_ps", "i8"),  # simulated time since the start, in picoseconds
        ("period_ps", "i8"),  # mean time a message takes
        ("ts_start", "i8"),  # ns since the epoch
        ("quiet", "i8"),  # 1: few arrivals; 0: many
        ("markets", "i8"),  # address of the MARKETs
        ("markets_count", "i8"),
        ("snapshots", "i8"),  # markets whose snapshot has been sent
        # The event made last.
        ("ts_exchange", "i8"),
        ("trades_count", "i8"),
        ("l2_count", "i8"),
        ("unused", "i8", (5,)),
        ("tables", "i4", (8, QUANTILES)),
        ("l2", L2_UPDATE, (GROUP_MAX,)),
        ("trades", TRADE_UPDATE, (FILLS_MAX,)),
    ],
    align=True,
)

MARKET = np.dtype(
    [
        ("instrument", "i8"),
        ("tick_size", "i8"),
        ("lot_size", "i8"),
        ("volume_scale", "i8"),  # lots for a lot of the tables, in UNITs
        ("first_tick", "i8"),  # price of the grid's first cell, in ticks
        ("best", "i8", (2,)),  # cells of the best bid and ask
        ("levels", "i8", (2,)),
        ("sequence", "i8"),  # of the group sent last
        ("trade_id", "i8"),
        ("aggressor", "i8"),  # side of the last aggressive order: they come in rows
        ("heat", "i8"),  # of aggressive orders; falls by itself, in 1/16 chances of 1024
        ("grid", "i4", (TICKS_MAX,)),  # lots at each price
    ],
    align=True,
)

L2_AT = GENERATOR.fields["l2"][1]  # type: ignore[index]
TRADES_AT = GENERATOR.fields["trades"][1]  # type: ignore[index]
