"""The small integers in the records: plain constants for compiled code, names for printing.

IntEnum members inside compiled code make a new specialisation each; hence plain integers, and one
table of names a family.
"""


def names(prefix: str) -> tuple[str, ...]:
    """What the constants so far that begin with `prefix` are called; they count up from 0."""
    found = [name.removeprefix(prefix) for name in globals() if name.startswith(prefix)]
    return tuple(name.lower().replace("_", "-") for name in found)


# Sides. The sign of a side is 1 - 2 * side: bid +1, ask -1.
BID, ASK = range(2)
SIDES = ("bid", "ask")

# L2Update and TradeUpdate flags.
# FIRST     first level of an atomic group
# LAST      last level: the book is consistent again
# SNAPSHOT  the group replaces the whole book
FIRST, LAST, SNAPSHOT = 1, 2, 4

# OrderRequest kinds.
NEW, AMEND, CANCEL = range(3)
KINDS = ("new", "amend", "cancel")

# Order types.
LIMIT, MARKET = range(2)

# Time in force: good till canceled, immediate or cancel, good till canceled but refused if it would
# take.
GTC, IOC, POST_ONLY = range(3)

# OrderUpdate events: what a venue says of an order. Fills travel on their own queue.
# EXPIRED  ended by its own terms: IOC remainder, market order with no book left
ACCEPTED, REJECTED, AMENDED, AMEND_REJECTED, CANCELED, CANCEL_REJECTED, EXPIRED = range(7)
ORDER_EVENTS: tuple[str, ...] = ("accepted", "rejected", "amended", "amend-rejected")
ORDER_EVENTS += ("canceled", "cancel-rejected", "expired")

# Why an order was rejected or expired.
REASON_NONE = 0
REASON_WOULD_TAKE = 1  # post-only would have crossed
REASON_NO_BALANCE = 2
REASON_UNKNOWN_ORDER = 3  # cancel or amend of an order that is not (or no longer) live
REASON_BAD_PRICE = 4  # not positive, or off the tick
REASON_BAD_VOLUME = 5  # not positive, off the lot, below the minimum
REASON_NO_BOOK = 6  # the venue has no consistent book of the instrument
REASON_UNKNOWN_INSTRUMENT = 7
REASON_TOO_MANY_ORDERS = 8
REASON_UNFILLED = 9  # IOC or market remainder
REASON_DUPLICATE_ID = 10
REASON_HALTED = 11
REASON_MALFORMED = 12  # a side, type, kind or time in force that there is not, an id below 1
REASONS = names("REASON_")

# Fill liquidity.
MAKER, TAKER = range(2)
LIQUIDITIES = ("maker", "taker")

# SystemEvent kinds.
EVENT_CONNECTED = 0
EVENT_DISCONNECTED = 1
EVENT_GAP = 2  # value: messages missed
EVENT_RESYNC = 3
EVENT_OVERRUN = 4  # a consumer was sped past; value: messages lost
EVENT_HALT = 5
EVENT_RESUME = 6
EVENT_ACTOR_STARTED = 7
EVENT_ACTOR_STOPPED = 8
EVENT_ACTOR_DIED = 9
EVENT_CROSSED = 10  # a book is crossed after a whole group
EVENT_END_OF_DATA = 11  # a replay or generator has nothing more to send
# What an order may not do now; value: order id, detail: state << 8 | event.
EVENT_ORDER_ILLEGAL = 12
EVENT_ORDER_UNKNOWN = 13  # said of an order that nobody here sent; value: order id
EVENT_ORDER_TIMEOUT = 14  # a request was not answered in time; value: order id
EVENT_LISTED = 15  # an instrument that was not there before, or trades again, is followed now
EVENT_DELISTED = 16  # it trades no more, and is not followed
EVENT_DRIFT = 17  # a book differed from a snapshot asked for beside it; value: at so many prices
EVENTS = names("EVENT_")
