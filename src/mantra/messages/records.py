"""Every record that travels between actors. The dtype is the contract.

All are fixed-width; 56 bytes (one cache line with the queue's version word) where the fields
allow, else 120. All begin with the same two words, written by the producer itself on publishing
(telemetry/tracked.py), so that no actor can forget them:

    ts_origin   TSC ticks at the socket read (or replay) of the message that began it all,
                inherited by everything it causes: the trace id
    published   (ticks from ts_origin to publishing) << 16 | publisher id

Units. Prices and volumes are counts of the instrument's smallest decimal unit (exponents in the
instrument table), amounts of the asset's. `ts_exchange` is ns since the epoch, UTC, 0 if unknown.
`order_id` is ours, unique in a run. No floats.
"""

import numpy as np

PUBLISHER_BITS = 16
PUBLISHER_MASK = (1 << PUBLISHER_BITS) - 1

HEAD = [("ts_origin", "i8"), ("published", "i8")]

#  One price level: absolute volume, 0 deletes. A book is consistent only after LAST of a group.
#
#   0         8         16          24     32      40       48         52   53    54
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
#   |ts_origin|published|ts_exchange|price |volume |sequence|instrument|side|flags|unused|
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
L2_UPDATE = np.dtype(
    [
        *HEAD,
        ("ts_exchange", "i8"),
        ("price", "i8"),
        ("volume", "i8"),
        ("sequence", "i8"),  # the venue's own number for the group
        ("instrument", "i4"),
        ("side", "i1"),  # BID, ASK
        ("flags", "i1"),  # FIRST | LAST | SNAPSHOT
        ("unused", "i2"),
    ],
    align=True,
)

#   0         8         16          24     32      40       48         52   53    54
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
#   |ts_origin|published|ts_exchange|price |volume |trade_id|instrument|side|flags|unused|
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
TRADE_UPDATE = np.dtype(
    [
        *HEAD,
        ("ts_exchange", "i8"),
        ("price", "i8"),
        ("volume", "i8"),
        ("trade_id", "i8"),
        ("instrument", "i4"),
        ("side", "i1"),  # of the aggressor: BID bought, ASK sold
        ("flags", "i1"),
        ("unused", "i2"),
    ],
    align=True,
)

#   0         8         16       24    32     40         44    46  48   49   50   51           52
#   +---------+---------+--------+-----+------+----------+-----+---+----+----+----+-------------+---
#   |ts_origin|published|order_id|price|volume|instrument|model|row|kind|side|type|time_in_force| -
#   +---------+---------+--------+-----+------+----------+-----+---+----+----+----+-------------+---
ORDER_REQUEST = np.dtype(
    [
        *HEAD,
        ("order_id", "i8"),
        ("price", "i8"),  # 0 for a market order
        ("volume", "i8"),
        ("instrument", "i4"),
        ("model", "i2"),  # whose ideal order it serves
        ("row", "i2"),  # which of the model's ideal orders
        ("kind", "i1"),  # NEW, AMEND, CANCEL
        ("side", "i1"),
        ("type", "i1"),  # LIMIT, MARKET
        ("time_in_force", "i1"),  # GTC, IOC, POST_ONLY
        ("unused", "i4"),
    ],
    align=True,
)

#   0         8         16          24       32     40     48         52    54    55
#   +---------+---------+-----------+--------+------+------+----------+-----+-----+------+
#   |ts_origin|published|ts_exchange|order_id|price |leaves|instrument|model|event|reason|
#   +---------+---------+-----------+--------+------+------+----------+-----+-----+------+
ORDER_UPDATE = np.dtype(
    [
        *HEAD,
        ("ts_exchange", "i8"),
        ("order_id", "i8"),
        ("price", "i8"),
        ("leaves", "i8"),  # volume still open after this; of an end: what stayed unfilled
        ("instrument", "i4"),
        ("model", "i2"),
        ("event", "i1"),  # ACCEPTED, REJECTED, CANCELED, …
        ("reason", "i1"),  # REASON_*: of a rejection or expiry
    ],
    align=True,
)

