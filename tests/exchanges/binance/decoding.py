"""A venue with some instruments around the decoder, and one frame of each kind."""

from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.binance import public
from mantra.messages.enums import FIRST, LAST, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import decoding
from tests.exchanges.binance import naive
from tests.exchanges.decoding import assert_same_as_naive

__all__ = ["assert_same_as_naive"]

EXAMPLES = 400 if JIT else 60

DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT",'
    b'"U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],'
    b'["56854.58000000","1.5"]],"a":[["61837.64000000","1.54698000"]]}}'
)
USDM = (
    b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,'
    b'"T":1723161256298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"pu":5123107831937,'
    b'"b":[["58710.20","0.014"]],"a":[]}}'
)
TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
    b'"t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
)
AGGREGATE = (
    b'{"e":"aggTrade","E":1616176861895,"s":"BTCUSDT","a":640283266,"p":"58942.01","q":"0.000356",'
    b'"f":716849523,"l":716849523,"T":1616176861893,"m":false,"M":true}'
)
BOOK = b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.0"]],"asks":[["4.02","12"],["5","1"]]}'
TICKER = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000",'
    b'"B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}'
)
TRADES = (
    b'[{"id":28457,"price":"4.01","qty":"12.00","quoteQty":"48.000012","time":1499865549590,'
    b'"isBuyerMaker":true},{"id":28458,"price":"4.00","qty":"1","time":1499865549591,'
    b'"isBuyerMaker":false,"isBestMatch":true}]'
)
FRAMES = [DEPTH, USDM, TRADE, AGGREGATE, BOOK, TICKER, TRADES]
FRAME_IDS = ["depth", "usdm", "trade", "aggregate", "book", "ticker", "trades"]


class Venue(decoding.Venue):
    """Instruments with the decoder around them."""

    def __init__(self, exponents: dict[str, tuple[int, int]], unnamed: str = ""):
        super().__init__("binance", public.decode, naive.decode, exponents, unnamed)

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        result = self.result[0]
        kind, count = int(result["kind"]), int(result["count"])
        if kind in (decoded.UNKNOWN, decoded.BOOK_TICKER):
            assert count == 0
            return {"kind": kind}
        said = {"kind": kind, "instrument": int(result["instrument"])}
        if kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
            rows = self.records[:count].view(TRADE_UPDATE)
            assert set(rows["instrument"]) == {said["instrument"]}
            names = "price", "volume", "trade_id", "side", "ts_exchange"
            return said | {"trades": [tuple(int(row[name]) for name in names) for row in rows]}
        rows = self.records[:count]
        assert int(result["bids"]) == int((rows["side"] == 0).sum())
        flags = [SNAPSHOT if kind != decoded.DEPTH else 0] * count
        if count:
            flags[0] |= FIRST
            flags[-1] |= LAST
        assert rows["flags"].tolist() == flags
        for name, value in (
            ("instrument", said["instrument"]),
            ("sequence", result["last_id"]),
            ("ts_exchange", result["ts_exchange"]),
        ):
            assert (rows[name] == value).all(), name
        columns = (rows[name].tolist() for name in ("side", "price", "volume"))
        ids = ("first_id", "last_id", "previous_id", "ts_exchange")
        return (
            said
            | {name: int(result[name]) for name in ids}
            | {"levels": list(zip(*columns, strict=True))}
        )
