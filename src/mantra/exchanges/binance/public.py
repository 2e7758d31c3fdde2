"""Binance market data: bytes -> records. No I/O, no floats, no Python objects.

In:        one message: a combined-stream frame {"stream":…,"data":…}, its bare payload, or the
           answer to GET depth or GET trades; the venue's SymbolIndex; room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: sequence (bridging.py), books, clocks. `ts_origin` and `published` are left alone.

Wire forms: https://github.com/binance/binance-spot-api-docs web-socket-streams.md, rest-api.md; the
futures' differ by `pu` (last id of the message before), `T` and `E` in more places.

Keys may come in any order, unknown ones are skipped. Levels are decoded where they stand if event
and symbol came before them, as the venue sends it; else the object is first read to its end. A
message is taken whole or refused whole: with the reason, and the byte where it was found.

A frame of the streams @depth5, @depth10, @depth20 looks like a diff on futures and like a REST
snapshot on spot, but is neither: only the stream's name tells (PARTIAL_DEPTH).
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded
from mantra.exchanges.binance.wire import (
    ASKS,
    AT_SIGN,
    BIDS,
    BUYER_IS_MAKER,
    DONE_BIDS,
    EVENT,
    EVENT_TIME,
    FIELDS,
    FIRST_ID,
    LAST_ID,
    LAST_UPDATE_ID,
    PRICE,
    PU,
    STREAM_END,
    STREAM_NAME,
    SYMBOL_NAME,
    TRADE_ID,
    TRADE_TIME,
    VOLUME,
    event_kind,
    field_of,
    frame_end,
    kind_of,
    payload_of,
)
from mantra.exchanges.decoded import DECODED, NO_ID
from mantra.exchanges.json_scanner import (
    ARRAY,
    ARRAY_END,
    COMMA,
    OBJECT,
    OBJECT_END,
    QUOTE,
    SMALL_F,
    SMALL_T,
    plain_string_end,
    scan_integer,
    skip_space,
    value_begin,
    value_end,
)
from mantra.exchanges.symbols import SYMBOL, find_symbol
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at, scan_decimal
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

assert L2_UPDATE.itemsize == TRADE_UPDATE.itemsize, "records are written into one room"

# Times are ms, or µs where the connection asked for it: told apart by their size. Beyond, ns would
# not fit an int64 (year 2262).
MS_MAX, US_MIN, US_MAX = 9_223_372_036_853, 10**15, 9_223_372_036_854_774


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `records` is the address of `capacity` L2_UPDATE records; trades are written there as
    TRADE_UPDATE. `unnamed` is the SYMBOL slot for messages that name no symbol, as the answers to
    GET depth and GET trades do; 0: such messages are refused.
    """
    result = records_at(result_address, 1, DECODED)[0]
    fields = result["scratch"]
    for i in range(FIELDS):
        fields[i] = 0
    result["kind"], result["status"], result["position"] = decoded.UNKNOWN, decoded.OK, 0
    result["instrument"], result["ts_exchange"] = -1, 0
    result["first_id"], result["last_id"], result["previous_id"] = NO_ID, NO_ID, NO_ID
    result["count"], result["bids"], result["symbol"], result["symbol_length"] = 0, 0, 0, 0
    end = text + length
    at = skip_space(text, end)
    payload, after = np.int64(0), np.int64(0)
    if at < end and byte_at(at) == ARRAY:
        after = _list(at, end, index_address, unnamed, records, capacity, result_address)
    else:
        payload, after = payload_of(at, end, result_address)
    if payload > 0:
        at = _decode_payload(
            payload, end, index_address, unnamed, records, capacity, result_address
        )
        if after == 0 and at > 0:
            after = frame_end(at, end, fields[STREAM_NAME])
        elif at < 0:
            after = at
    if after > 0 and skip_space(after, end) != end:
        after = -after
    if after <= 0:
        if result["status"] == decoded.OK:
            result["status"] = decoded.MALFORMED
        result["position"] = -after - text
        result["count"] = 0
    if result["symbol"] > 0:
        result["symbol"] -= text
    return result["status"]


