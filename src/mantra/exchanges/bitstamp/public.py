"""Bitstamp market data: bytes -> records. No I/O, no floats, no Python objects.

In:        one message: a frame {"data":…,"channel":…,"event":…}, or the answer to GET order_book;
           the venue's SymbolIndex; room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: sequence (../bridging.py), books, clocks. `ts_origin` and `published` are left alone.

    channel                 event        kind
    diff_order_book_<pair>  data         DEPTH: absolute volumes, 0 deletes
    order_book_<pair>       data         PARTIAL_DEPTH: the best 100 levels
    detail_order_book_<pair> data        PARTIAL_DEPTH: the best 100 orders, [price, amount, id]
    live_trades_<pair>      trade        TRADE; type 0: the taker bought, 1: sold
    any or ""               bts:*        CONTROL, bts:heartbeat HEARTBEAT
    any other               any other    UNKNOWN, live_orders among them
    none: answer            none         SNAPSHOT of the pair asked for (`unnamed`)

A microtimestamp, µs since the epoch, is the only id of a book: `last_id`, and `ts_exchange` in ns.
Of amounts only the texts are read (amount_str): the numbers beside them went through a float.

The venue puts the channel, and with it the pair, behind the data. So where the channel is, is
guessed first: in front, or by looking for its key from the end back. With the guess the data are
read where they stand, and the walk over the frame then says where the channel really is. If the
guess was wrong nothing that was read counts: a walk that skips the data finds the channel, and the
frame is read anew. Hostile text costs time so, but is never misread.

Keys may come in any order, unknown ones are skipped; an answer is told by the key it begins with.
Levels are written in the order of the text: bids first, as the venue has it. A message is taken
whole or refused whole: with the reason, and the byte where it was found.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields
from mantra.exchanges import json_scanner as scan
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.fields import OBJECT, member, refuse
from mantra.exchanges.json_scanner import pack_within, value_end, word
from mantra.exchanges.symbols import SYMBOL
from mantra.icc.memory import records_at
from mantra.messages.decimals import INT64_MAX, byte_at
from mantra.messages.enums import ASK, BID, SNAPSHOT

FRAME_KEYS = fields.key_table("data", "channel", "event")
BOOK_KEYS = fields.key_table("timestamp", "microtimestamp", "bids", "asks")
TRADE_KEYS = fields.key_table("id", "amount_str", "price_str", "type", "microtimestamp")
# Their bits, and all that must be there.
DATA, CHANNEL, EVENT = 1, 2, 4
BOOK_TIME, BIDS, ASKS, BOOK = 2, 4, 8, 2 | 4 | 8
NUMBER, AMOUNT, PRICE, TAKER, TRADE_TIME, TRADE = 1, 2, 4, 8, 16, 31

# Places in `scratch`. What is found in the data is kept at the bits of their keys.
AT_CHANNEL, AT_EVENT, EVENT_BYTES, SEEN = 32, 33, 34, 35

EVENTS, HEARTBEAT = fields.key_table("data", "trade", "bts:heartbeat"), 2
WORD_BTS, WORD_CHANNEL = word("bts:"), word('"channel')
GUESS_BYTES = 128  # longer is no channel with an event behind it
CHANNEL_MIN = len('"channel":""}')
US_MAX = INT64_MAX // 1_000
EIGHT = np.int64(8)

NAMES = ("diff_order_book_", "live_trades_", "order_book_", "detail_order_book_")
NAMED = (decoded.DEPTH, decoded.TRADE, decoded.PARTIAL_DEPTH, decoded.PARTIAL_DEPTH)
WORDS = [[*(word(name[i : i + 8]) for i in (0, 8, 16)), len(name)] for name in NAMES]
CHANNELS = np.column_stack([WORDS, NAMED])  # name before the pair, in three words; length; kind


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `records` is the address of `capacity` L2_UPDATE records; trades are written there as
    TRADE_UPDATE. `unnamed` is the SYMBOL slot of the pair whose order_book was asked for; 0: such
    answers are refused.
    """
    fields.begin(text, records, capacity, result_address)
    found = records_at(result_address, 1, DECODED)[0]["scratch"]
    end = text + length
    at = scan.skip_space(text, end)
    first, more = fields.enter(at, end, OBJECT)
    if not more:
        after = value_end(at, end)
    elif member(first, end, BOOK_KEYS, np.int64(0), result_address)[0] != 0:
        after = _answer(at, end, unnamed, result_address)
    else:
        channel = _guess(first, end)
        after = _frame(first, end, channel, index_address, result_address)
        if found[AT_CHANNEL] != channel and channel != 0:
            fields.begin(text, records, capacity, result_address)
            channel = np.int64(0)
            after = _frame(first, end, channel, index_address, result_address)
        if found[AT_CHANNEL] != channel and after > 0:
            channel = found[AT_CHANNEL]
            fields.begin(text, records, capacity, result_address)
            after = _frame(first, end, channel, index_address, result_address)
    return fields.finish(after, end, result_address)


