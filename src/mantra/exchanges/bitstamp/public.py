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
A message is taken whole or refused whole: with the reason, and the byte where it was found.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.fields import (
    OBJECT,
    begin,
    close_group,
    decimal,
    enter,
    finish,
    go_on,
    integer,
    key_table,
    member,
    put_levels,
    put_trade,
    refuse,
)
from mantra.exchanges.json_scanner import (
    BACKSLASH,
    QUOTE,
    pack,
    plain_string_end,
    skip_space,
    value_begin,
    value_end,
    word,
)
from mantra.exchanges.symbols import SYMBOL, find_symbol
from mantra.icc.memory import records_at
from mantra.messages.decimals import INT64_MAX, byte_at
from mantra.messages.enums import ASK, BID, SNAPSHOT

FRAME_KEYS = key_table("data", "channel", "event")
BOOK_KEYS = key_table("timestamp", "microtimestamp", "bids", "asks")
TRADE_KEYS = key_table("id", "amount_str", "price_str", "type", "microtimestamp")
DATA, CHANNEL, EVENT = 1, 2, 4
TIME, BIDS, ASKS, BOOK = 2, 4, 8, 2 | 4 | 8  # bits of BOOK_KEYS
NUMBER, AMOUNT, PRICE, TAKER, TRADE_TIME, TRADE = 1, 2, 4, 8, 16, 31  # of TRADE_KEYS

# Places in `scratch`. A trade's values are kept at the bits of their keys.
AT_CHANNEL, AT_EVENT, EVENT_BYTES, SEEN, AT_TIME = 32, 33, 34, 35, 36

WORD_DATA, WORD_TRADE, WORD_BTS, WORD_CHANNEL = map(word, ("data", "trade", "bts:", '"channel'))
HEARTBEAT_BYTES, WORD_BTS_HEAR, WORD_EARTBEAT = 13, word("bts:hear"), word("eartbeat")
GUESS_BYTES = 128  # longer is no channel with an event behind it
CHANNEL_MIN = len('"channel":""}')
US_MAX = INT64_MAX // 1_000

