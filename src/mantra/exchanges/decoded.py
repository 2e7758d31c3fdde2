"""What a public decoder says of one message: its kind, its facts, or why it was refused.

All venues' decoders fill the same record, so the rooms above handle them alike.
"""

from mantra.icc.memory import record_type
from mantra.messages import decimals

# Kinds of messages.
#   UNKNOWN           well-formed, and nothing this engine uses: subscriptions, candles, prices
#   DEPTH             changed levels
#   SNAPSHOT          the whole book, or its first thousands of levels
#   PARTIAL_DEPTH     only the best 5, 10, 20 levels, again and again: no base for a whole book
#   AGGREGATE_TRADE   several trades of one order at one price, as one
#   BOOK_TICKER       best bid and ask; recognised, not turned into records
#   CHECKSUM          of a book as it is now, in a message of its own
#   CONTROL           answers to subscriptions, errors, the state of the venue: for the session, in
#                     Python
UNKNOWN, DEPTH, SNAPSHOT, PARTIAL_DEPTH, TRADE, AGGREGATE_TRADE = range(6)
BOOK_TICKER, CHECKSUM, HEARTBEAT, CONTROL = range(6, 10)
KINDS = (
    *("unknown", "depth", "snapshot", "partial depth", "trade", "aggregate trade"),
    *("book ticker", "checksum", "heartbeat", "control"),
)

# Why a message was refused. The first four are those of decimals.
OK, MALFORMED = decimals.OK, decimals.MALFORMED
TOO_PRECISE, OVERFLOW = decimals.TOO_PRECISE, decimals.OVERFLOW
# TOO_MANY_LEVELS: more than the caller has records for.
NEGATIVE, MISSING_FIELD, DUPLICATE_FIELD, UNKNOWN_SYMBOL, TOO_MANY_LEVELS = range(4, 9)
STATUSES = (
    *(*decimals.STATUSES, "negative price or volume", "missing field", "duplicate field"),
    *("unknown symbol", "too many levels"),
)

NO_ID = -(1 << 63)  # a venue's number that is not in the message

#   0    8      16       24         32       40      48          56          64
#   +----+------+--------+----------+--------+-------+-----------+-----------+---
#   |kind|status|position|instrument|first_id|last_id|previous_id|ts_exchange| …
#   +----+------+--------+----------+--------+-------+-----------+-----------+---
#   64       72         80    88   96     104           112  120     128      136
#   +--------+----------+-----+----+------+-------------+----+-------+--------+---------+
#   |checksum|connection|count|bids|symbol|symbol_length|text|records|capacity| scratch |
#   +--------+----------+-----+----+------+-------------+----+-------+--------+---------+
#
# position        byte of the text where it was refused; 0 if it was not
# instrument      -1: the message names none
# first_id …      the venue's numbers of the group; NO_ID. `previous_id`: last_id of the message
#                 before, where the venue says it
# ts_exchange     ns since the epoch, 0 if the message has none
# checksum        of the book after the message; NO_ID
# connection_id   number of the message among all of its connection; NO_ID
# count           records written; 0 if refused
# bids            so many of them are bids, and come first, where the venue parts them
# symbol          byte of the text where the symbol begins; symbol_length 0: there is none
# text            address of the message
# records         address of the room for its records; it holds `capacity`
# scratch         the decoder's own
DECODED = record_type(
    "i8 kind status position instrument first_id last_id previous_id ts_exchange checksum",
    "i8 connection_id count bids symbol symbol_length text records capacity",
    "(64,)i8 scratch",
)
WORDS = DECODED.itemsize // 8
