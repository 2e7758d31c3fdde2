"""Kraken market data, WebSocket v2: bytes -> records. No I/O, no floats, no Python objects.

In:        one message; the venue's SymbolIndex; room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: books, clocks. `ts_origin` and `published` are left alone.

Wire forms: https://docs.kraken.com/api/docs/websocket-v2/book, …/trade.

    {"channel":"book","type":"snapshot"|"update","data":[{"symbol":"BTC/USD",
      "bids":[{"price":45283.5,"qty":0.10000000}],"asks":[],"checksum":…,"timestamp":"…Z"}]}
    {"channel":"trade","type":…,"data":[{"symbol":"BTC/USD","side":"buy","price":…,"qty":…,
      "ord_type":"limit","trade_id":…,"timestamp":"…Z"}]}

Keys may come in any order, unknown ones are skipped. Levels are decoded where they stand if
channel, type and symbol came before them, as the venue sends it; else the object is first read to
its end. A message is taken whole or refused whole.

A price may occur twice in a message: the records keep the message's order on each side. An element
of `data` is one atomic group; the venue sends one a message, and the checksum is the last one's.
There are no sequence numbers: `sequence` is 0. Snapshots of earlier years have no timestamp.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields, json_scanner
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.fields import ARRAY, OBJECT, choice, enter, find_slot, go_on, member, refuse
from mantra.exchanges.times import rfc3339_time
from mantra.icc.memory import records_at
from mantra.messages.enums import BID, SNAPSHOT

FRAME_KEYS = fields.key_table("channel", "type", "data")
CHANNEL, TYPE, DATA = 1, 2, 4
# An element of `data`, of a book or of trades.
KEYS = fields.key_table("symbol", "bids", "asks", "checksum", "timestamp", "side", "trade_id")
NAME, BIDS, ASKS, CHECKSUM, TIME, TAKER, TRADE_ID = (1 << i for i in range(7))
NEEDED = NAME | BIDS | ASKS | CHECKSUM, NAME | TIME | TAKER | TRADE_ID
LEVEL_KEYS, PRICE, QTY = fields.key_table("price", "qty"), 1, 2

# Known strings: each is its place here, so a taker's side is BID or ASK. Any other is -1: of
# channels that is the last kind, UNKNOWN.
TYPES, SIDES = fields.key_table("update", "snapshot"), fields.key_table("buy", "sell")
CHANNELS = fields.key_table("book", "trade", "heartbeat", "status", "instrument")
KINDS = np.array([decoded.DEPTH, decoded.TRADE, decoded.HEARTBEAT, *2 * [decoded.CONTROL], 0])
BOOK, TRADES = 0, 1
# What names no channel answers a request: CONTROL, as the status is.
ANSWER, NONE = np.int64(3), np.int64(0)


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `records` is the address of `capacity` L2_UPDATE records; trades are written there as
    TRADE_UPDATE. `unnamed` is not used: every message names its symbol.
    """
    fields.begin(text, records, capacity, result_address)
    result = records_at(result_address, 1, DECODED)[0]
    end, seen, later, channel, snapshot = text + length, NONE, NONE, ANSWER, np.int64(-1)
    at, more = enter(json_scanner.skip_space(text, end), end, OBJECT)
    while more:
        bit, value = member(at, end, FRAME_KEYS, seen, result_address)
        seen |= bit
        if bit == CHANNEL:
            channel, at = choice(value, end, CHANNELS)
        elif bit == TYPE:
            snapshot, at = choice(value, end, TYPES)
        elif bit == DATA and 0 <= channel <= TRADES and snapshot >= 0:
            at = _items(value, end, index_address, channel, snapshot, result_address)
        else:
            later = value if bit == DATA else later
            at = json_scanner.value_end(value, end)
        at, more = go_on(at, end, OBJECT)
    if 0 <= channel <= TRADES and at > 0:
        if snapshot < 0 or seen & DATA == 0:
            at = refuse(decoded.MISSING_FIELD, at - 1, result_address)
        elif later != 0:
            done = _items(later, end, index_address, channel, snapshot, result_address)
            at = at if done > 0 else done
    result["kind"] = KINDS[channel]
    if channel == BOOK and snapshot == 1:
        result["kind"] = decoded.SNAPSHOT
    return fields.finish(at, end, result_address)


