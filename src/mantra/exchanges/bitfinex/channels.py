"""The channels of one connection: the number that frames begin with -> what they are about.

In:        `subscribed` and `unsubscribed` answers, as objects; the venue's SymbolIndex.
Out:       the address of a CHANNEL for a number, or 0, for compiled decoders.
Must not know: what a frame says.

The venue gives each subscription a number, anew after each `subscribe`. A table belongs to one
connection and is written between messages, in the thread that decodes. It holds addresses of the
index's slots: keep the index alive as long.

Open addressing over SLOTS places; the table of a new connection is `aligned_zeros(SLOTS, CHANNEL)`.
A closed channel keeps its place, so that others are found behind it, until a new one takes it.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, record_type, records_at

# States of a place. OTHER: nothing this engine reads: tickers, candles, raw books (R0 has orders,
# not levels).
FREE, CLOSED, OTHER, BOOK, TRADES = range(5)

SLOTS = 64  # a power of two; the venue allows 25 channels a connection, 36 were seen
MASK = SLOTS - 1

#   0        8      16     24             32
#   +--------+------+------+--------------+   slot: address of the SYMBOL, 0 for OTHER
#   | number | slot | kind | has_snapshot |   has_snapshot: a list of levels is a snapshot, once,
#   +--------+------+------+--------------+   and then an update
CHANNEL = record_type("i8 number slot kind has_snapshot")
CHANNEL_BYTES = CHANNEL.itemsize


@compiled
def find_channel(channels, number):
    """Address of the open CHANNEL of a number, in the table at address `channels`; 0: none."""
    for i in range(SLOTS):
        address = channels + (((number & MASK) + i) & MASK) * CHANNEL_BYTES
        channel = records_at(address, 1, CHANNEL)[0]
        if channel["kind"] == FREE:
            break
        if channel["number"] == number and channel["kind"] != CLOSED:
            return np.int64(address)
    return np.int64(0)


def open_channel(channels: np.ndarray, index: SymbolIndex, answer: dict) -> None:
    """Take a `subscribed` answer: its channel begins anew, without a snapshot.

    Raises LookupError for a book or trades of a symbol that is not in the index.
    """
    number, kind, slot = int(answer["chanId"]), OTHER, 0
    if answer["channel"] == "trades":
        kind = TRADES
    elif answer["channel"] == "book" and answer["prec"].startswith("P"):
        kind = BOOK
    if kind != OTHER:
        slot = index.slot(answer["symbol"])
    close_channel(channels, number)
    places = [(number + i) & MASK for i in range(SLOTS)]
    at = next(at for at in places if channels[at]["kind"] in (FREE, CLOSED))
    channels[at] = number, slot, kind, 0


def close_channel(channels: np.ndarray, number: int) -> None:
    """Take an `unsubscribed` answer; a number that is not open is fine."""
    if address := find_channel(address_of(channels), number):
        channels[(address - address_of(channels)) // CHANNEL_BYTES]["kind"] = CLOSED