@compiled
def _guess(first, end):
    """Where the value of "channel" is likely to begin; 0: no idea."""
    at = end - CHANNEL_MIN
    if at < first:
        return np.int64(0)
    if pack_within(first, EIGHT, end) == WORD_CHANNEL:
        at = first
    stop = max(first, at - GUESS_BYTES)
    while byte_at(at) != scan.QUOTE or pack_within(at, EIGHT, end) != WORD_CHANNEL:
        at -= 1
        if at < stop:
            return np.int64(0)
    key_end = scan.plain_string_end(at, end)
    value = scan.value_begin(key_end, end) if key_end > 0 else key_end
    return value if 0 < value < end else np.int64(0)


@compiled
def _frame(first, end, channel, index_address, result_address):
    """Walk the frame whose members begin at `first`, with its channel at `channel`, or 0: skip
    the data. The address after it; negative: refused. Says where the channel really is."""
    result = records_at(result_address, 1, DECODED)[0]
    found = result["scratch"]
    kind, slot = _meaning(channel, end, index_address, result_address)
    at, more, seen = first, True, np.int64(0)
    while more:
        bit, value = member(at, end, FRAME_KEYS, seen, result_address)
        seen |= bit
        if bit in (CHANNEL, EVENT):
            at = scan.plain_string_end(value, end)
            if bit == CHANNEL:
                found[AT_CHANNEL] = value
            else:
                found[AT_EVENT], found[EVENT_BYTES] = value, at - value - 2
        elif bit == DATA and slot != 0 and value < end and byte_at(value) == OBJECT:
            if kind == decoded.TRADE:
                at = _values(value, end, np.int64(0), TRADE_KEYS, result_address)
            else:
                at = _values(value, end, slot, BOOK_KEYS, result_address)
        else:
            at = value_end(value, end)
        at, more = fields.go_on(at, end, OBJECT)
    if at < 0:
        return at
    result["kind"] = _kind(kind, found[AT_EVENT], found[EVENT_BYTES], end)
    if kind != decoded.UNKNOWN and found[AT_EVENT] == 0:
        return refuse(decoded.MISSING_FIELD, at - 1, result_address)
    if result["kind"] in (decoded.UNKNOWN, decoded.CONTROL, decoded.HEARTBEAT):
        result["count"], result["bids"] = 0, 0
        return at
    if slot == 0:
        return refuse(decoded.UNKNOWN_SYMBOL, result["symbol"], result_address)
    if kind == decoded.TRADE:
        return _trade(slot, at, end, result_address)
    return _book(at, end, result_address)


@compiled
def _meaning(channel, end, index_address, result_address):
    """(kind, SYMBOL slot or 0) by the string at `channel`; what it says is not known: UNKNOWN."""
    after = scan.plain_string_end(channel, end) if channel != 0 else np.int64(0)
    length, name = after - channel - 2, channel + 1
    for row in range(len(CHANNELS)):
        prefix = CHANNELS[row, 3]
        if (
            length > prefix
            and pack_within(name, EIGHT, end) == CHANNELS[row, 0]
            and pack_within(name + 8, min(prefix - 8, EIGHT), end) == CHANNELS[row, 1]
            and scan.pack(name + 16, prefix - 16) == CHANNELS[row, 2]
        ):
            slot = fields.name_symbol(name + prefix, length - prefix, index_address, result_address)
            return CHANNELS[row, 4], slot
    return np.int64(decoded.UNKNOWN), np.int64(0)


