"""What the Overseer remembers: its records, and nothing else.

In:        -
Out:       dtypes of the private state; all words int64, so that a segment may hold them one day.
Must not know: what is done with them.

    CONTEXT ─┬─ MODEL × models ──── ROW × rows of that model's OrderCache ── slot ─┐
             ├─ ORDER × CAPACITY  ◀────────────────────────────────────────────────┘
             ├─ POSITION, LIMITS × models × instruments
             ├─ BALANCE × venues × assets
             ├─ LEDGER × (models + 1, the last for all together) × assets
             ├─ MARKET_STATE × instruments, VENUE_STATE × venues
             └─ COUNTERS × (models + 1, the last for what belongs to no model)

An order's id is sequence × CAPACITY + slot: the slot is found by a mask, and a late word about an
order whose slot is used again does not match. The slot that ended first is used again first, and
only when KEPT others have ended since: late fills and answers find their order. Not more are kept,
because a slot not used for long is no longer in the core's cache.
"""

from mantra.icc.memory import offsets, record_type
from mantra.messages import enums, records
from mantra.overseer.refusals import REFUSALS

CAPACITY = 2048  # orders remembered; 384 KiB: stays in a core's second-level cache
OPEN_MAX = 1536  # orders open at once, over all models
SLOT_MASK = CAPACITY - 1
assert CAPACITY & SLOT_MASK == 0
KEPT = 256  # ended orders that are remembered at least
assert OPEN_MAX + KEPT <= CAPACITY

NOWHERE = -1  # no slot

# Why a row's ideal order is not sent again.
#   UNTIL_REWRITTEN  it was done: until the row's version is above `blocked_version`
#   UNTIL_CHANGED    it was refused by the venue: until its content or revision differs
FREE, UNTIL_REWRITTEN, UNTIL_CHANGED = range(3)

#   state          of lifecycle.py
#   price, volume  as last sent, or amended
#   terms          of its ideal order, in one word (TERMS_MASK)
#   ends_itself    IOC or market: it is waited for, not canceled
#   cost           of `asset`, when it was sent
#   reserved       of that by us, until the venue's own balance accounts for it
#   balance_seen   a BALANCE_UPDATE of this order and asset was read
#   row_version    which version of the row it serves
#   sent_at        ticks; of the request in flight, or of the end
#   retry_at       ticks; no cancel or amend before
#   amend_*        what the venue said of an amend; the price and volume of the one in flight
ORDER = record_type(
    "i8 order_id state model row price volume terms filled instrument venue side ends_itself",
    "i8 cost reserved asset balance_seen row_version revision sent_at retry_at",
    "i8 amend_refused amend_price amend_volume",
)

#   version    of the vector's row, as last looked at
#   dirty      look again although the version is the same
#   slot       of its live order, or NOWHERE
#   freed      origin of the venue's word that ended its last order
#   blocked    FREE, UNTIL_*; by which version, or which content
#   refused    why this version is not sent (refusals.py), or 0
ROW = record_type(
    "i8 version dirty slot freed",
    "i8 blocked blocked_version blocked_price blocked_volume blocked_terms blocked_revision",
    "i8 refused refused_version",
)

# A rate limit: `due` is when the bucket would be full again, in ticks. A request is allowed while
# `due` is less than `slack` ahead of now, and moves it on by `interval`. (The generic cell rate
# algorithm of ITU-T I.371: a token bucket in one word.)
BUCKET = record_type("i8 interval slack due")

#   cache             address of the VECTOR of its ideal orders
#   writes            of that vector, as last looked at
#   dirty             some ROW is
#   rows, first_row   how many, and their address
#   halted            it lost too much: its orders are canceled, none is sent
#   open              its orders that have not ended
#   open_max          0: no limit of its own
#   waiting           a row waits for time to pass: rate, retry
MODEL = record_type("i8 cache writes dirty rows first_row halted open open_max waiting")

# What a model holds of an instrument, and its limits there; 0: none.
#   position             volume; negative is short
#   working_*            volume of live orders not filled, by side
#   cash                 quote asset gained by all fills, fees paid
#   value                of the position at the last price
#   order_notional_max   in the quote asset
#   collar_ppm           largest distance of a price from the last traded one
#   position_max         volume held long or short, live orders counted as filled
LIMITS = ("order_volume_max", "order_notional_max", "collar_ppm", "position_max")
POSITION = record_type(f"i8 position working_bid working_ask cash value {' '.join(LIMITS)}")

#   known      0: the venue has not told it
#   reserved   by us, for requests `held` and `total` do not account for
BALANCE = record_type("i8 known total held reserved")

#   pnl         cash + value of all positions quoted in the asset
#   day_start   the same when the day began, UTC
#   loss_max    0: no limit
LEDGER = record_type("i8 pnl day_start loss_max")

MARKET_STATE = record_type("i8 last_price halted")
VENUE_STATE = record_type("i8 halted amends")

# One row a model of the vector "<name>-counters", and a last row for what belongs to no model.
#   requests    by kind: new, amend, cancel
#   refused     by reason: ideal orders not sent, once a version
#   illegal     what the venue said that the life-cycle does not allow
#   unknown     said of orders nobody here sent
#   unsettled   reservations given up without the venue's balance
#   changed     to be written to the vector
COUNTERS = record_type(
    f"({enums.CANCEL + 1},)i8 requests",
    f"({len(REFUSALS)},)i8 refused",
    "i8 updates fills illegal unknown timeouts unsettled open halted changed",
)

# Addresses of what the spine gave (`pending`: the word in the ACTOR_ROW), then of the arrays, and
# how long those are. Then:
#   mode            0: trading; else all is canceled and nothing sent
#   blind           answers were lost: orders, fills or balances are not known any more
#   sequence        of the next order
#   slots_fresh     slots never used begin here
#   slots_taken     from the ring of free slots, so far: an index into it
#   slots_given     to it
#   unsettled       ended orders with a reservation
#   changed         some COUNTERS are
#   check_at        ticks of the next look at what time does
#   rehearse        address of the duty cycle of rehearsals, and of a REHEARSAL, or 0
#   idle            idle steps since the last one
#   day_end         ns since the epoch
#   cost            what the order in hand needs, of `cost_asset`
#   ideal, message  in hand: the ideal order, what a venue says (as long as the longest of these)
CONTEXT = record_type(
    "i8 track control pending requests events_out orders_in fills_in balances_in events_in",
    "i8 trades_in counters_out instruments instrument_count asset_count venue_count model_count",
    "i8 models orders free_slots positions balances ledgers markets venues buckets counters",
    "i8 mode blind sequence slots_fresh slots_taken slots_given open shown_open refused_rows",
    "i8 unsettled changed steps check_at retry_ticks timeout_ticks rehearse rehearsal idle",
    "i8 day_end market_slack_ppm cost cost_asset",
    ("ideal", records.IDEAL_ORDER),
    ("request", records.ORDER_REQUEST),
    ("message", records.FILL),
    ("event_sent", records.SYSTEM_EVENT),
)

[TERMS_AT] = offsets(records.IDEAL_ORDER, "instrument")
TERMS_MASK = (1 << 56) - 1  # instrument, side, type, time in force; the last byte is unused