# Rows: the name before the pair, in three words; its length; the kind.
CHANNELS = np.array(
    [
        (word(name[:8]), word(name[8:16]), word(name[16:]), len(name), kind)
        for name, kind in (
            ("diff_order_book_", decoded.DEPTH),
            ("live_trades_", decoded.TRADE),
            ("order_book_", decoded.PARTIAL_DEPTH),
            ("detail_order_book_", decoded.PARTIAL_DEPTH),
        )
    ]
)


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `records` is the address of `capacity` L2_UPDATE records; trades are written there as
    TRADE_UPDATE. `unnamed` is the SYMBOL slot of the pair whose order_book was asked for; 0: such
    answers are refused.
    """
    begin(text, records, capacity, result_address)
    found = records_at(result_address, 1, DECODED)[0]["scratch"]
    end = text + length
    at = skip_space(text, end)
    first, more = enter(at, end, OBJECT)
    if not more:
        after = value_end(at, end)
    elif member(first, end, BOOK_KEYS, np.int64(0), result_address)[0] != 0:
        after = _answer(at, end, unnamed, result_address)
    else:
        channel = _guess(first, end)
        after = _frame(first, end, channel, index_address, result_address)
        if found[AT_CHANNEL] != channel and channel != 0:
            begin(text, records, capacity, result_address)
            channel = np.int64(0)
            after = _frame(first, end, channel, index_address, result_address)
        if found[AT_CHANNEL] != channel and after > 0:
            channel = found[AT_CHANNEL]
            begin(text, records, capacity, result_address)
            after = _frame(first, end, channel, index_address, result_address)
    return finish(after, end, result_address)


@compiled
def _guess(first, end):
    """Where the value of "channel" is likely to begin; 0: no idea."""
    at = end - CHANNEL_MIN
    if at < first:
        return np.int64(0)
    if pack(first, np.int64(8)) == WORD_CHANNEL:
        at = first
    stop = max(first, at - GUESS_BYTES)
    while byte_at(at) != QUOTE or pack(at, np.int64(8)) != WORD_CHANNEL:
        at -= 1
        if at < stop:
            return np.int64(0)
    key_end = plain_string_end(at, end)
    value = value_begin(key_end, end) if key_end > 0 else key_end
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
        if bit == DATA and slot != 0 and 0 < value < end and byte_at(value) == OBJECT:
            if kind == decoded.TRADE:
                at = _trade_fields(value, end, result_address)
            else:
                at = _book_fields(value, end, slot, result_address)
        else:
            at = value_end(value, end)
            if bit == CHANNEL:
                found[AT_CHANNEL] = value
            elif bit == EVENT:
                found[AT_EVENT], found[EVENT_BYTES] = value, at - value - 2
        at, more = go_on(at, end, OBJECT)
    if at < 0:
        return at
    kind = _kind(kind, seen, at, result_address)
    if kind < 0:
        return kind
    result["kind"] = kind
    if kind in (decoded.UNKNOWN, decoded.CONTROL, decoded.HEARTBEAT):
        result["count"], result["bids"] = 0, 0
        return at
    if slot == 0:
        return refuse(decoded.UNKNOWN_SYMBOL, result["symbol"], result_address)
    if kind == decoded.TRADE:
        return _trade(slot, at, end, result_address)
    return _book(slot, at, result_address)


@compiled
def _meaning(channel, end, index_address, result_address):
    """(kind, SYMBOL slot or 0) by the string at `channel`; what it says is not known: UNKNOWN."""
    result = records_at(result_address, 1, DECODED)[0]
    after = plain_string_end(channel, end) if channel != 0 else np.int64(0)
    length, name = after - channel - 2, channel + 1
    for row in range(len(CHANNELS)):
        prefix = CHANNELS[row, 3]
        if (
            length > prefix
            and pack(name, min(prefix, 8)) == CHANNELS[row, 0]
            and pack(name + 8, prefix - 8) == CHANNELS[row, 1]
            and pack(name + 16, prefix - 16) == CHANNELS[row, 2]
        ):
            result["symbol"], result["symbol_length"] = name + prefix, length - prefix
            return CHANNELS[row, 4], find_symbol(index_address, name + prefix, length - prefix)
    return np.int64(decoded.UNKNOWN), np.int64(0)


@compiled
def _kind(kind, seen, at, result_address):
    """The kind of the frame that ends at `at`, by its event; negative: refused.

    `kind` is that of the channel. A word may be spelled with escapes: then it is not compared.
    """
    found = records_at(result_address, 1, DECODED)[0]["scratch"]
    event, length = found[AT_EVENT], found[EVENT_BYTES]
    for value in (event, found[AT_CHANNEL]):
        byte = value + 1
        while value != 0 and byte_at(value) == QUOTE and byte_at(byte) != QUOTE:
            if byte_at(byte) == BACKSLASH:
                return -value
            byte += 1
    if event == 0:
        return kind if kind == decoded.UNKNOWN else _missing(at, result_address)
    named = pack(event + 1, length) if byte_at(event) == QUOTE else np.int64(0)
    if length >= 4 and named & 0xFFFFFFFF == WORD_BTS:
        if length == HEARTBEAT_BYTES and named == WORD_BTS_HEAR:
            if pack(event + 6, np.int64(8)) == WORD_EARTBEAT:
                return np.int64(decoded.HEARTBEAT)
        return np.int64(decoded.CONTROL)
    if named == (WORD_TRADE if kind == decoded.TRADE else WORD_DATA):
        return kind
    return np.int64(decoded.UNKNOWN)


@compiled
def _missing(at, result_address):
    return refuse(decoded.MISSING_FIELD, at - 1, result_address)


# ---------------------------------------------------------------- books


@compiled
def _answer(at, end, unnamed, result_address):
    """The answer to GET order_book; the address after it, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    after = _book_fields(at, end, unnamed, result_address)
    if after < 0 or not result["scratch"][SEEN] & (BIDS | ASKS):
        return after
    result["kind"] = decoded.SNAPSHOT
    if unnamed == 0:
        return refuse(decoded.UNKNOWN_SYMBOL, at, result_address)
    return _book(unnamed, after, result_address)


