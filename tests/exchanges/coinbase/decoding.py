"""A venue with some instruments around a decoder, and frames of each kind, of both forms."""

import random

from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.coinbase import exchange, public
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import decoding
from tests.exchanges.coinbase import naive
from tests.exchanges.decoding import assert_same_as_naive

__all__ = ["assert_same_as_naive"]

EXAMPLES = 1_500 if JIT else 60
CAPACITY = 50_000 if JIT else 3_000
BOTH = {"BTC-USD": (2, 8), "ETH-USD": (2, 8)}


def advanced(channel: str, events: bytes, number: int = 1) -> bytes:
    """A frame in the venue's order of keys."""
    head = b'{"channel":"%s","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z",'
    return head % channel.encode() + b'"sequence_num":%d,"events":[%s]}' % (number, events)


def level(side: str, price: str, volume: str) -> bytes:
    time = "2026-04-07T14:30:01.456000Z"
    text = f'{{"side":"{side}","event_time":"{time}","price_level":"{price}",'
    return (text + f'"new_quantity":"{volume}"}}').encode()


def trade(number: int, product: str, side: str, time: str) -> bytes:
    text = f'{{"trade_id":"{number}","product_id":"{product}","price":"68900.50",'
    return (text + f'"size":"0.0015","side":"{side}","time":"2026-04-07T14:30:{time}Z"}}').encode()


def event(kind: str, product: str, *levels: bytes) -> bytes:
    head = f'{{"type":"{kind}","product_id":"{product}","updates":['.encode()
    return head + b",".join(levels) + b"]}"


BID_LEVEL, ASK_LEVEL = level("bid", "68900.00", "2.00000001"), level("offer", "68901", "0")
UPDATE = advanced("l2_data", event("update", "BTC-USD", BID_LEVEL, ASK_LEVEL), 7)
TWO_EVENTS = advanced(
    "l2_data",
    event("snapshot", "BTC-USD", BID_LEVEL, BID_LEVEL.replace(b"68900", b"68899"), ASK_LEVEL)
    + b","
    + event("update", "ETH-USD", ASK_LEVEL),
)
TRADES = advanced(
    "market_trades",
    b'{"type":"snapshot","trades":['
    + trade(12, "BTC-USD", "BUY", "03.5")
    + b","
    + trade(11, "BTC-USD", "SELL", "03.5")
    + b","
    + trade(10, "BTC-USD", "SELL", "03.1")
    + b"]}",
    0,
)
HEARTBEATS = advanced("heartbeats", b'{"current_time":"2026-04-07 14:30","heartbeat_counter":42}')
SUBSCRIPTIONS = advanced("subscriptions", b'{"subscriptions":{"level2":["BTC-USD"]}}', 0)
TICKER = advanced("ticker", b'{"type":"update","tickers":[{"type":"ticker","price":"1"}]}')
ERROR = b'{"type":"error","message":"authentication failure"}'
ADVANCED = [UPDATE, TWO_EVENTS, TRADES, HEARTBEATS, SUBSCRIPTIONS, TICKER, ERROR]
ADVANCED_IDS = ["update", "two", "trades", "heartbeats", "subscriptions", "ticker", "error"]

SNAPSHOT = (
    b'{"type":"snapshot","product_id":"BTC-USD","asks":[["37212.77","0.05724592"],'
    b'["37215.39","0.00900000",3]],"bids":[["37209.96","0.04016376"]]}'
)
L2UPDATE = (
    b'{"type":"l2update","product_id":"BTC-USD","changes":[["buy","37378.26","0.02460000"],'
    b'["sell","37400","0"]],"time":"2021-06-02T09:02:09.048568Z"}'
)
MATCH = (
    b'{"type":"match","trade_id":147587438,"maker_order_id":"3dbaddb1","taker_order_id":"421f3aaa",'
    b'"side":"sell","size":"0.00031874","price":"57786.82","product_id":"BTC-USD",'
    b'"sequence":22962703070,"time":"2021-03-21T03:47:27.112041Z"}'
)
LAST_MATCH = MATCH.replace(b'"match"', b'"last_match"').replace(b'"sell"', b'"buy"')
HEARTBEAT = (
    b'{"type":"heartbeat","last_trade_id":0,"product_id":"BTC-USD","sequence":90,'
    b'"time":"2021-03-21T03:47:27.112041Z"}'
)
SUBSCRIBED = b'{"type":"subscriptions","channels":[{"name":"level2","product_ids":["BTC-USD"]}]}'
PRO_TICKER = (
    b'{"type":"ticker","sequence":1,"product_id":"XYZ-USD","price":"29940.91","side":"buy"}'
)
EXCHANGE = [SNAPSHOT, L2UPDATE, MATCH, LAST_MATCH, HEARTBEAT, SUBSCRIBED, PRO_TICKER, ERROR]
EXCHANGE_IDS = ["snapshot", "l2update", "match", "last", "heartbeat", "subs", "ticker", "error"]


class Venue(decoding.Venue):
    """Instruments with one form's decoder around them."""

    def __init__(self, form: str, exponents: dict[str, tuple[int, int]]):
        read = {"advanced": public.decode, "exchange": exchange.decode}[form]
        twin = {"advanced": naive.advanced, "exchange": naive.exchange}[form]
        super().__init__("coinbase", read, twin, exponents, capacity=CAPACITY)

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        result = self.result[0]
        names = ("kind", "ts_exchange", "connection_id", "first_id", "last_id", "instrument")
        said = {name: int(result[name]) for name in names}
        rows, number = self.records[: result["count"]], "sequence"
        if said["kind"] == decoded.TRADE:
            rows, number = rows.view(TRADE_UPDATE), "trade_id"
        columns = ("instrument", "side", "price", "volume", number, "ts_exchange", "flags")
        return said | {"rows": [tuple(int(row[name]) for name in columns) for row in rows]}


def shuffled(value, order: random.Random):
    """The same with all members of all objects in another order, and unknown ones among them."""
    if isinstance(value, list):
        return [shuffled(item, order) for item in value]
    if not isinstance(value, dict):
        return value
    members = [(key, shuffled(item, order)) for key, item in value.items()]
    members += [("zz", {"b": [1, "}"]}), ("new", 'a"\\\u0062'), ("x", None)]
    return dict(order.sample(members, len(members)))