@compiled
def _list(at, end, index_address, unnamed, records, capacity, result_address):
    """Over the list at `at`: the trades that GET trades answers with, or nothing of use."""
    result = records_at(result_address, 1, DECODED)[0]
    fields = result["scratch"]
    item = skip_space(at + 1, end)
    if item < end and byte_at(item) == ARRAY_END:
        return item + 1
    trades, others = 0, 0
    while item < end:
        at = item
        result["kind"] = decoded.UNKNOWN
        if byte_at(item) == OBJECT:
            for i in range(FIELDS):
                fields[i] = 0
            item = _decode_payload(
                item, end, index_address, unnamed, records, capacity, result_address
            )
        else:
            item = value_end(item, end)
        if item < 0:
            return item
        if result["kind"] == decoded.TRADE:
            trades += 1
        else:
            others += 1
            result["kind"], result["count"], result["bids"] = decoded.UNKNOWN, 0, 0
        if trades > 0 and others > 0:
            return -at  # the venue has no such list
        item = skip_space(item, end)
        if item < end and byte_at(item) == ARRAY_END:
            return item + 1
        if item >= end or byte_at(item) != COMMA:
            return -item
        item = skip_space(item + 1, end)
    return -end


@compiled
def _decode_payload(at, end, index_address, unnamed, records, capacity, result_address):
    """Decode the object at `at`: the address after it; negative: refused there."""
    result = records_at(result_address, 1, DECODED)[0]
    fields = result["scratch"]
    kind, slot = np.int64(decoded.UNKNOWN), np.int64(0)
    at = skip_space(at + 1, end)
    if at < end and byte_at(at) == OBJECT_END:
        return at + 1
    while True:
        key_end = plain_string_end(at, end)
        value = value_begin(key_end, end) if key_end > 0 else key_end
        if value < 0:
            return value
        field = field_of(at + 1, key_end - at - 2)
        if field >= 0:
            if fields[field] != 0:
                return _refuse(result_address, decoded.DUPLICATE_FIELD, at)
            fields[field] = value
        # Bids are written first; asks that come before them wait for the end.
        in_place = slot != 0 and kind == decoded.DEPTH
        if in_place and (field == BIDS or (field == ASKS and fields[DONE_BIDS] != 0)):
            at = _levels(value, end, slot, field, records, capacity, result_address)
            if at < 0:
                return at
            fields[field], fields[DONE_BIDS] = -1, 1
        else:
            at = value_end(value, end)
            if at < 0:
                return at
            if field == EVENT:
                kind = event_kind(value, at)
                result["kind"] = kind
            elif field == SYMBOL_NAME and byte_at(value) == QUOTE:
                result["symbol"], result["symbol_length"] = value + 1, at - value - 2
                slot = find_symbol(index_address, value + 1, at - value - 2)
        at = skip_space(at, end)
        if at >= end:
            return -end
        if byte_at(at) == OBJECT_END:
            break
        if byte_at(at) != COMMA:
            return -at
        at = skip_space(at + 1, end)
    result["kind"] = kind_of(kind, fields[STREAM_NAME], fields[STREAM_END], result_address)
    if result["kind"] == decoded.UNKNOWN or result["kind"] == decoded.BOOK_TICKER:
        return at + 1
    if fields[SYMBOL_NAME] == 0:
        slot = _implied_symbol(index_address, unnamed, result_address)
    if slot == 0:
        named = result["symbol"] if result["symbol"] != 0 else at
        return _refuse(result_address, decoded.UNKNOWN_SYMBOL, named)
    result["instrument"] = records_at(int(slot), 1, SYMBOL)[0]["instrument"]
    if result["kind"] == decoded.TRADE or result["kind"] == decoded.AGGREGATE_TRADE:
        done = _trade(at, end, slot, records, capacity, result_address)
    else:
        done = _group(at, end, slot, records, capacity, result_address)
    return at + 1 if done > 0 else done


