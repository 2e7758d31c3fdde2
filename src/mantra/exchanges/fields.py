"""What is inside a venue's JSON: members, items, numbers, levels, trades. Shared by venues.

In:        addresses in the text of a message, a venue's SYMBOL slot, the DECODED result.
Out:       values, records in the room the result names, the reason and place of a refusal.
Must not know: a venue's keys, or which message has what.

A walk is a loop of its caller: `enter`, then `go_on` until there is no more. Addresses are handed
on; a negative one is a refusal at its absolute, which every function here hands on as it is:

    item, more = enter(value, end, ARRAY)
    while more:
        price, item = decimal(item, end, exponent, result_address)
        item, more = go_on(item, end, ARRAY)
    if item < 0: ...                                # else the address after the array
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.exchanges import decoded
from mantra.exchanges import json_scanner as scan
from mantra.exchanges.decoded import DECODED, NO_ID
from mantra.exchanges.json_scanner import pack_within, skip_space, value_end, word
from mantra.exchanges.symbols import SYMBOL, fetch_near, find_symbol
from mantra.icc.memory import records_at, trailing_zeros, word_at
from mantra.messages.decimals import byte_at, scan_decimal
from mantra.messages.enums import FIRST, LAST
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

assert L2_UPDATE.itemsize == TRADE_UPDATE.itemsize, "records are written into one room"

# np.int64, not int: as an argument a Python constant is a type of its own to the compiler.
OBJECT, ARRAY = np.int64(scan.OBJECT), np.int64(scan.ARRAY)
QUOTE, MINUS, ZERO, NINE = scan.QUOTE, scan.MINUS, scan.ZERO, scan.NINE

WORD = np.dtype("i8")
KEY_BYTES = 16  # venues' longest keys that matter
# Columns of a key table: the first 8 bytes, the next 8, the length. And of `"key":`, where that has
# no more than 16 bytes, the first 8 and the next 8, with a mask of each; else what nothing equals.
FIRST_8, NEXT_8, LENGTH, QUOTED_8, QUOTED_16, MASK_8, MASK_16 = range(7)


# ---------------------------------------------------------------- a message, from begin to end


@compiled
def begin(text, records, capacity, result_address):
    """Begin a message at `text`, with room for `capacity` records: nothing found yet."""
    records_at(result_address, decoded.WORDS, WORD)[:] = 0  # UNKNOWN, and OK
    result = records_at(result_address, 1, DECODED)[0]
    result["instrument"] = -1
    result["checksum"], result["connection_id"] = NO_ID, NO_ID
    result["first_id"], result["last_id"], result["previous_id"] = NO_ID, NO_ID, NO_ID
    result["text"], result["records"], result["capacity"] = text, records, capacity


@compiled
def finish(after, end, result_address):
    """End a message whose value ended at `after`, or was refused there: the status.

    A refused message has no records; what stands behind the value is refused too.
    """
    result = records_at(result_address, 1, DECODED)[0]
    if after > 0 and skip_space(after, end) != end:
        after = -after
    if after <= 0:
        if result["status"] == decoded.OK:
            result["status"] = decoded.MALFORMED
        result["position"] = -after - result["text"]
        result["count"] = 0
    if result["symbol"] > 0:
        result["symbol"] -= result["text"]
    return result["status"]


@compiled
def refuse(status, at, result_address):
    """Refuse the message at address `at` for a reason: minus `at`, to be passed up."""
    records_at(result_address, 1, DECODED)[0]["status"] = status
    return -at


# ---------------------------------------------------------------- walking


@inlined
def enter(at, end, opening):
    """Into the OBJECT or ARRAY at `at`: (address of its first element, True).

    Or, for an empty one, (address after it, False); (negative, False): refused.
    """
    if at < 0:
        return at, False
    if at >= end or byte_at(at) != opening:
        return -at, False
    at = skip_space(at + 1, end)
    if at < end and byte_at(at) == opening + 2:  # '}' is '{' + 2, ']' is '[' + 2
        return at + 1, False
    return at, True


@inlined
def go_on(at, end, opening):
    """From after an element: (address of the next, True); (after the whole, False) as `enter`."""
    if at < 0:
        return at, False
    at = skip_space(at, end)
    if at >= end:
        return -end, False
    byte = byte_at(at)
    if byte == scan.COMMA:
        return skip_space(at + 1, end), True
    return (at + 1 if byte == opening + 2 else -at), False


def key_table(*keys: str) -> np.ndarray:
    """Keys for `member`, in the order in which the venue sends them: that is found fastest."""
    table = np.zeros((len(keys), MASK_16 + 1), np.int64)
    for row, key in zip(table, keys, strict=True):
        assert len(key) <= KEY_BYTES
        quoted = f'"{key}":' if len(key) <= KEY_BYTES - 3 else ""
        row[:LENGTH] = word(key[:8]), word(key[8:])
        row[LENGTH:MASK_8] = len(key), word(quoted[:8]) or 1, word(quoted[8:])
        sizes = len(quoted[:8]), len(quoted[8:])
        row[MASK_8:] = [-1 if size == 8 else (1 << 8 * size) - 1 for size in sizes]
    return table


EVENT_KEYS = key_table("event")


@inlined
def member(at, end, keys, seen, result_address):
    """Read `"key":` at `at`: (bit of the key, address of its value).

    The bit is 1 << its place in the key table, 0 for a key that is not there. `seen` has the bits
    of the keys read before: a key that comes again is refused.
    """
    row = trailing_zeros(~seen)  # the key that is to come, if they come in the venue's order
    if row < len(keys) and at + KEY_BYTES < end:
        value = at + keys[row, LENGTH] + 3
        if (
            word_at(at) & keys[row, MASK_8] == keys[row, QUOTED_8]
            and word_at(at + 8) & keys[row, MASK_16] == keys[row, QUOTED_16]
            and byte_at(value) > scan.SPACE
        ):
            return np.int64(1) << row, value
    key_end = scan.plain_string_end(at, end)
    if key_end < 0:
        return np.int64(0), key_end
    value = scan.value_begin(key_end, end)
    length = key_end - at - 2
    if value < 0 or length > KEY_BYTES:
        return np.int64(0), value
    place = find_word(at + 1, length, end, keys)
    if place < 0:
        return np.int64(0), value
    if (seen >> place) & 1:
        return np.int64(0), refuse(decoded.DUPLICATE_FIELD, at, result_address)
    return np.int64(1) << place, value


@compiled
def find_word(at, length, end, table):
    """Place of the `length` bytes at `at` in a key table; -1: they are not there."""
    first = pack_within(at, min(length, 8), end)
    second = pack_within(at + 8, length - 8, end) if length > 8 else np.int64(0)
    for i in range(len(table)):
        if table[i, FIRST_8] == first and table[i, NEXT_8] == second and table[i, LENGTH] == length:
            return np.int64(i)
    return np.int64(-1)


@compiled
def choice(value, end, table):
    """(place in the key table of the string at `value`, address after it).

    Place -1: another string, or no string. An escape is refused: a word may hide behind it.
    """
    if value < 0 or value >= end or byte_at(value) != QUOTE:
        return np.int64(-1), value_end(value, end)
    after = scan.plain_string_end(value, end)
    if after < 0:
        return np.int64(-1), after
    return find_word(value + 1, after - value - 2, end, table), after


@compiled
def find_slot(value, end, index_address, result_address):
    """(SYMBOL slot, address after) of the string at `value`, which becomes the result's symbol."""
    after = scan.plain_string_end(value, end) if value > 0 else value
    if after < 0:
        return np.int64(0), after
    slot = name_symbol(value + 1, after - value - 2, index_address, result_address)
    if slot == 0:
        return slot, refuse(decoded.UNKNOWN_SYMBOL, value + 1, result_address)
    return slot, after