#   0         8         16          24       32    40     48     56  64       72
#   +---------+---------+-----------+--------+-----+------+------+---+--------+---
#   |ts_origin|published|ts_exchange|order_id|price|volume|leaves|fee|trade_id| …
#   +---------+---------+-----------+--------+-----+------+------+---+--------+---
#   72         76        80    82   83        84     88                 120
#   +----------+---------+-----+----+---------+------+------------------+
#   |instrument|fee_asset|model|side|liquidity|unused| unused (4 words) |
#   +----------+---------+-----+----+---------+------+------------------+
FILL = np.dtype(
    [
        *HEAD,
        ("ts_exchange", "i8"),
        ("order_id", "i8"),
        ("price", "i8"),
        ("volume", "i8"),
        ("leaves", "i8"),
        ("fee", "i8"),  # amount of fee_asset; negative is a rebate
        ("trade_id", "i8"),
        ("instrument", "i4"),
        ("fee_asset", "i4"),
        ("model", "i2"),
        ("side", "i1"),
        ("liquidity", "i1"),  # MAKER, TAKER
        ("unused", "i4"),
        ("unused_words", "i8", (4,)),
    ],
    align=True,
)

#   0         8         16          24    32   40       48    52    54
#   +---------+---------+-----------+-----+----+--------+-----+-----+------+
#   |ts_origin|published|ts_exchange|total|held|order_id|asset|venue|unused|
#   +---------+---------+-----------+-----+----+--------+-----+-----+------+
BALANCE_UPDATE = np.dtype(
    [
        *HEAD,
        ("ts_exchange", "i8"),
        ("total", "i8"),  # amount owned, held included
        ("held", "i8"),  # amount reserved by open orders
        ("order_id", "i8"),  # what caused it; 0: a snapshot
        ("asset", "i4"),
        ("venue", "i2"),
        ("unused", "i2"),
    ],
    align=True,
)

#   0         8         16          24    32     40         48         52    54
#   +---------+---------+-----------+-----+------+----------+----------+-----+----+
#   |ts_origin|published|ts_exchange|value|detail|unused    |instrument|venue|kind|
#   +---------+---------+-----------+-----+------+----------+----------+-----+----+
SYSTEM_EVENT = np.dtype(
    [
        *HEAD,
        ("ts_exchange", "i8"),
        ("value", "i8"),  # a count: messages lost, …
        ("detail", "i8"),
        ("unused", "i8"),
        ("instrument", "i4"),  # -1: all
        ("venue", "i2"),  # -1: none
        ("kind", "i2"),  # EVENT_*
    ],
    align=True,
)

#   One step of one actor. ts_origin is that of the message handled, so latency is a subtraction.
#   0         8         16       24      32    36   40     48       56
#   +---------+---------+--------+-------+-----+----+------+--------+
#   |ts_origin|published|ts_start|ts_stop|timer|work|detail| unused |
#   +---------+---------+--------+-------+-----+----+------+--------+
TIMING = np.dtype(
    [
        *HEAD,
        ("ts_start", "i8"),  # ticks
        ("ts_stop", "i8"),
        ("timer", "i4"),  # index into the actor's timers
        ("work", "i4"),  # messages handled in it
        ("detail", "i8"),  # what else of the inputs a replay has to know; the actor says what
        ("unused", "i8"),
    ],
    align=True,
)

#   A row of a model's OrderCache (SeqlockVector): what it wants to have in the market. Each row
#   written also travels on [ideals], a step later, so that it is known who wanted what, when.
#   0         8         16     24     32         36   37   38            39
#   +---------+---------+------+------+----------+----+----+-------------+------+
#   |ts_origin|published|price |volume|instrument|side|type|time_in_force|unused|
#   +---------+---------+------+------+----------+----+----+-------------+------+
#   40       48    50  52             56
#   +--------+-----+---+--------------+
#   |revision|model|row|  unused_half |
#   +--------+-----+---+--------------+
IDEAL_ORDER = np.dtype(
    [
        *HEAD,
        ("price", "i8"),
        ("volume", "i8"),  # 0: nothing wanted in this row
        ("instrument", "i4"),
        ("side", "i1"),
        ("type", "i1"),
        ("time_in_force", "i1"),
        ("unused", "i1"),
        ("revision", "i8"),  # a model raises it to ask again for what was done or refused
        ("model", "i2"),
        ("row", "i2"),  # of the model's OrderCache
        ("unused_half", "i4"),
    ],
    align=True,
)

#  The queues of a run by name, and what travels on each.
QUEUE_RECORDS = {
    "l2": L2_UPDATE,
    "trades": TRADE_UPDATE,
    "ideals": IDEAL_ORDER,
    "requests": ORDER_REQUEST,
    "orders": ORDER_UPDATE,
    "fills": FILL,
    "balances": BALANCE_UPDATE,
    "events": SYSTEM_EVENT,
    "timings": TIMING,
}
