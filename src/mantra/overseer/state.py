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

import numpy as np

from mantra.messages.enums import CANCEL
from mantra.messages.records import (
    BALANCE_UPDATE,
    FILL,
    HEAD,
    IDEAL_ORDER,
    ORDER_REQUEST,
    ORDER_UPDATE,
    SYSTEM_EVENT,
    TRADE_UPDATE,
)
from mantra.overseer.refusals import REFUSALS

CAPACITY = 2048  # orders remembered; 384 KiB: stays in a core's second-level cache
OPEN_MAX = 1536  # orders open at once, over all models
SLOT_MASK = CAPACITY - 1
assert CAPACITY & SLOT_MASK == 0
KEPT = 256  # ended orders that are remembered at least
assert OPEN_MAX + KEPT <= CAPACITY

NOWHERE = -1  # no slot

# IDEAL_ORDER as words: price, volume, and the four terms in one.
PRICE_WORD = 2
VOLUME_WORD = 3
TERMS_WORD = 4
REVISION_WORD = 5
TERMS_MASK = (1 << 56) - 1  # instrument, side, type, time in force; the last byte is unused
assert IDEAL_ORDER.fields is not None
assert IDEAL_ORDER.fields["instrument"][1] == 8 * TERMS_WORD
assert IDEAL_ORDER.fields["revision"][1] == 8 * REVISION_WORD

# Why a row's ideal order is not sent again.
FREE = 0
UNTIL_REWRITTEN = 1  # it was done: until the row's version is above `blocked_version`
UNTIL_CHANGED = 2  # it was refused by the venue: until its content or revision differs

ORDER = np.dtype(
    [
        ("order_id", "i8"),
        ("state", "i8"),
        ("model", "i8"),
        ("row", "i8"),
        ("price", "i8"),  # as last sent, or amended
        ("volume", "i8"),
        ("terms", "i8"),
        ("filled", "i8"),
        ("instrument", "i8"),
        ("venue", "i8"),
        ("side", "i8"),
        ("ends_itself", "i8"),  # IOC or market: it is waited for, not canceled
        ("cost", "i8"),  # of `asset`, when it was sent
        ("reserved", "i8"),  # of that by us, until the venue's own balance accounts for it
        ("asset", "i8"),
        ("balance_seen", "i8"),  # a BALANCE_UPDATE of this order and asset was read
        ("row_version", "i8"),  # which version of the row it serves
        ("revision", "i8"),
        ("sent_at", "i8"),  # ticks; of the request in flight, or of the end
        ("retry_at", "i8"),  # ticks; no cancel or amend before
        ("amend_refused", "i8"),
        ("amend_price", "i8"),  # of the amend in flight
        ("amend_volume", "i8"),
    ],
    align=True,
)

ROW = np.dtype(
    [
        ("version", "i8"),  # of the vector's row, as last looked at
        ("dirty", "i8"),  # look again although the version is the same
        ("slot", "i8"),  # of its live order, or NOWHERE
        ("freed", "i8"),  # origin of the venue's word that ended its last order
        ("blocked", "i8"),  # FREE, UNTIL_*
        ("blocked_version", "i8"),
        ("blocked_price", "i8"),
        ("blocked_volume", "i8"),
        ("blocked_terms", "i8"),
        ("blocked_revision", "i8"),
        ("refused", "i8"),  # REFUSED_* of this version, or 0
        ("refused_version", "i8"),
    ],
    align=True,
)

# A rate limit: `due` is when the bucket would be full again, in ticks. A request is allowed while
# `due` is less than `slack` ahead of now, and moves it on by `interval`. (The generic cell rate
# algorithm of ITU-T I.371: a token bucket in one word.)
BUCKET = np.dtype([("interval", "i8"), ("slack", "i8"), ("due", "i8")], align=True)

MODEL = np.dtype(
    [
        ("cache", "i8"),  # address of the VECTOR of its ideal orders
        ("writes", "i8"),  # of that vector, as last looked at
        ("dirty", "i8"),  # some ROW is
        ("rows", "i8"),  # how many
        ("first_row", "i8"),  # address of its ROWs
        ("halted", "i8"),  # it lost too much: its orders are canceled, none is sent
        ("open", "i8"),  # its orders that have not ended
        ("open_max", "i8"),  # 0: no limit of its own
        ("waiting", "i8"),  # a row waits for time to pass: rate, retry
        ("bucket", BUCKET),
    ],
    align=True,
)

LIMITS = np.dtype(  # of a model on an instrument; 0: none
    [
        ("order_volume_max", "i8"),
        ("order_notional_max", "i8"),  # in the quote asset
        ("collar_ppm", "i8"),  # largest distance of a price from the last traded one
        ("position_max", "i8"),  # volume held long or short, live orders counted as filled
    ],
    align=True,
)

POSITION = np.dtype(
    [
        ("position", "i8"),  # volume; negative is short
        ("working_bid", "i8"),  # volume of live orders not filled
        ("working_ask", "i8"),
        ("cash", "i8"),  # quote asset gained by all fills, fees paid
        ("value", "i8"),  # of the position at the last price
    ],
    align=True,
)

