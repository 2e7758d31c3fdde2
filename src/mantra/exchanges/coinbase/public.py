"""Coinbase Advanced Trade market data: bytes -> records. No I/O, no floats, no Python objects.

In:        one frame of the WebSocket; the venue's SymbolIndex; room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: the chain of sequence numbers, books, clocks. `ts_origin` and `published` are left
alone.

    {"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":1,
     "events":[{"type":"update","product_id":"BTC-USD","updates":[
        {"side":"bid","event_time":"…","price_level":"68900.00","new_quantity":"2.0"}, …]}]}

Wire form: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket. All of a
connection's messages are numbered from 0 on without holes, answers included: connection_id, also
the `sequence` of levels; a jump is a loss, and which product lost it is not said. Each event is a
group of its own. A message with a snapshot in it is a SNAPSHOT; the flags of the levels say which
groups are.

`ts_exchange` of levels is the envelope's timestamp, not `event_time`: a group has one time, its
levels' differ, and a snapshot's may be 1970; it is also one time to read, not one a level. A trade
has its own.

Trades are written oldest first, as their ids rise. The venue sends them newest first (seen by a
client in 2023; undocumented, so both ways are read). The first message of a subscription has the
last hundred: a session that connects again drops by id what it had.

Subscriptions and states are CONTROL, and what has no channel: an error. All else is UNKNOWN.

Keys may come in any order, unknown ones are skipped. In the venue's order everything is decoded
where it stands; else events, or levels, are first read to their end. A message is taken whole or
refused whole: with the reason, and the byte where it was found.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields
from mantra.exchanges.coinbase import wire
from mantra.exchanges.coinbase.wire import gather
from mantra.exchanges.fields import ARRAY, OBJECT, choice, enter, go_on, key_table, refuse
from mantra.exchanges.json_scanner import scan_integer, value_end
from mantra.exchanges.times import rfc3339_time
from mantra.icc.memory import records_at
from mantra.messages.enums import SNAPSHOT
from mantra.messages.records import TRADE_UPDATE

ENVELOPE = key_table("channel", "client_id", "timestamp", "sequence_num", "events")
CHANNEL, CLIENT_ID, TIMESTAMP, SEQUENCE_NUM, EVENTS = range(5)
NEEDED = (1 << len(ENVELOPE)) - 1 & ~(1 << CLIENT_ID)
CHANNELS = key_table("l2_data", "market_trades", "heartbeats", "subscriptions", "status")
CONTROLS = 2 * (decoded.CONTROL,)
L2_DATA, MARKET_TRADES, HEARTBEATS = range(3)  # these must have the whole envelope
# Of each channel; the last, place -1, of any other: tickers, candles, the user's own orders.
KINDS = np.array([decoded.DEPTH, decoded.TRADE, decoded.HEARTBEAT, *CONTROLS, decoded.UNKNOWN])
LEVELS_EVENT, TRADES_EVENT = key_table("type", "product_id", "updates"), key_table("trades")
EVENT_TYPE, PRODUCT, UPDATES = range(3)
EVENT_TYPES = key_table("update", "snapshot")
TRADE = key_table(*wire.TRADE_KEYS, "")  # never stops: no trade has a key ""

WORD = np.dtype("i8")
TRADE_WORDS = TRADE_UPDATE.itemsize // WORD.itemsize


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `records` is the address of `capacity` L2_UPDATE records; trades are written there as
    TRADE_UPDATE. `unnamed` is not looked at: every event names its product.
    """
    fields.begin(text, records, capacity, result_address)
    result = records_at(result_address, 1, decoded.DECODED)[0]
    values, end, channel = result["scratch"][:8], text + length, np.int64(-1)
    seen, at, more = gather(text, np.int64(0), end, ENVELOPE, values, result_address)
    done = at
    if at > 0:
        result["kind"] = decoded.CONTROL  # without a channel: an error
        if seen >> CHANNEL & 1:
            channel, done = choice(values[CHANNEL], end, CHANNELS)
            result["kind"] = KINDS[channel]
        if done > 0 and seen >> TIMESTAMP & 1:
            result["ts_exchange"], done = rfc3339_time(values[TIMESTAMP], end)
        if done > 0 and seen >> SEQUENCE_NUM & 1:
            result["connection_id"], done = scan_integer(values[SEQUENCE_NUM], end)
        if done > 0 and 0 <= channel <= HEARTBEATS and seen & NEEDED != NEEDED:
            done = refuse(decoded.MISSING_FIELD, at - 1, result_address)
        elif done > 0 and 0 <= channel <= MARKET_TRADES:
            done = _events(values[EVENTS], end, channel, index_address, result_address)
        elif done > 0 and more:
            done = value_end(at, end)
    at = wire.resume(done, at, more, seen, end, ENVELOPE, values, result_address)
    return fields.finish(at, end, result_address)


@compiled
def _events(at, end, channel, index_address, result_address):
    """Write what the events at `at` say: the address after them."""
    result = records_at(result_address, 1, decoded.DECODED)[0]
    values, keys = result["scratch"][8:16], LEVELS_EVENT if channel == L2_DATA else TRADES_EVENT
    at, more = enter(at, end, ARRAY)
    while more:
        first, kind = result["count"], np.int64(-1)
        seen, at, inside = gather(at, np.int64(0), end, keys, values, result_address)
        done = at
        if at > 0 and seen != (1 << len(keys)) - 1:
            done = refuse(decoded.MISSING_FIELD, at - 1, result_address)
        elif at > 0 and channel == MARKET_TRADES:
            done = _trades(values[0], end, index_address, result_address)
        elif at > 0:
            kind, _ = choice(values[EVENT_TYPE], end, EVENT_TYPES)
            slot, done = np.int64(0), -values[EVENT_TYPE]
            if kind >= 0:
                slot, done = fields.find_slot(values[PRODUCT], end, index_address, result_address)
            if done > 0:
                done = wire.put_sided_levels(values[UPDATES], end, slot, OBJECT, result_address)
            if kind > 0:
                result["kind"] = decoded.SNAPSHOT
            time, number = result["ts_exchange"], result["connection_id"]
            fields.close_group(first, kind * SNAPSHOT, time, number, result_address)
        at = wire.resume(done, at, inside, seen, end, keys, values, result_address)
        at, more = go_on(at, end, ARRAY)
    return at


@compiled
def _trades(at, end, index_address, result_address):
    """Write the trades of the array at `at`, oldest first: the address after it."""
    result = records_at(result_address, 1, decoded.DECODED)[0]
    values, first = result["scratch"][16:24], result["count"]
    at, more = enter(at, end, ARRAY)
    while more:
        seen, at, _ = gather(at, np.int64(0), end, TRADE, values, result_address)
        at = wire.read_trade(seen, values, at, end, index_address, result_address)
        at, more = go_on(at, end, ARRAY)
    count = result["count"]
    if at <= 0 or count == first:
        return at
    trades = records_at(result["records"], count, TRADE_UPDATE)
    one, other = trades[first], trades[count - 1]
    # A sweep's trades have all one time; trades of several products, no common count of ids.
    if (one["ts_exchange"], one["trade_id"]) > (other["ts_exchange"], other["trade_id"]):
        words = records_at(result["records"], count * TRADE_WORDS, WORD)
        for i in range((count - first) // 2 * TRADE_WORDS):
            low = first * TRADE_WORDS + i
            high = (count - 1 - i // TRADE_WORDS) * TRADE_WORDS + i % TRADE_WORDS
            words[low], words[high] = words[high], words[low]
    result["last_id"] = trades[count - 1]["trade_id"]
    return at
