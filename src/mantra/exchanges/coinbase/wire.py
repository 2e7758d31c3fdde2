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
from mantra.exchanges.fields import ARRAY, OBJECT, choice, enter, find_slot, go_on, member, refuse
from mantra.exchanges.json_scanner import skip_space, value_end
from mantra.exchanges.times import rfc3339_time
from mantra.icc.memory import trailing_zeros

# Keys of a trade, and where `gather` keeps them; a message's own keys begin with these.
TRADE_KEYS = ("trade_id", "product_id", "price", "size", "side", "time")
TRADE_ID, PRODUCT_ID, PRICE, SIZE, SIDE, TIME = range(6)
ALL_OF_TRADE = np.int64((1 << 6) - 1)

LEVEL = fields.key_table("side", "event_time", "price_level", "new_quantity")
LEVEL_SIDE, LEVEL_TIME, LEVEL_PRICE, LEVEL_VOLUME, LEVEL_MORE = (np.int64(1 << i) for i in range(5))
LEVEL_NEEDED = LEVEL_SIDE | LEVEL_PRICE | LEVEL_VOLUME
# Advanced's levels, Exchange's levels and trades, Advanced's trades: the side is the place's bit 0.
SIDES = fields.key_table("bid", "offer", "buy", "sell", "BUY", "SELL")


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
        if bit:
            values[trailing_zeros(bit)] = value
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
def put_sided_levels(at, end, slot, opening, result_address):
    """Write the levels of the array at `at` as records: the address after it.

    By `opening` a level is an OBJECT of Advanced Trade, or Exchange's ARRAY [side, price, size].
    """
    at, more = enter(at, end, ARRAY)
    while more:
        level, seen, side = at, LEVEL_TIME if opening == ARRAY else np.int64(0), np.int64(-1)
        price, volume = np.int64(0), np.int64(0)
        at, inside = enter(at, end, opening)
        while inside:
            # In an array without times `seen` is 2, 3, 7, 15, 31, 31.
            bit, value = LEVEL_SIDE if seen == LEVEL_TIME else min(seen + 1, LEVEL_MORE), at
            if opening == OBJECT:
                bit, value = member(at, end, LEVEL, seen, result_address)
            seen |= bit
            if bit == LEVEL_SIDE:
                side, at = choice(value, end, SIDES)
            elif bit == LEVEL_PRICE:
                price, at = fields.read_price(value, end, slot, result_address)
            elif bit == LEVEL_VOLUME:
                volume, at = fields.read_volume(value, end, slot, result_address)
            else:
                at = value_end(value, end)
            at, inside = go_on(at, end, opening)
        if at > 0 and seen & LEVEL_NEEDED != LEVEL_NEEDED:
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
    slot, done = find_slot(values[PRODUCT_ID], end, index_address, result_address)
    if done <= 0:
        return done
    maker, done = choice(values[SIDE], end, SIDES)
    if maker < 0:
        return -values[SIDE]
    # A refusal is handed on as the place to read at.
    number, done = fields.integer(values[TRADE_ID], end)
    at_price, at_size = values[PRICE] if done > 0 else done, values[SIZE]
    price, done = fields.read_price(at_price, end, slot, result_address)
    volume, done = fields.read_volume(at_size if done > 0 else done, end, slot, result_address)
    time, done = rfc3339_time(values[TIME] if done > 0 else done, end)
    if done <= 0:
        return done
    return fields.put_trade(slot, 1 - (maker & 1), price, volume, number, time, at, result_address)
