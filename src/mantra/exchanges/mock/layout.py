"""The bytes of an exchange. EXCHANGE holds what is of fixed size, and the addresses of the others.

    EXCHANGE     ORDER   × ORDERS_MAX    slots, free ones in a list
                 i8      × INDEX_SLOTS   order id -> slot + 1, a hash; 0: empty
             ──▶ MARKET  × instruments   book, resting orders of each side, state of the data
             ──▶ ACCOUNT × assets        total, held
             ──▶ REPORT  × REPORTS_MAX   what is to be said about the message in hand

All assets and instruments of the run have a row, so that ids are indices; only those of the venue
are used.
"""

from mantra.icc.memory import record_type
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
#
# book      address; 0: not an instrument of this venue
# keys      sign × best price of our resting orders, by side
# firsts    their slots
# lost      1: updates were lost, wait for a snapshot
# sequence  the venue's number of the last update
# in_group  1: the last update did not complete its group
# touched   1: a level reached a resting order; look at the end of the group
# facts     address of its INSTRUMENT
MARKET = record_type(
    "i8 book", "(2,)i8 keys", "(2,)i4 firsts", "i8 lost sequence", "i4 in_group touched", "i8 facts"
)

#   0        8     16     24     32   40          48         52    54   55
#   +--------+-----+------+------+----+-----------+----------+-----+----+-------------+
#   |order_id|price|volume|leaves|held|queue_ahead|instrument|model|side|time_in_force|
#   +--------+-----+------+------+----+-----------+----------+-----+----+-------------+
#   56   60       64
#   +----+--------+
#   |next|previous|
#   +----+--------+
#
# price        0: a market order
# held         of the quote asset for bids, of the base asset for asks
# queue_ahead  volume of others that is served first at its price (a seam: 0)
# next         slot of the next in price and time order, or of the next free
ORDER = record_type(
    "i8 order_id price volume leaves held queue_ahead",
    "i4 instrument",
    "i2 model",
    "i1 side time_in_force",
    "i4 next previous",
)

#   0     8           16          24   32      40         48       56
#   +-----+-----------+-----------+----+-------+----------+--------+-------+
#   |venue|ts_exchange|groups_open|free|markets|orders_max|accounts|in_hand|
#   +-----+-----------+-----------+----+-------+----------+--------+-------+
#   64      72      80          88              96   104    128     192      65,728  82,112
#   +-------+-------+-----------+---------------+----+------+-------+--------+-------+
#   |reports|waiting|instruments|answers_unknown|open|unused|refused| orders | index |
#   +-------+-------+-----------+---------------+----+------+-------+--------+-------+
#
# ts_exchange      of the last market event: the venue's time
# groups_open      instruments in the middle of a group
# free             first free slot
# markets          addresses of the other parts: MARKETs …
# accounts         … ACCOUNTs …
# in_hand          slot of the order that is to take liquidity now, or NOBODY
# reports          … REPORTs
# waiting          reports not sent yet
# instruments      how many
# answers_unknown  1: refuses instruments that are in no table
# open             orders in the table
# unused           so that each order is one cache line
# refused          what a refusal tells, in the form of an order
EXCHANGE = record_type(
    "i8 venue ts_exchange groups_open free markets orders_max accounts in_hand reports waiting",
    "i8 instruments answers_unknown open",
    "(3,)i8 unused",
    ("refused", ORDER),
    ("orders", ORDER, (ORDERS_MAX,)),
    f"({INDEX_SLOTS},)i8 index",
)

ACCOUNT = record_type("i8 total held")

# The queue a report is for.
TO_ORDERS, TO_FILLS, TO_BALANCES = range(3)

#   0     8      16                  136
#   +-----+------+-------------------+
#   |queue|due_at| message: FILL, or ORDER_UPDATE or BALANCE_UPDATE in its first 56 bytes
#   +-----+------+-------------------+
REPORT = record_type("i8 queue due_at", ("message", FILL))
assert MARKET.itemsize == ORDER.itemsize == 64  # each is one cache line
