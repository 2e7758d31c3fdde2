"""Why an ideal order is not sent: the reasons, by number and by name.

In:        -
Out:       REFUSED_* for compiled code, REFUSALS for printing, sets of them that one event may lift.
Must not know: how they are found (limits.py).
"""

REFUSED_NOT = 0
REFUSED_STOPPED = 1  # the kill switch, the end of the run, or answers lost
REFUSED_MODEL_HALTED = 2  # it lost more than its limit, or all together did
REFUSED_VENUE_HALTED = 3  # the venue, or the instrument there
REFUSED_BAD_IDEAL = 4  # no such instrument, side or type; a price or volume that is not positive
REFUSED_OPEN_ORDERS = 5
REFUSED_VOLUME = 6
REFUSED_POSITION = 7
REFUSED_NO_PRICE = 8  # a collar or a market order needs a last price, and there is none yet
REFUSED_COLLAR = 9
REFUSED_NOTIONAL = 10
REFUSED_BALANCE_UNKNOWN = 11
REFUSED_BALANCE = 12
REFUSED_RATE = 13
REFUSALS = (
    "none",
    "stopped",
    "model-halted",
    "venue-halted",
    "bad-ideal",
    "open-orders",
    "volume",
    "position",
    "no-price",
    "collar",
    "notional",
    "balance-unknown",
    "balance",
    "rate",
)

# Which refusals to look at again when something happens: bit n is reason n.
LIFTED_BY_BALANCE = 1 << REFUSED_BALANCE_UNKNOWN | 1 << REFUSED_BALANCE
LIFTED_BY_FILL = 1 << REFUSED_POSITION
LIFTED_BY_END = 1 << REFUSED_OPEN_ORDERS | 1 << REFUSED_POSITION | 1 << REFUSED_BALANCE
LIFTED_BY_TRADE = 1 << REFUSED_NO_PRICE | 1 << REFUSED_COLLAR
LIFTED_BY_RESUME = 1 << REFUSED_VENUE_HALTED