BALANCE = np.dtype(
    [
        ("known", "i8"),  # 0: the venue has not told it
        ("total", "i8"),
        ("held", "i8"),
        ("reserved", "i8"),  # by us, for requests `held` and `total` do not account for
    ],
    align=True,
)

LEDGER = np.dtype(
    [
        ("pnl", "i8"),  # cash + value of all positions quoted in the asset
        ("day_start", "i8"),  # the same when the day began, UTC
        ("loss_max", "i8"),  # 0: no limit
    ],
    align=True,
)

MARKET_STATE = np.dtype([("last_price", "i8"), ("halted", "i8")], align=True)

VENUE_STATE = np.dtype([("halted", "i8"), ("amends", "i8"), ("bucket", BUCKET)], align=True)

# One row a model of the vector "<name>-counters", and a last row for what belongs to no model.
COUNTERS = np.dtype(
    [
        ("requests", "i8", (CANCEL + 1,)),  # by kind: new, amend, cancel
        ("refused", "i8", (len(REFUSALS),)),  # by REFUSED_*: ideal orders not sent, once a version
        ("updates", "i8"),
        ("fills", "i8"),
        ("illegal", "i8"),  # what the venue said that the life-cycle does not allow
        ("unknown", "i8"),  # said of orders nobody here sent
        ("timeouts", "i8"),
        ("unsettled", "i8"),  # reservations given up without the venue's balance
        ("open", "i8"),
        ("halted", "i8"),
        ("changed", "i8"),  # to be written to the vector
    ],
    align=True,
)

CONTEXT = np.dtype(
    [
        ("track", "i8"),  # addresses of what the spine gave
        ("control", "i8"),
        ("pending", "i8"),  # word in the ACTOR_ROW
        ("requests", "i8"),
        ("events_out", "i8"),
        ("orders_in", "i8"),
        ("fills_in", "i8"),
        ("balances_in", "i8"),
        ("events_in", "i8"),
        ("trades_in", "i8"),
        ("counters_out", "i8"),
        ("instruments", "i8"),  # addresses of arrays, and their lengths
        ("instrument_count", "i8"),
        ("asset_count", "i8"),
        ("venue_count", "i8"),
        ("model_count", "i8"),
        ("models", "i8"),
        ("orders", "i8"),
        ("free_slots", "i8"),
        ("positions", "i8"),
        ("limits", "i8"),
        ("balances", "i8"),
        ("ledgers", "i8"),
        ("markets", "i8"),
        ("venues", "i8"),
        ("counters", "i8"),
        ("mode", "i8"),  # 0: trading; else all is canceled and nothing sent
        ("blind", "i8"),  # answers were lost: orders, fills or balances are not known any more
        ("sequence", "i8"),  # of the next order
        ("slots_fresh", "i8"),  # slots never used begin here
        ("slots_taken", "i8"),  # from the ring of free slots, so far: an index into it
        ("slots_given", "i8"),  # to it
        ("open", "i8"),
        ("shown_open", "i8"),
        ("refused_rows", "i8"),
        ("unsettled", "i8"),  # ended orders with a reservation
        ("changed", "i8"),  # some COUNTERS are
        ("steps", "i8"),
        ("check_at", "i8"),  # ticks of the next look at what time does
        ("retry_ticks", "i8"),
        ("timeout_ticks", "i8"),
        ("rehearse", "i8"),  # address of the duty cycle of rehearsals …
        ("rehearsal", "i8"),  # … and of a REHEARSAL, or 0
        ("idle", "i8"),  # idle steps since the last one
        ("day_end", "i8"),  # ns since the epoch
        ("market_slack_ppm", "i8"),
        ("cost", "i8"),  # what the order in hand needs …
        ("cost_asset", "i8"),  # … of which asset
        ("ideal", IDEAL_ORDER),  # messages in hand
        ("request", ORDER_REQUEST),
        ("update", ORDER_UPDATE),
        ("fill", FILL),
        ("balance", BALANCE_UPDATE),
        ("event", SYSTEM_EVENT),
        ("trade", TRADE_UPDATE),
        ("event_sent", SYSTEM_EVENT),
    ],
    align=True,
)

assert CONTEXT.fields is not None
IDEAL_AT = CONTEXT.fields["ideal"][1]
REQUEST_AT = CONTEXT.fields["request"][1]
UPDATE_AT = CONTEXT.fields["update"][1]
FILL_AT = CONTEXT.fields["fill"][1]
BALANCE_AT = CONTEXT.fields["balance"][1]
EVENT_AT = CONTEXT.fields["event"][1]
TRADE_AT = CONTEXT.fields["trade"][1]
EVENT_SENT_AT = CONTEXT.fields["event_sent"][1]
BUCKET_OF_MODEL_AT = MODEL.fields["bucket"][1]  # type: ignore[index]
BUCKET_OF_VENUE_AT = VENUE_STATE.fields["bucket"][1]  # type: ignore[index]
assert len(HEAD) == PRICE_WORD