@compiled
def _refuse(result_address, status, at):
    records_at(result_address, 1, DECODED)[0]["status"] = status
    return -at


@compiled
def _implied_symbol(index_address, unnamed, result_address):
    """The slot of a message that names no symbol: by its stream's name, else as the caller says."""
    result = records_at(result_address, 1, DECODED)[0]
    stream, stream_end = result["scratch"][STREAM_NAME], result["scratch"][STREAM_END]
    if stream == 0:
        return unnamed
    length = np.int64(0)
    while stream + length < stream_end and byte_at(stream + length) != AT_SIGN:
        length += 1
    result["symbol"], result["symbol_length"] = stream, length
    return find_symbol(index_address, stream, length)


@compiled
def _integer(field, at, end, result_address):
    """(integer in a field, 1); refused, with the record saying why: (0, address, negative)."""
    value = records_at(result_address, 1, DECODED)[0]["scratch"][field]
    if value == 0:
        return np.int64(0), _refuse(result_address, decoded.MISSING_FIELD, at)
    number, after = scan_integer(value, end)
    return number, np.int64(1) if after > 0 else after


@compiled
def _time(field, at, end, result_address):
    """As `_integer`, for a time: ns since the epoch."""
    time, done = _integer(field, at, end, result_address)
    if done > 0 and 0 <= time <= MS_MAX:
        return time * 1_000_000, done
    if done > 0 and US_MIN <= time <= US_MAX:
        return time * 1_000, done
    return np.int64(0), -at if done > 0 else done


@compiled
def _decimal(value, end, exponent, result_address):
    """(number in the string at `value`, address after it); negative: refused there."""
    if value >= end or byte_at(value) != QUOTE:
        return np.int64(0), -value
    number, status, after = scan_decimal(value + 1, end, exponent)
    if status != decoded.OK:
        return np.int64(0), _refuse(result_address, status, value)
    if after >= end or byte_at(after) != QUOTE:
        return np.int64(0), -after
    if number < 0:
        return np.int64(0), _refuse(result_address, decoded.NEGATIVE, value)
    return number, after + 1


@compiled
def _levels(value, end, slot, field, records, capacity, result_address):
    """Write the [[price, volume], …] at `value` as records: the address after it."""
    result = records_at(result_address, 1, DECODED)[0]
    symbol = records_at(slot, 1, SYMBOL)[0]
    price_exponent = np.int64(symbol["price_exponent"])
    volume_exponent = np.int64(symbol["volume_exponent"])
    levels = records_at(records, max(capacity, 1), L2_UPDATE)
    count = result["count"]
    if value >= end or byte_at(value) != ARRAY:
        return -value
    at = skip_space(value + 1, end)
    empty = at < end and byte_at(at) == ARRAY_END
    while not empty:
        if at >= end or byte_at(at) != ARRAY:
            return -at
        price, at = _decimal(skip_space(at + 1, end), end, price_exponent, result_address)
        if at < 0:
            return at
        at = skip_space(at, end)
        if at >= end or byte_at(at) != COMMA:
            return -at
        volume, at = _decimal(skip_space(at + 1, end), end, volume_exponent, result_address)
        if at < 0:
            return at
        at = skip_space(at, end)
        while at < end and byte_at(at) == COMMA:  # a venue may add to its levels
            at = value_end(skip_space(at + 1, end), end)
            if at < 0:
                return at
            at = skip_space(at, end)
        if at >= end or byte_at(at) != ARRAY_END:
            return -at
        if count == capacity:
            return _refuse(result_address, decoded.TOO_MANY_LEVELS, at)
        level = levels[count]
        level["price"], level["volume"] = price, volume
        level["instrument"], level["side"] = symbol["instrument"], BID if field == BIDS else ASK
        level["unused"] = 0
        count += 1
        at = skip_space(at + 1, end)
        if at >= end:
            return -end
        if byte_at(at) == ARRAY_END:
            break
        if byte_at(at) != COMMA:
            return -at
        at = skip_space(at + 1, end)
    if field == BIDS:
        result["bids"] = count
    result["count"] = count
    return at + 1


