"""What both forms of Coinbase's messages share: words, members, products, levels, trades.

In:        addresses of JSON text, the DECODED result.
Out:       places in tables, addresses of values, SYMBOL slots, L2_UPDATE and TRADE_UPDATE records.
Must not know: which messages there are.

Keys may come in any order. `gather` finds the values of an object's keys, and stops at the last of
its key table, where levels are, once it has all others: they are read where they stand, and
`resume` goes on behind them. In another order they are first passed over, then read.

    seen, at, more = gather(at, np.int64(0), end, keys, values, result_address)
    done = …(values[…])                             # the address after the last key's value
    at = resume(done, at, more, seen, end, keys, values, result_address)
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields
from mantra.exchanges.fields import ARRAY, OBJECT, decimal, enter, go_on, member, refuse
from mantra.exchanges.json_scanner import QUOTE, pack, plain_string_end, skip_space, value_end
from mantra.exchanges.symbols import SYMBOL, find_symbol
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at

# Keys of a trade, and where `gather` keeps them; a message's own keys begin with these.
TRADE_KEYS = ("trade_id", "product_id", "price", "size", "side", "time")
TRADE_ID, PRODUCT_ID, PRICE, SIZE, SIDE, TIME = range(6)
ALL_OF_TRADE = np.int64((1 << 6) - 1)

LEVEL = fields.key_table("side", "price_level", "new_quantity")
LEVEL_SIDE, LEVEL_PRICE, LEVEL_VOLUME, LEVEL_MORE = (np.int64(1 << i) for i in range(4))
# Advanced's levels, Exchange's levels and trades, Advanced's trades: the side is the place's bit 0.
SIDES = fields.key_table("bid", "offer", "buy", "sell", "BUY", "SELL")


@compiled
def choice(value, end, words):
    """(place in the key table `words` of the string at `value`, address after it).

    Place -1: another string, or no string. An escape is refused: a word may hide behind it.
    """
    if value >= end or byte_at(value) != QUOTE:
        return np.int64(-1), value_end(value, end)
    after = plain_string_end(value, end)
    length = after - value - 2
    first, second = pack(value + 1, length), pack(value + 9, length - 8)
    for i in range(len(words)):
        if words[i, 0] == first and words[i, 1] == second and words[i, 2] == length:
            return np.int64(i), after
    return np.int64(-1), after


@compiled
def gather(at, seen, end, keys, values, result_address):
    """Over the object at `at`: (bits of the keys it has, address after it, False).

    Or, where all keys are there and the last comes last: (bits, address of its value, True); called
    with these bits and the address after that value it goes on. `values` gets the address of each
    key's value, at the key's place in the table.
    """
    at = skip_space(at, end)
    at, more = go_on(at, end, OBJECT) if seen else enter(at, end, OBJECT)
    while more:
        bit, value = member(at, end, keys, seen, result_address)
        seen |= bit
        for i in range(len(keys)):
            values[i] = value if bit == 1 << i else values[i]
        if bit >> (len(keys) - 1) and seen == 2 * bit - 1:
            return seen, value, True
        at, more = go_on(value_end(value, end), end, OBJECT)
    return seen, at, False


@compiled
def resume(done, at, more, seen, end, keys, values, result_address):
    """The end of the object that `gather` left at `at`, its last value being read up to `done`."""
    if done > 0 and more:
        seen, at, more = gather(done, seen, end, keys, values, result_address)
    return at if done > 0 else done


@compiled
def find_product(value, end, index_address, result_address):
    """(SYMBOL slot, address after) of the product named at `value`: that is the message's now."""
    result = records_at(result_address, 1, decoded.DECODED)[0]
    after = plain_string_end(value, end)
    if after < 0:
        return np.int64(0), after
    result["symbol"], result["symbol_length"] = value + 1, after - value - 2
    slot = find_symbol(index_address, value + 1, after - value - 2)
    if slot == 0:
        return slot, refuse(decoded.UNKNOWN_SYMBOL, value + 1, result_address)
    result["instrument"] = records_at(slot, 1, SYMBOL)[0]["instrument"]
    return slot, after


@compiled
def put_sided_levels(at, end, slot, opening, result_address):
    """Write the levels of the array at `at` as records: the address after it.

    By `opening` a level is an OBJECT of Advanced Trade, or Exchange's ARRAY [side, price, size].
    """
    symbol = records_at(slot, 1, SYMBOL)[0]
    exponents = np.int64(symbol["price_exponent"]), np.int64(symbol["volume_exponent"])
    at, more = enter(at, end, ARRAY)
    while more:
        level, seen, side = at, np.int64(0), np.int64(-1)
        price, volume = np.int64(0), np.int64(0)
        at, inside = enter(at, end, opening)
        while inside:
            bit, value = min(seen + 1, LEVEL_MORE), at  # in an array `seen` is 0, 1, 3, 7, 15, 15
            if opening == OBJECT:
                bit, value = member(at, end, LEVEL, seen, result_address)
            seen |= bit
            if bit == LEVEL_SIDE:
                side, at = choice(value, end, SIDES)
            elif bit == LEVEL_PRICE:
                price, at = decimal(value, end, exponents[0], result_address)
            elif bit == LEVEL_VOLUME:
                volume, at = decimal(value, end, exponents[1], result_address)
            else:
                at = value_end(value, end)
            at, inside = go_on(at, end, opening)
        if at > 0 and seen % LEVEL_MORE != LEVEL_MORE - 1:
            return refuse(decoded.MISSING_FIELD, at - 1, result_address)
        if at > 0 and side < 0:
            return -level
        if at > 0:
            at = fields.put_level(slot, side & 1, price, volume, at, result_address)
        at, more = go_on(at, end, ARRAY)
    return at


@compiled
def read_trade(seen, values, at, end, index_address, result_address):
    """Write the trade whose object `gather` went over, to `at`: `at`, or refused.

    Its `side` is the maker's in both forms (Exchange documentation, "match"; of Advanced Trade
    clients hold the same): the aggressor is the other.
    """
    if at <= 0:
        return at
    if seen & ALL_OF_TRADE != ALL_OF_TRADE:
        return refuse(decoded.MISSING_FIELD, at - 1, result_address)
    slot, done = find_product(values[PRODUCT_ID], end, index_address, result_address)
    if done <= 0:
        return done
    symbol = records_at(slot, 1, SYMBOL)[0]
    exponents = np.int64(symbol["price_exponent"]), np.int64(symbol["volume_exponent"])
    maker, done = choice(values[SIDE], end, SIDES)
    if maker < 0:
        return -values[SIDE]
    # A refusal is handed on as the place to read at.
    number, done = fields.integer(values[TRADE_ID], end)
    price, done = decimal(values[PRICE] if done > 0 else done, end, exponents[0], result_address)
    volume, done = decimal(values[SIZE] if done > 0 else done, end, exponents[1], result_address)
    time, done = fields.rfc3339_time(values[TIME] if done > 0 else done, end)
    if done <= 0:
        return done
    return fields.put_trade(slot, 1 - (maker & 1), price, volume, number, time, at, result_address)