@compiled
def _kind(kind, event, length, end):
    """The kind of a frame by the `length` bytes of its event; `kind` is that of its channel."""
    if event == 0:
        return np.int64(decoded.UNKNOWN)
    place = fields.find_word(event + 1, length, end, EVENTS)
    if place < 0 and length >= 4 and scan.pack(event + 1, np.int64(4)) == WORD_BTS:
        return np.int64(decoded.CONTROL)
    if place == HEARTBEAT:
        return np.int64(decoded.HEARTBEAT)
    return kind if place == np.int64(kind == decoded.TRADE) else np.int64(decoded.UNKNOWN)


@compiled
def _answer(at, end, unnamed, result_address):
    """The answer to GET order_book: the address after it, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    result["kind"] = decoded.SNAPSHOT
    after = _values(at, end, unnamed, BOOK_KEYS, result_address)
    if after < 0:
        return after
    if not result["scratch"][SEEN] & (BIDS | ASKS):
        result["kind"] = decoded.UNKNOWN
        return after
    if unnamed == 0:
        return refuse(decoded.UNKNOWN_SYMBOL, at, result_address)
    return _book(after, end, result_address)


@compiled
def _values(at, end, slot, keys, result_address):
    """Find the values of the object at `at`, and write the levels of a book that has a slot."""
    result = records_at(result_address, 1, DECODED)[0]
    if slot != 0:
        result["instrument"] = records_at(slot, 1, SYMBOL)[0]["instrument"]
    seen = np.int64(0)
    at, more = fields.enter(at, end, OBJECT)
    while more:
        bit, value = member(at, end, keys, seen, result_address)
        seen |= bit
        result["scratch"][bit] = value
        if slot != 0 and bit in (BIDS, ASKS):
            side, before = np.int64(BID if bit == BIDS else ASK), result["count"]
            at = fields.put_levels(value, end, slot, side, result_address)
            result["bids"] += result["count"] - before if bit == BIDS else 0
        else:
            at = value_end(value, end)
        at, more = fields.go_on(at, end, OBJECT)
    result["scratch"][SEEN] = seen
    return at


@compiled
def _book(at, end, result_address):
    """What is left of a book whose values are found: `at`, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    if result["scratch"][SEEN] & BOOK != BOOK:
        return refuse(decoded.MISSING_FIELD, at - 1, result_address)
    done = _time(result["scratch"][BOOK_TIME], end, result_address)
    flags, time = np.int64(0 if result["kind"] == decoded.DEPTH else SNAPSHOT), result["last_id"]
    fields.close_group(np.int64(0), flags, result["ts_exchange"], time, result_address)
    return at if done > 0 else done


@compiled
def _time(value, end, result_address):
    """Take the µs since the epoch at `value`: the address after; refused where ns do not fit."""
    result = records_at(result_address, 1, DECODED)[0]
    microseconds, done = fields.integer(value, end)
    if done < 0 or not 0 <= microseconds <= US_MAX:
        return -value
    result["last_id"], result["ts_exchange"] = microseconds, microseconds * 1_000
    return done


@compiled
def _trade(slot, at, end, result_address):
    """Write the trade whose values are found: `at`, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    found = result["scratch"]
    if found[SEEN] & TRADE != TRADE:
        return refuse(decoded.MISSING_FIELD, at - 1, result_address)
    price, after_price = fields.read_price(found[PRICE], end, slot, result_address)
    volume, after = fields.read_volume(found[AMOUNT], end, slot, result_address)
    number, after_number = fields.integer(found[NUMBER], end)
    taker, after_taker = fields.integer(found[TAKER], end)
    if after_taker > 0 and taker not in (BID, ASK):
        after_taker = -found[TAKER]
    time = _time(found[TRADE_TIME], end, result_address)
    done = min(after_price, after, after_number, after_taker, time)
    if done < 0:
        return done
    time = result["ts_exchange"]
    return fields.put_trade(slot, taker, price, volume, number, time, at, result_address)
