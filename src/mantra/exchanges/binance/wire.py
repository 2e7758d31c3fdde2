"""The outside of a Binance message: frame and payload, which key is which, which kind it is.

In:        addresses of JSON text.
Out:       where the payload is, where each known key's value begins, the kind.
Must not know: records, instruments, numbers.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.json_scanner import (
    COMMA,
    OBJECT,
    OBJECT_END,
    QUOTE,
    ZERO,
    pack,
    plain_string_end,
    skip_space,
    value_begin,
    value_end,
    word,
)
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at

# Where the address of each known key's value is kept in `scratch`: a letter by its low six bits,
# longer keys in places no letter has.
FIELD_BITS = 63
FIELDS = 64
NO_FIELD = -1
PU, LAST_UPDATE_ID, STREAM_NAME, STREAM_END, DONE_BIDS = 0, 27, 28, 29, 30
SPELLED = 59  # and the four behind it: id, price, qty, time, isBuyerMaker
EVENT, EVENT_TIME, SYMBOL_NAME = ord("e") & FIELD_BITS, ord("E") & FIELD_BITS, ord("s") & FIELD_BITS
FIRST_ID, LAST_ID = ord("U") & FIELD_BITS, ord("u") & FIELD_BITS
BIDS, ASKS = ord("b") & FIELD_BITS, ord("a") & FIELD_BITS
BEST_BID_VOLUME, BEST_ASK_VOLUME = ord("B") & FIELD_BITS, ord("A") & FIELD_BITS
TRADE_ID, TRADE_TIME = ord("t") & FIELD_BITS, ord("T") & FIELD_BITS
PRICE, VOLUME, BUYER_IS_MAKER = ord("p") & FIELD_BITS, ord("q") & FIELD_BITS, ord("m") & FIELD_BITS

WORD_PU, WORD_BIDS, WORD_ASKS, WORD_SYMBOL = word("pu"), word("bids"), word("asks"), word("symbol")
WORD_E, WORD_U = word("e"), word("u")
WORD_ID, WORD_PRICE, WORD_QTY, WORD_TIME = word("id"), word("price"), word("qty"), word("time")
WORD_IS_BUYER, WORD_MAKER = word("isBuyerM"), word("aker")
WORD_STREAM, WORD_DATA, WORD_LAST = word("stream"), word("data"), word("lastUpda")
WORD_TE_ID, WORD_TRADE, WORD_AGG_TRADE = word("teId"), word("trade"), word("aggTrade")
WORD_DEPTH, WORD_UPDATE = word("depthUpd"), word("ate")
WORD_BOOK, WORD_TICKER = word("bookTick"), word("er")
WORD_AT_DEPTH, AT_SIGN = word("@depth"), ord("@")


@compiled
def payload_of(at, end, result_address):
    """(address of the object to decode, address after the text's value).

    Payload 0: there is none. Address after 0: not looked for yet; negative: refused there.
    """
    fields = records_at(result_address, 1, DECODED)[0]["scratch"]
    if at >= end or byte_at(at) != OBJECT:
        return np.int64(0), value_end(at, end)
    key = skip_space(at + 1, end)
    if key < end and byte_at(key) == OBJECT_END:
        return np.int64(0), key + 1
    key_end = plain_string_end(key, end)
    if key_end < 0:
        return np.int64(0), key_end
    length, name = key_end - key - 2, pack(key + 1, key_end - key - 2)
    if (length == 1 and name in (WORD_E, WORD_U)) or (length == 12 and name == WORD_LAST):
        return at, np.int64(0)  # a bare payload, as the venue begins it
    # A frame as the venue sends it: stream, then data, found without reading data twice.
    if length == 6 and name == WORD_STREAM:
        stream = value_begin(key_end, end)
        if stream < 0:
            return np.int64(0), stream
        stream_end = plain_string_end(stream, end)
        comma = skip_space(stream_end, end) if stream_end > 0 else end
        if comma < end and byte_at(comma) == COMMA:
            key = skip_space(comma + 1, end)
            key_end = plain_string_end(key, end)
            if key_end - key == 6 and pack(key + 1, np.int64(4)) == WORD_DATA:
                fields[STREAM_NAME], fields[STREAM_END] = stream + 1, stream_end - 1
                data = value_begin(key_end, end)
                if data > 0 and data < end and byte_at(data) == OBJECT:
                    return data, np.int64(0)
    # Anything else: the whole text must be sound, then its members are looked up.
    after = value_end(at, end)
    if after < 0:
        return np.int64(0), after
    data = _member(at, end, WORD_DATA, np.int64(4))
    stream = _member(at, end, WORD_STREAM, np.int64(6))
    if data < 0 or stream < 0:
        records_at(result_address, 1, DECODED)[0]["status"] = decoded.DUPLICATE_FIELD
        return np.int64(0), min(data, stream)
    fields[STREAM_NAME] = 0
    if data == 0 or stream == 0:
        return at, after
    if byte_at(stream) == QUOTE:
        fields[STREAM_NAME], fields[STREAM_END] = stream + 1, value_end(stream, end) - 1
    if byte_at(data) != OBJECT:
        return np.int64(0), after
    return data, after


@compiled
def _member(at, end, name, length):
    """The value of a key in the sound object at `at`: its address, 0: none, negative: twice."""
    found = np.int64(0)
    at = skip_space(at + 1, end)
    while byte_at(at) == QUOTE:
        key = at
        key_end = value_end(at, end)
        value = value_begin(key_end, end)
        if key_end - key - 2 == length and pack(key + 1, length) == name:
            if found:
                return -key
            found = value
        at = skip_space(value_end(value, end), end)
        if byte_at(at) == COMMA:
            at = skip_space(at + 1, end)
    return found


@compiled
def frame_end(at, end, wrapped):
    """From behind the payload to behind the frame that holds it, over members nobody knows."""
    if not wrapped:
        return at
    at = skip_space(at, end)
    while at < end and byte_at(at) == COMMA:
        key = skip_space(at + 1, end)
        key_end = plain_string_end(key, end)
        if key_end < 0:
            return key_end
        length, name = key_end - key - 2, pack(key + 1, key_end - key - 2)
        if (length == 4 and name == WORD_DATA) or (length == 6 and name == WORD_STREAM):
            return -key
        at = value_begin(key_end, end)
        if at > 0:
            at = value_end(at, end)
        if at < 0:
            return at
        at = skip_space(at, end)
    if at >= end or byte_at(at) != OBJECT_END:
        return -at
    return at + 1


@compiled
def field_of(key, length):
    """Where a key's value is kept in `scratch`; NO_FIELD for keys nobody needs."""
    if length == 1:
        letter = byte_at(key)
        return letter & FIELD_BITS if letter > FIELD_BITS else np.int64(NO_FIELD)
    name = pack(key, length)
    if length == 2 and name == WORD_PU:
        return np.int64(PU)
    if length == 4 and name == WORD_BIDS:
        return np.int64(BIDS)
    if length == 4 and name == WORD_ASKS:
        return np.int64(ASKS)
    if length == 6 and name == WORD_SYMBOL:
        return np.int64(SYMBOL_NAME)
    # The answer to GET trades spells its keys out.
    if length == 2 and name == WORD_ID:
        return np.int64(SPELLED)
    if length == 5 and name == WORD_PRICE:
        return np.int64(SPELLED + 1)
    if length == 3 and name == WORD_QTY:
        return np.int64(SPELLED + 2)
    if length == 4 and name == WORD_TIME:
        return np.int64(SPELLED + 3)
    if length == 12 and name == WORD_IS_BUYER and pack(key + 8, np.int64(4)) == WORD_MAKER:
        return np.int64(SPELLED + 4)
    if length == 12 and name == WORD_LAST and pack(key + 8, np.int64(4)) == WORD_TE_ID:
        return np.int64(LAST_UPDATE_ID)
    return np.int64(NO_FIELD)


@compiled
def event_kind(value, after):
    """The kind that the string from `value` to `after`, quotes included, names."""
    length, name = after - value - 2, pack(value + 1, after - value - 2)
    if length == 11 and name == WORD_DEPTH and pack(value + 9, np.int64(3)) == WORD_UPDATE:
        return np.int64(decoded.DEPTH)
    if length == 5 and name == WORD_TRADE:
        return np.int64(decoded.TRADE)
    if length == 8 and name == WORD_AGG_TRADE:
        return np.int64(decoded.AGGREGATE_TRADE)
    if length == 10 and name == WORD_BOOK and pack(value + 9, np.int64(2)) == WORD_TICKER:
        return np.int64(decoded.BOOK_TICKER)
    return np.int64(decoded.UNKNOWN)


@compiled
def kind_of(kind, stream, stream_end, result_address):
    """The kind of message, by its event, else by its fields; then by its stream's name."""
    fields = records_at(result_address, 1, DECODED)[0]["scratch"]
    if fields[EVENT] == 0:
        if fields[LAST_UPDATE_ID] != 0:
            kind = np.int64(decoded.SNAPSHOT)
        elif fields[LAST_ID] != 0 and fields[BIDS] != 0 and fields[ASKS] != 0:
            if fields[BEST_BID_VOLUME] != 0 and fields[BEST_ASK_VOLUME] != 0:
                kind = np.int64(decoded.BOOK_TICKER)
        elif fields[SPELLED] != 0 and fields[SPELLED + 1] != 0 and fields[SPELLED + 4] != 0:
            kind = np.int64(decoded.TRADE)
            fields[TRADE_ID], fields[PRICE] = fields[SPELLED], fields[SPELLED + 1]
            fields[VOLUME], fields[TRADE_TIME] = fields[SPELLED + 2], fields[SPELLED + 3]
            fields[BUYER_IS_MAKER] = fields[SPELLED + 4]
    if stream != 0 and kind in (decoded.DEPTH, decoded.SNAPSHOT):
        for i in range(stream, stream_end - 6):
            if pack(i, np.int64(6)) == WORD_AT_DEPTH and ZERO <= byte_at(i + 6) <= ZERO + 9:
                return np.int64(decoded.PARTIAL_DEPTH)
    return kind
