"""The bytes of an exchange. EXCHANGE holds what is of fixed size, and the addresses of the others.

    EXCHANGE     ORDER   × ORDERS_MAX    slots, free ones in a list
                 i8      × INDEX_SLOTS   order id -> slot + 1, a hash; 0: empty
             ──▶ MARKET  × instruments   book, resting orders of each side, state of the data
             ──▶ ACCOUNT × assets        total, held
             ──▶ REPORT  × REPORTS_MAX   what is to be said about the message in hand

All assets and instruments of the run have a row, so that ids are indices; only those of the venue
are used.
"""

import numpy as np

from mantra.messages.records import FILL

ORDERS_MAX = 1024  # open orders of all instruments
INDEX_BITS = 11
INDEX_SLOTS = 1 << INDEX_BITS  # half full at most: a search ends after two or three looks
LEVELS_MAX = 1024  # levels that one event may take volume from
REPORTS_MAX = 8192

# A fill is told by three reports. One event fills at most every order, and breaks off at most
# LEVELS_MAX of them at the end of a level; a request says three things more.
assert 3 * (ORDERS_MAX + LEVELS_MAX) + 8 <= REPORTS_MAX
assert 2 * ORDERS_MAX <= INDEX_SLOTS

NOBODY = -1  # no slot
KEY_EMPTY = -((1 << 63) - 1)  # sign × price of a side without orders: no price reaches it

#   0    8           24         32   40       48       52      56    64
#   +----+-----------+----------+----+--------+--------+-------+-----+
#   |book| keys 0, 1|firsts 0,1|lost|sequence|in_group|touched|facts|
#   +----+-----------+----------+----+--------+--------+-------+-----+
MARKET = np.dtype(
    [
        ("book", "i8"),  # address; 0: not an instrument of this venue
        ("keys", "i8", (2,)),  # sign × best price of our resting orders, by side
        ("firsts", "i4", (2,)),  # their slots
        ("lost", "i8"),  # 1: updates were lost, wait for a snapshot
        ("sequence", "i8"),  # the venue's number of the last update
        ("in_group", "i4"),  # 1: the last update did not complete its group
        ("touched", "i4"),  # 1: a level reached a resting order; look at the end of the group
        ("facts", "i8"),  # address of its INSTRUMENT
    ],
    align=True,
)

#   0        8     16     24     32   40          48         52    54   55
#   +--------+-----+------+------+----+-----------+----------+-----+----+-------------+
#   |order_id|price|volume|leaves|held|queue_ahead|instrument|model|side|time_in_force|
#   +--------+-----+------+------+----+-----------+----------+-----+----+-------------+
#   56   60       64
#   +----+--------+
#   |next|previous|
#   +----+--------+
ORDER = np.dtype(
    [
        ("order_id", "i8"),
        ("price", "i8"),  # 0: a market order
        ("volume", "i8"),
        ("leaves", "i8"),
        ("held", "i8"),  # of the quote asset for bids, of the base asset for asks
        ("queue_ahead", "i8"),  # volume of others that is served first at its price (a seam: 0)
        ("instrument", "i4"),
        ("model", "i2"),
        ("side", "i1"),
        ("time_in_force", "i1"),
        ("next", "i4"),  # slot of the next in price and time order, or of the next free
        ("previous", "i4"),
    ],
    align=True,
)

#   0     8           16          24   32      40         48       56
#   +-----+-----------+-----------+----+-------+----------+--------+-------+
#   |venue|ts_exchange|groups_open|free|markets|orders_max|accounts|in_hand|
#   +-----+-----------+-----------+----+-------+----------+--------+-------+
#   64      72      80          88              96   104    128     192      65,728  82,112
#   +-------+-------+-----------+---------------+----+------+-------+--------+-------+
#   |reports|waiting|instruments|answers_unknown|open|unused|refused| orders | index |
#   +-------+-------+-----------+---------------+----+------+-------+--------+-------+
EXCHANGE = np.dtype(
    [
        ("venue", "i8"),
        ("ts_exchange", "i8"),  # of the last market event: the venue's time
        ("groups_open", "i8"),  # instruments in the middle of a group
        ("free", "i8"),  # first free slot
        ("markets", "i8"),  # addresses of the other parts: MARKETs …
        ("orders_max", "i8"),
        ("accounts", "i8"),  # … ACCOUNTs …
        ("in_hand", "i8"),  # slot of the order that is to take liquidity now, or NOBODY
        ("reports", "i8"),  # … REPORTs
        ("waiting", "i8"),  # reports not sent yet
        ("instruments", "i8"),  # how many
        ("answers_unknown", "i8"),  # 1: refuses instruments that are in no table
        ("open", "i8"),  # orders in the table
        ("unused", "i8", (3,)),  # so that each order is one cache line
        ("refused", ORDER),  # what a refusal tells, in the form of an order
        ("orders", ORDER, (ORDERS_MAX,)),
        ("index", "i8", (INDEX_SLOTS,)),
    ],
    align=True,
)

ACCOUNT = np.dtype([("total", "i8"), ("held", "i8")], align=True)

# The queue a report is for.
TO_ORDERS = 0
TO_FILLS = 1
TO_BALANCES = 2

#   0     8      16                  136
#   +-----+------+-------------------+
#   |queue|due_at| message: FILL, or ORDER_UPDATE or BALANCE_UPDATE in its first 56 bytes
#   +-----+------+-------------------+
REPORT = np.dtype([("queue", "i8"), ("due_at", "i8"), ("message", FILL)], align=True)
MESSAGE_AT = REPORT.fields["message"][1]  # type: ignore[index]

REPORT_BYTES = REPORT.itemsize

assert MARKET.itemsize == ORDER.itemsize == 64  # each is one cache line
