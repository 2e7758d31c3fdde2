"""Coinbase Exchange (once Pro) market data: bytes -> records, for recordings and its live feed.

In:        one frame of the WebSocket; the venue's SymbolIndex; room for records.
Out:       L2_UPDATE or TRADE_UPDATE records, and a DECODED record that says what it was.
Must not know: books, clocks. `ts_origin` and `published` are left alone.

    {"type":"snapshot","product_id":"BTC-USD","asks":[["price","size"],…],"bids":[…]}
    {"type":"l2update","product_id":"BTC-USD","changes":[["buy","price","size"],…],"time":"…Z"}
    {"type":"match","trade_id":1,…,"side":"sell","size":"985","price":"0.1",…,"sequence":9,…}

Wire form: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels. Levels have no number:
nothing tells a loss but a new connection. Trades and heartbeats have two, of their product:
`sequence`, of all its events, which rises, is first_id; the trade's id, which has no holes, is
last_id. `last_match` is the trade before the subscription: seen already, after a reconnect.

Keys may come in any order: a message is read once to its end, then its values where they stand.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import decoded, fields
from mantra.exchanges.coinbase import wire
from mantra.exchanges.fields import ARRAY, key_table, put_levels, refuse
from mantra.exchanges.times import rfc3339_time
from mantra.icc.memory import records_at
from mantra.messages.enums import ASK, BID, SNAPSHOT

KEYS = key_table(*wire.TRADE_KEYS, "type", "changes", "bids", "asks", "sequence", "")
TYPE, CHANGES, BIDS, ASKS, SEQUENCE = range(6, 11)
# What types there are, the bits of the keys each must have, what it is. The last of those, at place
# -1, are for any other: tickers, single orders.
CONTROLS = ("subscriptions", "error", "status")
TYPES = key_table("l2update", "snapshot", "match", "last_match", "heartbeat", *CONTROLS)
PRODUCT, TRADE = 1 << wire.PRODUCT_ID, int(wire.ALL_OF_TRADE) | 1 << SEQUENCE
UPDATE, BOOK = PRODUCT | 1 << CHANGES | 1 << wire.TIME, PRODUCT | 1 << BIDS | 1 << ASKS
NEEDED = np.array([UPDATE, BOOK, TRADE, TRADE, 0, 0, 0, 0, 0])
FEED = (decoded.DEPTH, decoded.SNAPSHOT, decoded.TRADE, decoded.TRADE, decoded.HEARTBEAT)
KINDS = np.array([*FEED, *3 * (decoded.CONTROL,), decoded.UNKNOWN])


@compiled
def decode(text, length, index_address, unnamed, records, capacity, result_address):
    """Decode the `length` bytes at `text`; the status, also in the DECODED record at the result.

    `records` is the address of `capacity` L2_UPDATE records; trades are written there as
    TRADE_UPDATE. `unnamed` is not looked at: every message names its product.
    """
    fields.begin(text, records, capacity, result_address)
    result = records_at(result_address, 1, decoded.DECODED)[0]
    values, end, place = result["scratch"][:16], text + length, np.int64(-1)
    seen, at, _ = wire.gather(text, np.int64(0), end, KEYS, values, result_address)
    done, slot = at, np.int64(0)
    if at > 0 and values[TYPE] != 0:
        place, done = fields.choice(values[TYPE], end, TYPES)
    kind, needed = KINDS[place], NEEDED[place]
    result["kind"] = kind
    if done > 0 and seen & needed != needed:
        done = refuse(decoded.MISSING_FIELD, at - 1, result_address)
    if done > 0 and needed:
        slot, done = fields.find_slot(values[wire.PRODUCT_ID], end, index_address, result_address)
    if done > 0 and needed and values[wire.TIME] != 0:  # snapshots had none in 2021
        result["ts_exchange"], done = rfc3339_time(values[wire.TIME], end)
    flags = np.int64(SNAPSHOT if kind == decoded.SNAPSHOT else 0)
    if done > 0 and kind == decoded.DEPTH:
        done = wire.put_sided_levels(values[CHANGES], end, slot, ARRAY, result_address)
    elif done > 0 and kind == decoded.SNAPSHOT:
        done = put_levels(values[BIDS], end, slot, np.int64(BID), result_address)
        result["bids"] = result["count"]
        if done > 0:
            done = put_levels(values[ASKS], end, slot, np.int64(ASK), result_address)
    fields.close_group(np.int64(0), flags, result["ts_exchange"], np.int64(0), result_address)
    if done > 0 and kind == decoded.TRADE:
        result["first_id"], done = fields.integer(values[SEQUENCE], end)
        if done > 0:
            done = wire.read_trade(seen, values, at, end, index_address, result_address)
    return fields.finish(at if done > 0 else done, end, result_address)
