"""Binance market data: bytes -> records. No I/O, no floats, no Python objects.

In:        one message: a combined-stream frame {"stream":…,"data":…}, its bare payload, or the
           answer to GET depth or GET trades; the venue's SymbolIndex; room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: sequence (../bridging.py), books, clocks. `ts_origin` and `published` are left alone.

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
from mantra.exchanges import decoded, fields
from mantra.exchanges.binance import wire
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.fields import ARRAY, OBJECT, QUOTE, enter, go_on, refuse
from mantra.exchanges.json_scanner import SMALL_F, SMALL_T, plain_string_end, value_begin, value_end
from mantra.exchanges.symbols import SYMBOL
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at
from mantra.messages.enums import ASK, BID, SNAPSHOT

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
    fields.begin(text, records, capacity, result_address)
    places = records_at(result_address, 1, DECODED)[0]["scratch"]
    end = text + length
    at = fields.skip_space(text, end)
    payload, after = np.int64(0), np.int64(0)
    if at < end and byte_at(at) == ARRAY:
        after = _list(at, end, index_address, unnamed, result_address)
    else:
        payload, after = wire.payload_of(at, end, result_address)
    if payload > 0:
        at = _decode_payload(payload, end, index_address, unnamed, result_address)
        if after == 0 and at > 0:
            after = wire.frame_end(at, end, places[wire.STREAM_NAME], result_address)
        elif at < 0:
            after = at
    return fields.finish(after, end, result_address)


@compiled
def _list(at, end, index_address, unnamed, result_address):
    """Over the list at `at`: the trades that GET trades answers with, or nothing of use."""
    result = records_at(result_address, 1, DECODED)[0]
    places = result["scratch"]
    trades, others = 0, 0
    item, more = enter(at, end, ARRAY)
    while more:
        at = item
        result["kind"] = decoded.UNKNOWN
        if item < end and byte_at(item) == OBJECT:
            for i in range(wire.FIELDS):
                places[i] = 0
            item = _decode_payload(item, end, index_address, unnamed, result_address)
        else:
            item = value_end(item, end)
        if item > 0 and result["kind"] == decoded.TRADE:
            trades += 1
        else:
            others += 1
            result["kind"], result["count"], result["bids"] = decoded.UNKNOWN, 0, 0
        if item > 0 and trades > 0 and others > 0:
            return -at  # the venue has no such list
        item, more = go_on(item, end, ARRAY)
    return item


@compiled
def _decode_payload(at, end, index_address, unnamed, result_address):
    """Decode the object at `at`: the address after it; negative: refused there."""
    result = records_at(result_address, 1, DECODED)[0]
    places = result["scratch"]
    kind, slot = np.int64(decoded.UNKNOWN), np.int64(0)
    at, more = enter(at, end, OBJECT)
    if not more:
        return at
    while more:
        key_end = plain_string_end(at, end)
        value = value_begin(key_end, end) if key_end > 0 else key_end
        if value < 0:
            return value
        field = wire.field_of(at + 1, key_end - at - 2, end)
        if field >= 0:
            if places[field] != 0:
                return refuse(decoded.DUPLICATE_FIELD, at, result_address)
            places[field] = value
        # Bids are written first; asks that come before them wait for the end.
        is_next = field == wire.BIDS or (field == wire.ASKS and places[wire.DONE_BIDS] != 0)
        if slot != 0 and kind == decoded.DEPTH and is_next:
            at = _levels(value, end, slot, field, result_address)
            places[field], places[wire.DONE_BIDS] = -1, 1
        else:
            at = value_end(value, end)
            if at > 0 and field == wire.EVENT:
                event, at = fields.choice(value, end, wire.EVENTS)
                kind = wire.KIND_OF[event]
            elif at > 0 and field == wire.SYMBOL_NAME and byte_at(value) == QUOTE:
                length = at - value - 2
                slot = fields.name_symbol(value + 1, length, index_address, result_address)
        at, more = go_on(at, end, OBJECT)
    if at < 0:
        return at
    at -= 1  # the closing brace: where a missing field is refused
    result["kind"] = kind = wire.kind_of(kind, result_address)
    if kind in (decoded.UNKNOWN, decoded.BOOK_TICKER):
        return at + 1
    if places[wire.SYMBOL_NAME] == 0:
        slot = _implied_symbol(index_address, unnamed, result_address)
    if slot == 0:
        named = result["symbol"] if result["symbol"] != 0 else at
        return refuse(decoded.UNKNOWN_SYMBOL, named, result_address)
    result["instrument"] = records_at(int(slot), 1, SYMBOL)[0]["instrument"]
    if kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
        done = _trade(at, end, slot, result_address)
    else:
        done = _group(at, end, slot, result_address)
    return at + 1 if done > 0 else done


@compiled
def _implied_symbol(index_address, unnamed, result_address):
    """The slot of a message that names no symbol: by its stream's name, else as the caller says."""
    places = records_at(result_address, 1, DECODED)[0]["scratch"]
    stream, stream_end = places[wire.STREAM_NAME], places[wire.STREAM_END]
    if stream == 0:
        return unnamed
    length = np.int64(0)
    while stream + length < stream_end and byte_at(stream + length) != wire.AT_SIGN:
        length += 1
    return fields.name_symbol(stream, length, index_address, result_address)