@compiled
def end_group(first, slot, snapshot, at, result_address):
    """Make a group of the levels from number `first` on: `at`, or refused there.

    An empty snapshot is one record without a level, so that it empties books all the same.
    """
    result = records_at(result_address, 1, DECODED)[0]
    if snapshot and result["count"] == first:
        at = fields.put_level(slot, np.int64(BID), NONE, NONE, at, result_address)
    fields.close_group(first, snapshot * SNAPSHOT, result["ts_exchange"], NONE, result_address)
    return at


@compiled
def _items(value, end, index_address, channel, snapshot, result_address):
    """Over the array `data`: the address after it."""
    at, more = enter(value, end, ARRAY)
    while more:
        at = _item(at, end, index_address, channel, snapshot, result_address)
        at, more = go_on(at, end, ARRAY)
    return at


@compiled
def _item(begin, end, index_address, channel, snapshot, result_address):
    """Over one element of `data`, a book's group or a trade: the address after it."""
    result = records_at(result_address, 1, DECODED)[0]
    first, later = result["count"], result["scratch"]
    # Where levels are that wait for the symbol; the time may be missing.
    later[BIDS], later[ASKS], result["ts_exchange"] = 0, 0, 0
    seen, slot, side, number = NONE, NONE, NONE, NONE
    at, more = enter(begin, end, OBJECT)
    while more:
        bit, value = member(at, end, KEYS, seen, result_address)
        seen |= bit
        if bit & (BIDS | ASKS) and slot != 0:
            at = _levels(value, end, slot, np.int64(bit == ASKS), result_address)
        elif bit == NAME:
            slot, at = find_slot(value, end, index_address, result_address)
        elif bit == CHECKSUM:
            result["checksum"], at = fields.integer(value, end)
        elif bit == TIME:
            result["ts_exchange"], at = rfc3339_time(value, end)
        elif bit == TAKER:
            side, at = choice(value, end, SIDES)
            at = -abs(value) if side < 0 else at
        elif bit == TRADE_ID:
            number, at = fields.integer(value, end)
        else:
            later[bit] = value
            at = json_scanner.value_end(value, end)
        at, more = go_on(at, end, OBJECT)
    if at > 0 and seen & NEEDED[channel] != NEEDED[channel]:
        at = refuse(decoded.MISSING_FIELD, at - 1, result_address)
    done = at
    for bit in (BIDS, ASKS):
        if done > 0 and channel == BOOK and later[bit] != 0:
            done = _levels(later[bit], end, slot, np.int64(bit == ASKS), result_address)
    if done > 0 and channel == BOOK:
        done = end_group(first, slot, snapshot, at, result_address)
    elif done > 0:
        price, volume, done = _level(begin, end, slot, result_address)
        if done > 0:
            time = result["ts_exchange"]
            done = fields.put_trade(slot, side, price, volume, number, time, at, result_address)
    return at if done > 0 else done


@compiled
def _levels(value, end, slot, side, result_address):
    """Write the levels of [{"price":…,"qty":…}, …]: the address after it."""
    at, more = enter(value, end, ARRAY)
    while more:
        price, volume, at = _level(at, end, slot, result_address)
        if at > 0:
            at = fields.put_level(slot, side, price, volume, at, result_address)
        at, more = go_on(at, end, ARRAY)
    return at


@compiled
def _level(at, end, slot, result_address):
    """(price, volume, address after) of {"price":…,"qty":…}, whatever else is in it."""
    price, volume, seen = NONE, NONE, NONE
    at, more = enter(at, end, OBJECT)
    while more:
        bit, value = member(at, end, LEVEL_KEYS, seen, result_address)
        seen |= bit
        if bit == PRICE:
            price, at = fields.read_price(value, end, slot, result_address)
        elif bit == QTY:
            volume, at = fields.read_volume(value, end, slot, result_address)
        else:
            at = json_scanner.value_end(value, end)
        at, more = go_on(at, end, OBJECT)
    if at > 0 and seen != PRICE | QTY:
        at = refuse(decoded.MISSING_FIELD, at - 1, result_address)
    return price, volume, at
