"""Bitstamp's decoder with some instruments around it, and one frame of each kind."""

from mantra.exchanges.bitstamp import public
from tests.exchanges.binance.decoding import Venue as Messages
from tests.exchanges.bitstamp import naive
from tests.exchanges.decoding import assert_same_as_naive

__all__ = ["assert_same_as_naive"]

DIFF = (
    b'{"data":{"timestamp":"1618677692","microtimestamp":"1618677692795262",'
    b'"bids":[["60485.65","0.00000000"],["60485.60","1.5"]],"asks":[["60564.51","0.47645381"]]},'
    b'"channel":"diff_order_book_btcusd","event":"data"}'
)
TRADE = (  # as in 2022: the channel behind
    b'{"data":{"id":216000477,"timestamp":"1641343699","amount":0.0792,"amount_str":"0.07920000",'
    b'"price":3805.44,"price_str":"3805.44","type":0,"microtimestamp":"1641343699596000",'
    b'"buy_order_id":1443875737346049,"sell_order_id":1443875731320832},'
    b'"channel":"live_trades_btcusd","event":"trade"}'
)
OLD_TRADE = (  # as in 2021: the channel in front, spaces
    b'{"channel": "live_trades_btcusd", "data": {"amount": 1e-08, "amount_str": "1E-8", '
    b'"buy_order_id": 1341285759094784, "id": 158457579, "microtimestamp": "1616297318187000", '
    b'"price": 57748.8, "price_str": "57748.80", "sell_order_id": 1341285698236416, '
    b'"timestamp": "1616297318", "type": 1}, "event": "trade"}'
)
PARTIAL = DIFF.replace(b"diff_order_book", b"order_book")
DETAIL = (
    b'{"data":{"timestamp":"1653978373","microtimestamp":"1653978373164007",'
    b'"bids":[["31524.50","0.36400000","1496011283275781"]],"asks":[]},'
    b'"channel":"detail_order_book_btcusd","event":"data"}'
)
ANSWER = (
    b'{"timestamp": "1654243213", "microtimestamp": "1654243213142992", '
    b'"bids": [["30415.13", "0.37816633"], ["30415.11", "2.4"]], "asks": [["30434.64", "0.265"]]}'
)
ORDER = (
    b'{"data":{"id":1496011283275781,"id_str":"1496011283275781","order_type":0,'
    b'"datetime":"1654072104","microtimestamp":"1654072104363000","amount":7.9201,'
    b'"amount_str":"7.92010000","price":31483.1,"price_str":"31483.10"},'
    b'"channel":"live_orders_btcusd","event":"order_created"}'
)
SUBSCRIBED = b'{"event":"bts:subscription_succeeded","channel":"diff_order_book_btcusd","data":{}}'
BEAT = b'{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}'
RECONNECT = b'{"event":"bts:request_reconnect","channel":"","data":""}'
FRAMES = [DIFF, TRADE, OLD_TRADE, PARTIAL, DETAIL, ANSWER, ORDER, SUBSCRIBED, BEAT, RECONNECT]
FRAME_IDS = (
    "diff trade old_trade partial detail answer order subscribed beat reconnect".split()  # noqa: SIM905
)


class Venue(Messages):
    """Instruments with Bitstamp's decoder around them."""

    def __init__(self, exponents: dict[str, tuple[int, int]], unnamed: str = ""):
        super().__init__(exponents, unnamed)
        self.read, self.twin = public.decode, naive.decode

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        if self.result[0]["kind"] in naive.QUIET:
            assert self.result[0]["count"] == 0
            return {"kind": int(self.result[0]["kind"])}
        return super().said()
