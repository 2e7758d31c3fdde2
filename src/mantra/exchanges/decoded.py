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
CHECKSUM = 7  # of a book as it is now, in a message of its own
HEARTBEAT = 8
CONTROL = 9  # answers to subscriptions, errors, the state of the venue: for the session, in Python
KINDS = (
    "unknown",
    "depth",
    "snapshot",
    "partial depth",
    "trade",
    "aggregate trade",
    "book ticker",
    "checksum",
    "heartbeat",
    "control",
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
SCRATCH = 64

#   0    8      16       24         32       40      48          56          64
#   +----+------+--------+----------+--------+-------+-----------+-----------+---
#   |kind|status|position|instrument|first_id|last_id|previous_id|ts_exchange| …
#   +----+------+--------+----------+--------+-------+-----------+-----------+---
#   64       72         80    88   96     104           112  120     128      136
#   +--------+----------+-----+----+------+-------------+----+-------+--------+---------+
#   |checksum|connection|count|bids|symbol|symbol_length|text|records|capacity| scratch |
#   +--------+----------+-----+----+------+-------------+----+-------+--------+---------+
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
        ("checksum", "i8"),  # of the book after the message; NO_ID
        ("connection_id", "i8"),  # number of the message among all of its connection; NO_ID
        ("count", "i8"),  # records written; 0 if refused
        ("bids", "i8"),  # so many of them are bids, and come first, where the venue parts them
        ("symbol", "i8"),  # byte of the text where the symbol begins
        ("symbol_length", "i8"),  # 0: the message names none
        ("text", "i8"),  # address of the message
        ("records", "i8"),  # address of the room for its records
        ("capacity", "i8"),  # records the room holds
        ("scratch", "i8", (SCRATCH,)),  # the decoder's own
    ],
    align=True,
)