@compiled
def _group(at, end, slot, records, capacity, result_address):
    """The rest of a depth message or snapshot whose object ends at `at`: 1, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    fields = result["scratch"]
    whole_book = result["kind"] != decoded.DEPTH
    for field in (BIDS, ASKS):
        value = fields[field]
        if value == 0:
            return _refuse(result_address, decoded.MISSING_FIELD, at)
        if value != -1:
            done = _levels(value, end, slot, np.int64(field), records, capacity, result_address)
            if done < 0:
                return done
    last = np.int64(LAST_ID if fields[LAST_UPDATE_ID] == 0 else LAST_UPDATE_ID)
    result["last_id"], done = _integer(last, at, end, result_address)
    if done > 0 and last == LAST_ID:
        result["first_id"], done = _integer(np.int64(FIRST_ID), at, end, result_address)
    if done > 0 and fields[PU] != 0:
        result["previous_id"], done = _integer(np.int64(PU), at, end, result_address)
    if done > 0 and (fields[EVENT_TIME] != 0 or last == LAST_ID):
        result["ts_exchange"], done = _time(np.int64(EVENT_TIME), at, end, result_address)
    if done < 0:
        return done
    count = result["count"]
    levels = records_at(records, max(capacity, 1), L2_UPDATE)
    for i in range(count):
        levels[i]["ts_exchange"] = result["ts_exchange"]
        levels[i]["sequence"] = result["last_id"]
        levels[i]["flags"] = SNAPSHOT if whole_book else 0
    if count > 0:
        levels[0]["flags"] |= FIRST
        levels[count - 1]["flags"] |= LAST
    return np.int64(1)


@compiled
def _trade(at, end, slot, records, capacity, result_address):
    """The rest of a trade whose object ends at `at`: 1, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    fields = result["scratch"]
    symbol = records_at(slot, 1, SYMBOL)[0]
    count = result["count"]
    if count >= capacity:
        return _refuse(result_address, decoded.TOO_MANY_LEVELS, at)
    if fields[PRICE] == 0 or fields[VOLUME] == 0 or fields[BUYER_IS_MAKER] == 0:
        return _refuse(result_address, decoded.MISSING_FIELD, at)
    trade = records_at(records, capacity, TRADE_UPDATE)[count]
    price_exponent = np.int64(symbol["price_exponent"])
    volume_exponent = np.int64(symbol["volume_exponent"])
    trade["price"], done = _decimal(fields[PRICE], end, price_exponent, result_address)
    if done > 0:
        trade["volume"], done = _decimal(fields[VOLUME], end, volume_exponent, result_address)
    if done > 0:
        number = TRADE_ID if result["kind"] == decoded.TRADE else ASKS  # `a` is an aggregate's id
        trade["trade_id"], done = _integer(np.int64(number), at, end, result_address)
    if done > 0:
        result["ts_exchange"], done = _time(np.int64(TRADE_TIME), at, end, result_address)
    if done < 0:
        return done
    # The buyer rested in the book: the seller came and took.
    maker = fields[BUYER_IS_MAKER]
    if byte_at(maker) == SMALL_T:  # a sound value that begins so is `true`
        trade["side"] = ASK
    elif byte_at(maker) == SMALL_F:
        trade["side"] = BID
    else:
        return -maker
    trade["ts_exchange"], trade["instrument"] = result["ts_exchange"], symbol["instrument"]
    trade["flags"], trade["unused"] = FIRST | LAST, 0
    result["last_id"], result["count"] = trade["trade_id"], count + 1
    return np.int64(1)