@compiled
def name_symbol(text, length, index_address, result_address):
    """SYMBOL slot, 0 if there is none, of the `length` bytes at `text`: the result's symbol now."""
    result = records_at(result_address, 1, DECODED)[0]
    result["symbol"], result["symbol_length"] = text, length
    slot = find_symbol(index_address, text, length)
    if slot != 0:
        result["instrument"] = records_at(slot, 1, SYMBOL)[0]["instrument"]
        fetch_near(slot)
    return slot


@compiled
def find_event(at, end, result_address):
    """(address after the object at `at`, address of the value of its member "event", 0: none)."""
    seen, event = np.int64(0), np.int64(0)
    at, more = enter(at, end, OBJECT)
    while more:
        bit, value = member(at, end, EVENT_KEYS, seen, result_address)
        seen |= bit
        event = value if bit else event
        at, more = go_on(value_end(value, end), end, OBJECT)
    return at, event


# ---------------------------------------------------------------- numbers


@compiled
def signed_decimal(value, end, exponent, result_address):
    """(count of units, address after) of a number, bare or in a string, at `exponent` decimals."""
    if value < 0 or value >= end:
        return np.int64(0), -abs(value)
    quoted = byte_at(value) == QUOTE
    begins = value + 1 if quoted else value
    if not quoted:
        digits = begins + 1 if begins < end and byte_at(begins) == MINUS else begins
        if digits >= end or not ZERO <= byte_at(digits) <= NINE:
            return np.int64(0), -value
        if byte_at(digits) == ZERO and digits + 1 < end and ZERO <= byte_at(digits + 1) <= NINE:
            return np.int64(0), -value  # JSON has no 01
    number, status, after = scan_decimal(begins, end, exponent)
    if status != decoded.OK:
        return np.int64(0), refuse(status, value, result_address)
    if quoted:
        if after >= end or byte_at(after) != QUOTE:
            return np.int64(0), -after
        after += 1
    return number, after


