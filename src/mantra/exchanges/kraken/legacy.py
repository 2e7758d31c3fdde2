"""Kraken market data, WebSocket v1: bytes -> records. For recordings: the venue has frozen it.

In:        one message; the venue's SymbolIndex, of symbols as v1 writes them: XBT/USD.
Out:       as public.py.
Must not know: books, clocks, how v1 is subscribed to.

Wire forms: https://docs.kraken.com/api/docs/websocket-v1/book, …/trade.

    [1360,{"as":[["0.05005","0.00000500","1582905487.684110"],…],"bs":[…]},"book-10","XBT/USD"]
    [1360,{"a":[[…]]},{"b":[["0.05005","0","…","r"]],"c":"974942666"},"book-10","XBT/USD"]
    [337,[["5541.2","0.15850568","1534614057.321597","s","l",""],…],"trade","XBT/USD"]
    {"event":"heartbeat"}, and other objects: CONTROL

The symbol comes last, so a frame is read to its end before its levels. A group's time is its
latest level's: a level marked "r" (moved into view again) has the time when it was set. Trades
have no id: 0.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields, json_scanner
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.fields import ARRAY, OBJECT, choice, decimal, enter, find_slot, go_on, member
from mantra.exchanges.kraken.public import NONE, end_group
from mantra.icc.memory import records_at
from mantra.messages.decimals import byte_at

HEARTBEATS = fields.key_table("heartbeat")
KEYS, SIDES = fields.key_table("as", "bs", "a", "b", "c"), fields.key_table("b", "s")
BIDS, SNAPSHOTS, LEVELS, CHECKSUM = 2 | 8, 1 | 2, 15, 16
CHANNELS = fields.key_table("trade", "book-10", "book-25", "book-100", "book-500", "book-1000")
TRADES, UNKNOWN = 0, np.int64(-1)
TIME_EXPONENT = np.int64(9)  # seconds -> ns
PARTS_MAX = 5  # channel, one or two payloads, name, symbol


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """As `public.decode`."""
    fields.begin(text, records, capacity, result_address)
    result = records_at(result_address, 1, DECODED)[0]
    end, parts = text + length, result["scratch"]
    start = json_scanner.skip_space(text, end)
    after = at = json_scanner.value_end(start, end)
    count, name, slot, seen, more = NONE, UNKNOWN, NONE, NONE, False
    if after > 0 and byte_at(start) == OBJECT:
        after, event = fields.find_event(start, end, result_address)
        result["kind"] = decoded.CONTROL
        if after > 0 and event != 0:
            beat, at = choice(event, end, HEARTBEATS)
            result["kind"] = decoded.HEARTBEAT if beat == 0 else decoded.CONTROL
    elif after > 0 and byte_at(start) == ARRAY:
        at, more = enter(start, end, ARRAY)
    while more:
        parts[min(count, PARTS_MAX)] = at
        count += 1
        at, more = go_on(json_scanner.value_end(at, end), end, ARRAY)
    if 4 <= count <= PARTS_MAX:
        name, at = choice(parts[count - 2], end, CHANNELS)
    if name != UNKNOWN:
        slot, at = find_slot(parts[count - 1], end, index_address, result_address)
        result["kind"] = decoded.TRADE
    for part in range(1, count - 2 if slot != 0 else 0):
        at = parts[part] if at > 0 else at
        if name == TRADES:
            at = _rows(at, end, slot, np.int64(-1), result_address)
        else:
            at, more = enter(at, end, OBJECT)
        while more:
            bit, value = member(at, end, KEYS, seen, result_address)
            seen |= bit
            if bit & LEVELS:
                at = _rows(value, end, slot, np.int64(bit & BIDS == 0), result_address)
            elif bit == CHECKSUM:
                result["checksum"], at = fields.integer(value, end)
            else:
                at = json_scanner.value_end(value, end)
            at, more = go_on(at, end, OBJECT)
    if slot != 0 and name != TRADES and at > 0:
        snapshot = np.int64(seen & SNAPSHOTS != 0)
        result["kind"] = decoded.SNAPSHOT if snapshot else decoded.DEPTH
        at = end_group(NONE, slot, snapshot, at, result_address)
    return fields.finish(after if at > 0 else at, end, result_address)


@compiled
def _rows(value, end, slot, side, result_address):
    """Write [[price, volume, time, …], …], which is sound: levels of a side, or trades if negative.

    A row that ends too early ends the walk: behind its bracket stands no number and no string.
    """
    result = records_at(result_address, 1, DECODED)[0]
    at, more = enter(value, end, ARRAY)
    while more:
        row = at
        at, _ = enter(row, end, ARRAY)
        price, at = fields.read_price(at, end, slot, result_address)
        at, _ = go_on(at, end, ARRAY)
        volume, at = fields.read_volume(at, end, slot, result_address)
        at, _ = go_on(at, end, ARRAY)
        time, at = decimal(at, end, TIME_EXPONENT, result_address)
        result["ts_exchange"] = max(time, result["ts_exchange"])
        if side < 0 and at > 0:
            taker, at = choice(go_on(at, end, ARRAY)[0], end, SIDES)
            at = at if taker >= 0 else -abs(at)
            if at > 0:
                at = fields.put_trade(slot, taker, price, volume, NONE, time, at, result_address)
        elif at > 0:
            at = fields.put_level(slot, side, price, volume, at, result_address)
        at, more = go_on(json_scanner.value_end(row, end) if at > 0 else at, end, ARRAY)
    return at
