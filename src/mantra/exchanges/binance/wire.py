"""The outside of a Binance message: frame and payload, which key is which, which kind it is.

In:        addresses of JSON text.
Out:       where the payload is, where each known key's value begins, the kind.
Must not know: records, instruments, numbers.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.fields import OBJECT, QUOTE, ZERO, enter, go_on, key_table, member
from mantra.exchanges.json_scanner import pack_within, plain_string_end, value_end, word
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at

# Where the address of each known key's value is kept in `scratch`: a letter by its low six bits,
# longer keys in places no letter has.
FIELD_BITS, FIELDS, NO_FIELD = 63, 64, -1
PU, LAST_UPDATE_ID, STREAM_NAME, STREAM_END, DONE_BIDS = 0, 27, 28, 29, 30
SPELLED = 59  # and the four behind it: id, price, qty, time, isBuyerMaker
EVENT, EVENT_TIME, SYMBOL_NAME, FIRST_ID, LAST_ID = (ord(c) & FIELD_BITS for c in "eEsUu")
BIDS, ASKS, BEST_BID_VOLUME, BEST_ASK_VOLUME = (ord(c) & FIELD_BITS for c in "baBA")
TRADE_ID, TRADE_TIME, PRICE, VOLUME, BUYER_IS_MAKER = (ord(c) & FIELD_BITS for c in "tTpqm")

# Keys of more than a letter, and where their values are kept. The answer to GET trades spells its
# keys out.
SPELLED_KEYS = key_table(
    *("bids", "asks", "pu", "symbol", "lastUpdateId", "id", "price", "qty", "time", "isBuyerMaker")
)
# The last is of any other key.
PLACES = BIDS, ASKS, PU, SYMBOL_NAME, LAST_UPDATE_ID
PLACE_OF = np.array([*PLACES, *range(SPELLED, FIELDS), NO_FIELD])
FRAME_KEYS, STREAM, DATA = key_table("stream", "data"), np.int64(1), np.int64(2)
PAYLOAD_KEYS = key_table("e", "lastUpdateId", "u")  # with these it begins
EVENTS = key_table("depthUpdate", "trade", "aggTrade", "bookTicker")
EVENT_KINDS = (decoded.DEPTH, decoded.TRADE, decoded.AGGREGATE_TRADE, decoded.BOOK_TICKER)
KIND_OF = np.array([*EVENT_KINDS, decoded.UNKNOWN])
WORD_AT_DEPTH, AT_SIGN = word("@depth"), ord("@")
NONE = np.int64(0)


@compiled
def payload_of(at, end, result_address):
    """(address of the object to decode, address after the text's value).

    Payload 0: there is none. Address after 0: not looked for yet; negative: refused there.
    """
    places = records_at(result_address, 1, DECODED)[0]["scratch"]
    if at >= end or byte_at(at) != OBJECT:
        return NONE, value_end(at, end)
    first, more = enter(at, end, OBJECT)
    if not more:
        return NONE, first
    bit, stream = member(first, end, PAYLOAD_KEYS, NONE, result_address)
    if stream < 0:
        return NONE, stream
    if bit != 0:
        return at, NONE  # a bare payload, as the venue begins it
    # A frame as the venue sends it: stream, then data, found without reading data twice.
    bit, stream = member(first, end, FRAME_KEYS, NONE, result_address)
    if bit == STREAM and stream < end and byte_at(stream) == QUOTE:
        stream_end = plain_string_end(stream, end)
        key, more = go_on(stream_end, end, OBJECT)
        if more:
            bit, data = member(key, end, FRAME_KEYS, STREAM, result_address)
            if data < 0:
                return NONE, data
            if bit == DATA and data < end and byte_at(data) == OBJECT:
                places[STREAM_NAME], places[STREAM_END] = stream + 1, stream_end - 1
                return data, NONE
    return _look_up(at, end, result_address)


@compiled
def _look_up(at, end, result_address):
    """`payload_of` anything else: the whole text must be sound, then its members are looked up."""
    places = records_at(result_address, 1, DECODED)[0]["scratch"]
    after, seen, stream, data = value_end(at, end), NONE, NONE, NONE
    if after < 0:
        return NONE, after
    key, more = enter(at, end, OBJECT)
    while more:
        bit, value = member(key, end, FRAME_KEYS, seen, result_address)
        seen |= bit
        stream, data = value if bit == STREAM else stream, value if bit == DATA else data
        key, more = go_on(value_end(value, end), end, OBJECT)
    if key < 0:
        return NONE, key
    if seen != STREAM | DATA:
        return at, after
    if byte_at(stream) == QUOTE:
        stream_end = plain_string_end(stream, end)
        if stream_end < 0:
            return NONE, stream_end
        places[STREAM_NAME], places[STREAM_END] = stream + 1, stream_end - 1
    return data if byte_at(data) == OBJECT else NONE, after


@compiled
def frame_end(at, end, wrapped, result_address):
    """From behind the payload to behind the frame that holds it, over members nobody knows."""
    if not wrapped:
        return at
    at, more = go_on(at, end, OBJECT)
    while more:
        _, value = member(at, end, FRAME_KEYS, STREAM | DATA, result_address)
        at, more = go_on(value_end(value, end), end, OBJECT)
    return at


@compiled
def field_of(key, length, end):
    """Where a key's value is kept in `scratch`; NO_FIELD for keys nobody needs."""
    if length == 1:
        letter = byte_at(key)
        return letter & FIELD_BITS if letter > FIELD_BITS else np.int64(NO_FIELD)
    return PLACE_OF[fields.find_word(key, length, end, SPELLED_KEYS)]


@compiled
def kind_of(kind, result_address):
    """The kind of message, by its event, else by its fields; then by its stream's name."""
    places = records_at(result_address, 1, DECODED)[0]["scratch"]
    stream, stream_end = places[STREAM_NAME], places[STREAM_END]
    if places[EVENT] == 0:
        if places[LAST_UPDATE_ID] != 0:
            kind = np.int64(decoded.SNAPSHOT)
        elif places[LAST_ID] != 0 and places[BIDS] != 0 and places[ASKS] != 0:
            if places[BEST_BID_VOLUME] != 0 and places[BEST_ASK_VOLUME] != 0:
                kind = np.int64(decoded.BOOK_TICKER)
        elif places[SPELLED] != 0 and places[SPELLED + 1] != 0 and places[SPELLED + 4] != 0:
            kind = np.int64(decoded.TRADE)
            places[TRADE_ID], places[PRICE] = places[SPELLED], places[SPELLED + 1]
            places[VOLUME], places[TRADE_TIME] = places[SPELLED + 2], places[SPELLED + 3]
            places[BUYER_IS_MAKER] = places[SPELLED + 4]
    if stream != 0 and kind in (decoded.DEPTH, decoded.SNAPSHOT):
        for i in range(stream, stream_end - 6):
            if byte_at(i) == AT_SIGN and pack_within(i, np.int64(6), stream_end) == WORD_AT_DEPTH:
                if ZERO <= byte_at(i + 6) <= ZERO + 9:
                    return np.int64(decoded.PARTIAL_DEPTH)
    return kind
