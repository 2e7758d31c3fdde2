"""Bitfinex market data: bytes -> records. No I/O, no floats, no Python objects.

In:        one message of a WebSocket; the connection's channels (channels.py); room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: books, clocks, checksums (checksum.py). `ts_origin` and `published` are left alone.

    {"event":…}                                    CONTROL, whatever the event
    [channel,"hb", …]                              HEARTBEAT, of a channel not open yet, too
    [channel,"cs",checksum, …]                     CHECKSUM
    [channel,[[PRICE,COUNT,AMOUNT],…], …]          SNAPSHOT, first in its channel; then DEPTH (bulk)
    [channel,[PRICE,COUNT,AMOUNT], …]              DEPTH
    [channel,[[ID,MTS,AMOUNT,PRICE],…], …]         TRADE: the past, newest first, flag SNAPSHOT
    [channel,"te",[ID,MTS,AMOUNT,PRICE], …]        TRADE
    [channel,"tu",[ID,MTS,AMOUNT,PRICE], …]        UNKNOWN: the same trade once more

A level with COUNT 0 is deleted; the sign of AMOUNT is the side, of a trade the aggressor's. Source:
https://docs.bitfinex.com/docs/ws-general and the pages ws-public-books, ws-public-trades.

Behind the `…`: with SEQ_ALL the number of the frame on its connection, with TIMESTAMP the time in
ms; with both, in that order. They are told apart by size: no connection lives for TIME_MIN frames,
and TIME_MIN ms were over in 2001. What else may come there is passed over. A frame of an unknown
channel is refused, but its `connection_id` is said: it was not lost.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields, json_scanner
from mantra.exchanges.bitfinex.channels import BOOK, CHANNEL, TRADES, find_channel
from mantra.exchanges.decoded import DECODED, NO_ID
from mantra.exchanges.fields import ARRAY, OBJECT, enter, go_on
from mantra.exchanges.json_scanner import NINE, QUOTE, ZERO, value_end, word
from mantra.exchanges.symbols import SYMBOL, fetch_near
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE

TIME_MIN = 10**12
MS_MAX = 9_223_372_036_854  # beyond, ns would not fit an int64: year 2262
NS_PER_MS = 1_000_000

NO_TAG, HB, CS, TE = 0, word("hb"), word("cs"), word("te")  # an empty tag is no tag either


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `index_address` is that of the connection's channels, where a snapshot is noted; `records` that
    of `capacity` L2_UPDATE records, TRADE_UPDATE for trades. `unnamed` is not used: answers to REST
    requests are not read, since snapshots come on the channel.
    """
    fields.begin(text, records, capacity, result_address)
    result = records_at(result_address, 1, DECODED)[0]
    end = text + length
    at = json_scanner.skip_space(text, end)
    if at < end and byte_at(at) == OBJECT:
        at, event = fields.find_event(at, end, result_address)
        result["kind"] = decoded.CONTROL if event else decoded.UNKNOWN
    else:
        at = _frame(at, end, index_address, result_address)
    status = fields.finish(at, end, result_address)
    if status == decoded.OK and result["kind"] == decoded.SNAPSHOT:
        records_at(result["scratch"][0], 1, CHANNEL)[0]["has_snapshot"] = 1
    return status


@compiled
def _frame(at, end, channels, result_address):
    """Over the array at `at`."""
    result = records_at(result_address, 1, DECODED)[0]
    item, more = enter(at, end, ARRAY)
    if not more:
        return item
    number, item = json_scanner.scan_integer(item, end)
    if item < 0:
        return value_end(at, end)  # no frame; an answer to a REST request is such a list
    channel = find_channel(channels, number)
    item, more = go_on(item, end, ARRAY)
    tag = np.int64(NO_TAG)
    if more and item < end and byte_at(item) == QUOTE:
        tag_end = json_scanner.plain_string_end(item, end)
        tag = json_scanner.pack(item + 1, tag_end - item - 2)
        item, more = go_on(tag_end, end, ARRAY)
    if tag == HB:
        result["kind"] = decoded.HEARTBEAT
    if channel != 0 and more:
        item, more = _payload(item, end, tag, channel, result_address)
    item = _counters(item, end, more, result_address)
    if channel == 0 and tag != HB and item > 0:
        return fields.refuse(decoded.UNKNOWN_SYMBOL, at, result_address)
    if result["kind"] == decoded.DEPTH or result["kind"] == decoded.SNAPSHOT:
        flags = np.int64(SNAPSHOT if result["kind"] == decoded.SNAPSHOT else 0)
        sequence = max(result["connection_id"], np.int64(0))
        fields.close_group(np.int64(0), flags, result["ts_exchange"], sequence, result_address)
    return item