@compiled
def decimal(value, end, exponent, result_address):
    """As `signed_decimal`; a negative number is refused."""
    number, after = signed_decimal(value, end, exponent, result_address)
    if number < 0:
        return np.int64(0), refuse(decoded.NEGATIVE, value, result_address)
    return number, after


@compiled
def read_price(value, end, slot, result_address):
    """As `decimal`, in units of the instrument's prices."""
    exponent = records_at(slot, 1, SYMBOL)[0]["price_exponent"]
    return decimal(value, end, exponent, result_address)


@compiled
def read_volume(value, end, slot, result_address):
    """As `decimal`, in units of the instrument's volumes."""
    exponent = records_at(slot, 1, SYMBOL)[0]["volume_exponent"]
    return decimal(value, end, exponent, result_address)


@compiled
def integer(value, end):
    """(integer, address after), bare or in a string."""
    if value < 0:
        return np.int64(0), value
    if value < end and byte_at(value) == QUOTE:
        number, after = scan.scan_integer(value + 1, end)
        if after > 0 and (after >= end or byte_at(after) != QUOTE):
            after = -after
        return number, after + 1 if after > 0 else after
    return scan.scan_integer(value, end)


# ---------------------------------------------------------------- records


@compiled
def put_level(slot, side, price, volume, at, result_address):
    """Write one level behind those written: `at`, or refused there for lack of room."""
    result = records_at(result_address, 1, DECODED)[0]
    count = result["count"]
    if count >= result["capacity"]:
        return refuse(decoded.TOO_MANY_LEVELS, at, result_address)
    level = records_at(result["records"], count + 1, L2_UPDATE)[count]
    level["price"], level["volume"] = price, volume
    level["instrument"] = records_at(slot, 1, SYMBOL)[0]["instrument"]
    level["side"], level["flags"], level["unused"] = side, 0, 0
    result["count"] = count + 1
    return at


@compiled
def put_levels(value, end, slot, side, result_address):
    """Write the levels of [[price, volume, …], …] at `value`: the address after it."""
    at, more = enter(value, end, ARRAY)
    while more:
        item, inside = enter(at, end, ARRAY)
        item = item if inside else -abs(item)
        price, item = read_price(item, end, slot, result_address)
        item, inside = go_on(item, end, ARRAY)
        if not inside:
            return item if item < 0 else -item
        volume, item = read_volume(item, end, slot, result_address)
        item, inside = go_on(item, end, ARRAY)
        while inside:  # a venue may add to its levels
            item = value_end(item, end)
            item, inside = go_on(item, end, ARRAY)
        if item > 0:
            item = put_level(slot, side, price, volume, item, result_address)
        at, more = go_on(item, end, ARRAY)
    return at


@compiled
def close_group(first, flags, ts_exchange, sequence, result_address):
    """Make one atomic group of the levels written from number `first` on."""
    result = records_at(result_address, 1, DECODED)[0]
    count = result["count"]
    levels = records_at(result["records"], max(count, 1), L2_UPDATE)
    for i in range(first, count):
        levels[i]["ts_exchange"], levels[i]["sequence"] = ts_exchange, sequence
        levels[i]["flags"] = flags
    if count > first:
        levels[first]["flags"] |= FIRST
        levels[count - 1]["flags"] |= LAST


@compiled
def put_trade(slot, side, price, volume, trade_id, ts_exchange, at, result_address):
    """Write one trade behind those written: `at`, or refused there for lack of room.

    `side` is the aggressor's: BID bought.
    """
    result = records_at(result_address, 1, DECODED)[0]
    count = result["count"]
    if count >= result["capacity"]:
        return refuse(decoded.TOO_MANY_LEVELS, at, result_address)
    trade = records_at(result["records"], count + 1, TRADE_UPDATE)[count]
    trade["price"], trade["volume"], trade["trade_id"] = price, volume, trade_id
    trade["ts_exchange"], trade["side"] = ts_exchange, side
    trade["instrument"] = records_at(slot, 1, SYMBOL)[0]["instrument"]
    trade["flags"], trade["unused"] = FIRST | LAST, 0
    result["count"], result["last_id"] = count + 1, trade_id
    return at
