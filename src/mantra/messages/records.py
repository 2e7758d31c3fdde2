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

from mantra.icc.memory import record_type

PUBLISHER_BITS = 16
PUBLISHER_MASK = (1 << PUBLISHER_BITS) - 1

HEAD = [("ts_origin", "i8"), ("published", "i8")]

#  One price level: absolute volume, 0 deletes. A book is consistent only after LAST of a group.
#
#   0         8         16          24     32      40       48         52   53    54
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
#   |ts_origin|published|ts_exchange|price |volume |sequence|instrument|side|flags|unused|
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
#
# sequence  the venue's own number for the group
# side      BID, ASK
# flags     FIRST | LAST | SNAPSHOT
L2_UPDATE = record_type(
    *HEAD, "i8 ts_exchange price volume sequence", "i4 instrument", "i1 side flags", "i2 unused"
)

#   0         8         16          24     32      40       48         52   53    54
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
#   |ts_origin|published|ts_exchange|price |volume |trade_id|instrument|side|flags|unused|
#   +---------+---------+-----------+------+-------+--------+----------+----+-----+------+
#
# side  of the aggressor: BID bought, ASK sold
TRADE_UPDATE = record_type(
    *HEAD, "i8 ts_exchange price volume trade_id", "i4 instrument", "i1 side flags", "i2 unused"
)

#   0         8         16       24    32     40         44    46  48   49   50   51           52
#   +---------+---------+--------+-----+------+----------+-----+---+----+----+----+-------------+---
#   |ts_origin|published|order_id|price|volume|instrument|model|row|kind|side|type|time_in_force| -
#   +---------+---------+--------+-----+------+----------+-----+---+----+----+----+-------------+---
#
# price          0 for a market order
# model          whose ideal order it serves
# row            which of the model's ideal orders
# kind           NEW, AMEND, CANCEL
# type           LIMIT, MARKET
# time_in_force  GTC, IOC, POST_ONLY
ORDER_REQUEST = record_type(
    *HEAD,
    "i8 order_id price volume",
    "i4 instrument",
    "i2 model row",
    "i1 kind side type time_in_force",
    "i4 unused",
)

#   0         8         16          24       32     40     48         52    54    55
#   +---------+---------+-----------+--------+------+------+----------+-----+-----+------+
#   |ts_origin|published|ts_exchange|order_id|price |leaves|instrument|model|event|reason|
#   +---------+---------+-----------+--------+------+------+----------+-----+-----+------+
#
# leaves  volume still open after this; of an end: what stayed unfilled
# event   ACCEPTED, REJECTED, CANCELED, …
# reason  REASON_*: of a rejection or expiry
ORDER_UPDATE = record_type(
    *HEAD, "i8 ts_exchange order_id price leaves", "i4 instrument", "i2 model", "i1 event reason"
)

#   0         8         16          24       32    40     48     56  64       72
#   +---------+---------+-----------+--------+-----+------+------+---+--------+---
#   |ts_origin|published|ts_exchange|order_id|price|volume|leaves|fee|trade_id| …
#   +---------+---------+-----------+--------+-----+------+------+---+--------+---
#   72         76        80    82   83        84     88                 120
#   +----------+---------+-----+----+---------+------+------------------+
#   |instrument|fee_asset|model|side|liquidity|unused| unused (4 words) |
#   +----------+---------+-----+----+---------+------+------------------+
#
# fee        amount of fee_asset; negative is a rebate
# liquidity  MAKER, TAKER
FILL = record_type(
    *HEAD,
    "i8 ts_exchange order_id price volume leaves fee trade_id",
    "i4 instrument fee_asset",
    "i2 model",
    "i1 side liquidity",
    "i4 unused",
    "(4,)i8 unused_words",
)

#   0         8         16          24    32   40       48    52    54
#   +---------+---------+-----------+-----+----+--------+-----+-----+------+
#   |ts_origin|published|ts_exchange|total|held|order_id|asset|venue|unused|
#   +---------+---------+-----------+-----+----+--------+-----+-----+------+
#
# total     amount owned, held included
# held      amount reserved by open orders
# order_id  what caused it; 0: a snapshot
BALANCE_UPDATE = record_type(
    *HEAD, "i8 ts_exchange total held order_id", "i4 asset", "i2 venue unused"
)

#   0         8         16          24    32     40         48         52    54
#   +---------+---------+-----------+-----+------+----------+----------+-----+----+
#   |ts_origin|published|ts_exchange|value|detail|unused    |instrument|venue|kind|
#   +---------+---------+-----------+-----+------+----------+----------+-----+----+
#
# value       a count: messages lost, …
# instrument  -1: all
# venue       -1: none
# kind        EVENT_*
SYSTEM_EVENT = record_type(
    *HEAD, "i8 ts_exchange value detail unused", "i4 instrument", "i2 venue kind"
)

#   One step of one actor. ts_origin is that of the message handled, so latency is a subtraction.
#   0         8         16       24      32    36   40     48       56
#   +---------+---------+--------+-------+-----+----+------+--------+
#   |ts_origin|published|ts_start|ts_stop|timer|work|detail| unused |
#   +---------+---------+--------+-------+-----+----+------+--------+
#
# ts_start  ticks
# timer     index into the actor's timers
# work      messages handled in it
# detail    what else of the inputs a replay has to know; the actor says what
TIMING = record_type(*HEAD, "i8 ts_start ts_stop", "i4 timer work", "i8 detail unused")

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
#
# volume    0: nothing wanted in this row
# revision  a model raises it to ask again for what was done or refused
# row       of the model's OrderCache
IDEAL_ORDER = record_type(
    *HEAD,
    "i8 price volume",
    "i4 instrument",
    "i1 side type time_in_force unused",
    "i8 revision",
    "i2 model row",
    "i4 unused_half",
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
