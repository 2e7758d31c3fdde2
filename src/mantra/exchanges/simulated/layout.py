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

from mantra.exchanges.simulated.distributions import QUANTILES
from mantra.icc.memory import record_type
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

# random       state of xorshift64, never 0
# clock_ps     simulated time since the start, in picoseconds
# period_ps    mean time a message takes
# ts_start     ns since the epoch
# quiet        1: few arrivals; 0: many
# markets      address of the MARKETs
# snapshots    markets whose snapshot has been sent
# ts_exchange  of the event made last, as the rest
GENERATOR = record_type(
    "i8 random clock_ps period_ps ts_start quiet markets markets_count snapshots ts_exchange",
    "i8 trades_count l2_count",
    "(5,)i8 unused",
    f"(8,{QUANTILES})i4 tables",
    ("l2", L2_UPDATE, (GROUP_MAX,)),
    ("trades", TRADE_UPDATE, (FILLS_MAX,)),
)

# volume_scale  lots for a lot of the tables, in UNITs
# first_tick    price of the grid's first cell, in ticks
# best          cells of the best bid and ask
# sequence      of the group sent last
# aggressor     side of the last aggressive order: they come in rows
# heat          of aggressive orders; falls by itself, in 1/16 chances of 1024
# grid          lots at each price
MARKET = record_type(
    "i8 instrument tick_size lot_size volume_scale first_tick",
    "(2,)i8 best levels",
    "i8 sequence trade_id aggressor heat",
    f"({TICKS_MAX},)i4 grid",
)