@compiled
def _book_fields(at, end, slot, result_address):
    """Read the object at `at`, and write its levels if there is a slot. The address after it."""
    result = records_at(result_address, 1, DECODED)[0]
    seen, asks = np.int64(0), np.int64(0)
    at, more = enter(at, end, OBJECT)
    while more:
        bit, value = member(at, end, BOOK_KEYS, seen, result_address)
        seen |= bit
        if slot != 0 and bit == BIDS:
            at = put_levels(value, end, slot, np.int64(BID), result_address)
            result["bids"] = result["count"]
        elif slot != 0 and bit == ASKS and seen & BIDS:
            at = put_levels(value, end, slot, np.int64(ASK), result_address)
        else:
            at = value_end(value, end)
            if bit == ASKS:
                asks = value  # bids are written first
            elif bit == TIME:
                result["scratch"][AT_TIME] = value
        at, more = go_on(at, end, OBJECT)
    if at > 0 and asks != 0 and slot != 0:
        done = put_levels(asks, end, slot, np.int64(ASK), result_address)
        at = at if done > 0 else done
    result["scratch"][SEEN] = seen
    return at


@compiled
def _book(slot, at, result_address):
    """What is left of a book whose fields are read: `at`, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    if result["scratch"][SEEN] & BOOK != BOOK:
        return _missing(at, result_address)
    microseconds, done = _time(result["scratch"][AT_TIME], at)
    if done < 0:
        return done
    result["instrument"] = records_at(slot, 1, SYMBOL)[0]["instrument"]
    result["last_id"], result["ts_exchange"] = microseconds, microseconds * 1_000
    flags = np.int64(0 if result["kind"] == decoded.DEPTH else SNAPSHOT)
    close_group(np.int64(0), flags, result["ts_exchange"], microseconds, result_address)
    return at


@compiled
def _time(value, end):
    """(µs since the epoch, address after); refused where ns would not fit."""
    microseconds, done = integer(value, end)
    if done > 0 and not 0 <= microseconds <= US_MAX:
        return np.int64(0), -value
    return microseconds, done


# ---------------------------------------------------------------- trades


@compiled
def _trade_fields(at, end, result_address):
    """Find the values of the object at `at`. The address after it."""
    found = records_at(result_address, 1, DECODED)[0]["scratch"]
    seen = np.int64(0)
    at, more = enter(at, end, OBJECT)
    while more:
        bit, value = member(at, end, TRADE_KEYS, seen, result_address)
        seen |= bit
        found[bit] = value
        at = value_end(value, end)
        at, more = go_on(at, end, OBJECT)
    found[SEEN] = seen
    return at


@compiled
def _trade(slot, at, end, result_address):
    """Write the trade whose values are found: `at`, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    found, symbol = result["scratch"], records_at(slot, 1, SYMBOL)[0]
    if found[SEEN] & TRADE != TRADE:
        return _missing(at, result_address)
    price, done = decimal(found[PRICE], end, np.int64(symbol["price_exponent"]), result_address)
    if done < 0:
        return done
    exponent = np.int64(symbol["volume_exponent"])
    volume, done = decimal(found[AMOUNT], end, exponent, result_address)
    if done < 0:
        return done
    number, done = integer(found[NUMBER], end)
    if done < 0:
        return done
    taker, done = integer(found[TAKER], end)
    if done < 0 or taker < BID or taker > ASK:
        return -found[TAKER]
    microseconds, done = _time(found[TRADE_TIME], end)
    if done < 0:
        return done
    result["instrument"] = symbol["instrument"]
    result["ts_exchange"] = microseconds * 1_000
    return put_trade(slot, taker, price, volume, number, result["ts_exchange"], at, result_address)
