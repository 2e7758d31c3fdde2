"""Why an ideal order is not sent: the reasons, by number and by name.

In:        -
Out:       the reasons as numbers, REFUSALS for printing, sets of them that one event may lift.
Must not know: how they are found (limits.py).
"""

# STOPPED: by the kill switch, the end of the run, or answers lost. MODEL_HALTED: it lost more than
# its limit, or all together did. VENUE_HALTED: or the instrument there. BAD_IDEAL: no such
# instrument, side or type; a price or volume that is not positive. NO_PRICE: a collar or a market
# order needs a last price, and there is none yet.
NONE, STOPPED, MODEL_HALTED, VENUE_HALTED, BAD_IDEAL, OPEN_ORDERS, VOLUME = range(7)
POSITION, NO_PRICE, COLLAR, NOTIONAL, BALANCE_UNKNOWN, BALANCE, RATE = range(7, 14)
REFUSALS: tuple[str, ...] = ("none", "stopped", "model-halted", "venue-halted", "bad-ideal")
REFUSALS += ("open-orders", "volume", "position", "no-price", "collar", "notional")
REFUSALS += ("balance-unknown", "balance", "rate")

# Which refusals to look at again when something happens: bit n is reason n.
LIFTED_BY_BALANCE = 1 << BALANCE_UNKNOWN | 1 << BALANCE
LIFTED_BY_FILL = 1 << POSITION
LIFTED_BY_END = 1 << OPEN_ORDERS | 1 << POSITION | 1 << BALANCE
LIFTED_BY_TRADE = 1 << NO_PRICE | 1 << COLLAR
LIFTED_BY_RESUME = 1 << VENUE_HALTED
