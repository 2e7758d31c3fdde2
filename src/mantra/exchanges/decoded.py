"""What a public decoder says of one message: its kind, its facts, or why it was refused.

All venues' decoders fill the same record, so the rooms above handle them alike.
"""

import numpy as np

from mantra.messages import decimals

# Kinds of messages.
UNKNOWN = 0  # well-formed, and nothing this engine uses: subscriptions, candles, prices
DEPTH = 1  # changed levels
SNAPSHOT = 2  # the whole book, or its first thousands of levels
PARTIAL_DEPTH = 3  # only the best 5, 10, 20 levels, again and again: no base for a whole book
TRADE = 4
AGGREGATE_TRADE = 5  # several trades of one order at one price, as one
BOOK_TICKER = 6  # best bid and ask; recognised, not turned into records
KINDS = (
    "unknown",
    "depth",
    "snapshot",
    "partial depth",
    "trade",
    "aggregate trade",
    "book ticker",
)

# Why a message was refused. The first four are those of decimals.
OK, MALFORMED = decimals.OK, decimals.MALFORMED
TOO_PRECISE, OVERFLOW = decimals.TOO_PRECISE, decimals.OVERFLOW
NEGATIVE = 4
MISSING_FIELD = 5
DUPLICATE_FIELD = 6
UNKNOWN_SYMBOL = 7
TOO_MANY_LEVELS = 8  # more than the caller has records for
STATUSES = (
    *decimals.STATUSES,
    "negative price or volume",
    "missing field",
    "duplicate field",
    "unknown symbol",
    "too many levels",
)

NO_ID = -(1 << 63)  # a venue's number that is not in the message

#   0    8      16       24         32       40      48          56          64    72   80     88
#   +----+------+--------+----------+--------+-------+-----------+-----------+-----+----+------+---
#   |kind|status|position|instrument|first_id|last_id|previous_id|ts_exchange|count|bids|symbol| …
#   +----+------+--------+----------+--------+-------+-----------+-----------+-----+----+------+---
DECODED = np.dtype(
    [
        ("kind", "i8"),
        ("status", "i8"),
        ("position", "i8"),  # byte of the text where it was refused; 0 if it was not
        ("instrument", "i8"),  # -1: the message names none
        ("first_id", "i8"),  # the venue's numbers of the group; NO_ID
        ("last_id", "i8"),
        ("previous_id", "i8"),  # last_id of the message before, where the venue says it; NO_ID
        ("ts_exchange", "i8"),  # ns since the epoch, 0 if the message has none
        ("count", "i8"),  # records written; 0 if refused
        ("bids", "i8"),  # so many of them are bids, and come first
        ("symbol", "i8"),  # byte of the text where the symbol begins
        ("symbol_length", "i8"),  # 0: the message names none
        ("scratch", "i8", (64,)),  # the decoder's own
    ],
    align=True,
)