@compiled
def _integer(field, at, end, result_address):
    """(integer in a field, 1); refused, with the record saying why: (0, address, negative)."""
    value = records_at(result_address, 1, DECODED)[0]["scratch"][field]
    if value == 0:
        return np.int64(0), refuse(decoded.MISSING_FIELD, at, result_address)
    if byte_at(value) == QUOTE:
        return np.int64(0), -value  # the venue's ids and times are bare
    return fields.integer(value, end)


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
def _levels(value, end, slot, field, result_address):
    """Write the [[price, volume], …] of a side as records: the address after it."""
    result = records_at(result_address, 1, DECODED)[0]
    side = np.int64(BID if field == wire.BIDS else ASK)
    after = fields.put_levels(value, end, slot, side, result_address)
    if field == wire.BIDS:
        result["bids"] = result["count"]
    return after


@compiled
def _group(at, end, slot, result_address):
    """The rest of a depth message or snapshot whose object ends at `at`: 1, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    places = result["scratch"]
    flags = np.int64(0 if result["kind"] == decoded.DEPTH else SNAPSHOT)
    for field in (wire.BIDS, wire.ASKS):
        value = places[field]
        if value == 0:
            return refuse(decoded.MISSING_FIELD, at, result_address)
        if value != -1:
            done = _levels(value, end, slot, np.int64(field), result_address)
            if done < 0:
                return done
    last = np.int64(wire.LAST_ID if places[wire.LAST_UPDATE_ID] == 0 else wire.LAST_UPDATE_ID)
    result["last_id"], done = _integer(last, at, end, result_address)
    if done > 0 and last == wire.LAST_ID:
        result["first_id"], done = _integer(np.int64(wire.FIRST_ID), at, end, result_address)
    if done > 0 and places[wire.PU] != 0:
        result["previous_id"], done = _integer(np.int64(wire.PU), at, end, result_address)
    if done > 0 and (places[wire.EVENT_TIME] != 0 or last == wire.LAST_ID):
        result["ts_exchange"], done = _time(np.int64(wire.EVENT_TIME), at, end, result_address)
    fields.close_group(np.int64(0), flags, result["ts_exchange"], result["last_id"], result_address)
    return done


@compiled
def _trade(at, end, slot, result_address):
    """The rest of a trade whose object ends at `at`: 1, or refused."""
    result = records_at(result_address, 1, DECODED)[0]
    places = result["scratch"]
    if places[wire.PRICE] == 0 or places[wire.VOLUME] == 0 or places[wire.BUYER_IS_MAKER] == 0:
        return refuse(decoded.MISSING_FIELD, at, result_address)
    # A refusal is handed on as the place to read at. `a` is an aggregate's id.
    price, done = fields.read_price(places[wire.PRICE], end, slot, result_address)
    value = places[wire.VOLUME] if done > 0 else done
    volume, done = fields.read_volume(value, end, slot, result_address)
    if done < 0:
        return done
    field = np.int64(wire.TRADE_ID if result["kind"] == decoded.TRADE else wire.ASKS)
    number, done = _integer(field, at, end, result_address)
    if done < 0:
        return done
    time, done = _time(np.int64(wire.TRADE_TIME), at, end, result_address)
    if done < 0:
        return done
    result["ts_exchange"] = time
    # The buyer rested in the book: the seller came and took. A sound value that begins so is a
    # literal.
    maker = places[wire.BUYER_IS_MAKER]
    if byte_at(maker) != SMALL_T and byte_at(maker) != SMALL_F:
        return -maker
    side = np.int64(ASK if byte_at(maker) == SMALL_T else BID)
    return fields.put_trade(slot, side, price, volume, number, time, at, result_address)