@compiled
def _payload(item, end, tag, channel_address, result_address):
    """Over the payload at `item`, if it is one that is read: what comes then, as `go_on` says."""
    result = records_at(result_address, 1, DECODED)[0]
    channel = records_at(channel_address, 1, CHANNEL)[0]
    kind = channel["kind"]
    if kind in (BOOK, TRADES):
        result["instrument"] = records_at(channel["slot"], 1, SYMBOL)[0]["instrument"]
        fetch_near(channel["slot"])
    if kind == BOOK and tag == CS:
        result["kind"] = decoded.CHECKSUM
        result["checksum"], item = json_scanner.scan_integer(item, end)
    elif (kind == BOOK and tag == NO_TAG) or (kind == TRADES and tag in (NO_TAG, TE)):
        item = _rows(item, end, channel_address, result_address)
    else:
        return item, True
    return go_on(item, end, ARRAY)


@compiled
def _counters(item, end, more, result_address):
    """Over what is left of a frame, from `item` on: the frame's number and time."""
    result = records_at(result_address, 1, DECODED)[0]
    while more:
        at = item
        if at >= end or not ZERO <= byte_at(at) <= NINE:
            item = value_end(at, end)
        else:
            number, item = json_scanner.scan_integer(at, end)
            if number > MS_MAX:
                return -at
            if number >= TIME_MIN:
                result["ts_exchange"] = number * NS_PER_MS
            elif result["connection_id"] == NO_ID:
                result["connection_id"] = number  # the account's frames have another behind it
        item, more = go_on(item, end, ARRAY)
    return item


@compiled
def _rows(value, end, channel_address, result_address):
    """Write the level or trade, or the list of such, at `value`: the address after it.

    An empty snapshot is a record without a price, which carries the flags.
    """
    result = records_at(result_address, 1, DECODED)[0]
    channel = records_at(channel_address, 1, CHANNEL)[0]
    slot, is_book = channel["slot"], channel["kind"] == BOOK
    at, more = enter(value, end, ARRAY)
    is_list = not more or (at < end and byte_at(at) == ARRAY)
    is_snapshot = is_book and is_list and channel["has_snapshot"] == 0
    result["scratch"][0] = channel_address
    kind = decoded.DEPTH if is_book else decoded.TRADE
    result["kind"] = decoded.SNAPSHOT if is_snapshot else kind
    at = at if is_list else value
    while more:
        item, has_columns = enter(at, end, ARRAY)
        item = item if has_columns else -abs(item)
        if is_book:
            item = _level(item, end, slot, result_address)
        else:
            item = _trade(item, end, slot, result_address)
        item, more = go_on(item, end, ARRAY)
        while more:  # the venue may add columns
            item, more = go_on(value_end(item, end), end, ARRAY)
        at, more = go_on(item, end, ARRAY) if is_list else (item, False)
    if is_snapshot and result["count"] == 0 and at > 0:
        at = fields.put_level(slot, np.int64(BID), np.int64(0), np.int64(0), at, result_address)
    if is_list and not is_book:
        trades = records_at(result["records"], result["count"], TRADE_UPDATE)
        trades["flags"][:] = FIRST | LAST | SNAPSHOT
    return at


@compiled
def _next(at, end):
    """From after a column to the next; refused if there is none."""
    item, more = go_on(at, end, ARRAY)
    return item if more else -abs(item)


@compiled
def _level(item, end, slot, result_address):
    """Write the level PRICE, COUNT, AMOUNT at `item`: the address after it."""
    price, item = fields.read_price(item, end, slot, result_address)
    count, item = fields.integer(_next(item, end), end)
    exponent = records_at(slot, 1, SYMBOL)[0]["volume_exponent"]
    amount, item = fields.signed_decimal(_next(item, end), end, exponent, result_address)
    if item < 0 or count < 0 or amount == 0:
        return -abs(item)
    side, volume = np.int64(BID if amount > 0 else ASK), abs(amount) if count > 0 else np.int64(0)
    return fields.put_level(slot, side, price, volume, item, result_address)


@compiled
def _trade(item, end, slot, result_address):
    """Write the trade ID, MTS, AMOUNT, PRICE at `item`: the address after it."""
    result = records_at(result_address, 1, DECODED)[0]
    number, item = fields.integer(item, end)
    time, item = fields.integer(_next(item, end), end)
    exponent = records_at(slot, 1, SYMBOL)[0]["volume_exponent"]
    amount, item = fields.signed_decimal(_next(item, end), end, exponent, result_address)
    price, item = fields.read_price(_next(item, end), end, slot, result_address)
    if item < 0 or amount == 0 or not 0 <= time <= MS_MAX:
        return -abs(item)
    side, time = np.int64(BID if amount > 0 else ASK), time * NS_PER_MS
    result["ts_exchange"] = max(result["ts_exchange"], time)  # until the frame says its own
    return fields.put_trade(slot, side, price, abs(amount), number, time, item, result_address)
