"""A venue with some instruments around the decoders, one frame of each kind, a book's handler."""

import numpy as np

from mantra.books.book import apply_update, level_price, levels, new_book, volume_at
from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.kraken import legacy, public
from mantra.exchanges.kraken.checksum import checksum, truncate
from mantra.icc.memory import address_of
from mantra.messages.enums import FIRST, LAST, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import decoding
from tests.exchanges.decoding import assert_same_as_naive
from tests.exchanges.guarded import TEXT
from tests.exchanges.kraken import naive

EXAMPLES = 1_500 if JIT else 60
CAPACITY = 3_000

BOOK_SNAPSHOT = (
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,'
    b'"qty":0.10000000},{"price":45283.4,"qty":1.54582015}],"asks":[{"price":45285.2,'
    b'"qty":0.00100000}],"checksum":3310070434,"timestamp":"2023-10-06T17:35:55.440295Z"}]}'
)
BOOK_UPDATE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"ETH/USD","bids":[{"price":1640.25,'
    b'"qty":0.00000000},{"price":1640.25,"qty":2.5}],"asks":[],"checksum":0,'
    b'"timestamp":"2023-10-06T17:35:55.440295123Z"}]}'
)
SPACED = (
    b'{ "channel": "book", "type": "update", "data": [ { "symbol": "BTC/USD", "bids": [],'
    b' "asks": [ {"qty": 1e-8, "price": 105944, "new": [1]} ], "checksum": 2114181697 } ] }'
)
TRADES = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.2,'
    b'"qty":0.00027625,"ord_type":"limit","trade_id":10218208,'
    b'"timestamp":"2023-10-06T17:35:55.440295Z"},{"symbol":"BTC/USD","side":"sell",'
    b'"price":105910.5,"qty":0.00012460,"ord_type":"market","trade_id":10218209,'
    b'"timestamp":"2023-10-06T17:35:56.123456Z"}]}'
)
HEARTBEAT = b'{"channel":"heartbeat"}'
ANSWER = b'{"method":"subscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true}'
FRAMES = [BOOK_SNAPSHOT, BOOK_UPDATE, SPACED, TRADES, HEARTBEAT, ANSWER]
FRAME_IDS = ["snapshot", "update", "spaced", "trades", "heartbeat", "answer"]

LEGACY_SNAPSHOT = (
    b'[1360,{"as":[["5541.3","2.50700000","1534614248.123678"]],"bs":[["5541.2","1.52900000",'
    b'"1534614248.765567"],["5539.9","0.30000000","1534614241.769870"]]},"book-10","BTC/USD"]'
)
LEGACY_UPDATE = (
    b'[1360,{"a":[["5541.3","0.00000000","1534614335.345903","r"]]},{"b":[["5541.2","0.4",'
    b'"1534614335.345900"]],"c":"974942666"},"book-10","BTC/USD"]'
)
LEGACY_TRADES = (
    b'[337,[["5541.2","0.15850568","1534614057.321597","s","l",""],["6060.0","0.02455",'
    b'"1534614057.324998","b","l",""]],"trade","BTC/USD"]'
)
LEGACY_FRAMES = [LEGACY_SNAPSHOT, LEGACY_UPDATE, LEGACY_TRADES, b'{"event":"heartbeat"}']
LEGACY_IDS = ["snapshot", "update", "trades", "heartbeat"]

PAIRS = {"BTC/USD": (1, 8), "ETH/USD": (2, 8)}


class Venue(decoding.Venue):
    """Instruments with a decoder around them."""

    def __init__(self, exponents: dict[str, tuple[int, int]], *, v1: bool = False):
        read, twin = (legacy, naive.decode_legacy) if v1 else (public, naive.decode)
        super().__init__("kraken", read.decode, twin, exponents, capacity=CAPACITY)

    def expected(self, raw: bytes, unnamed: str = "") -> dict:
        """Of a group without levels no record says anything."""
        said = super().expected(raw, unnamed)
        if "groups" in said:
            said["groups"] = [group for group in said["groups"] if any(group["levels"].values())]
        return said

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        result = self.result[0]
        kind, count = int(result["kind"]), int(result["count"])
        if kind in (decoded.UNKNOWN, decoded.HEARTBEAT, decoded.CONTROL):
            assert count == 0
            return {"kind": kind}
        said = {name: int(result[name]) for name in ("kind", "instrument", "ts_exchange")}
        if kind == decoded.TRADE:
            rows = self.records[:count].view(TRADE_UPDATE)
            assert (rows["flags"] == FIRST | LAST).all()
            names = "instrument", "price", "volume", "trade_id", "side", "ts_exchange"
            return said | {"trades": [tuple(int(row[name]) for name in names) for row in rows]}
        groups: list[dict] = []
        for row in self.records[:count]:
            snapshot = bool(row["flags"] & SNAPSHOT)
            assert snapshot == (kind == decoded.SNAPSHOT)
            assert row["sequence"] == 0
            if row["flags"] & FIRST:
                groups.append({"instrument": int(row["instrument"]), "levels": {0: [], 1: []}})
                groups[-1] |= {"snapshot": snapshot, "ts_exchange": int(row["ts_exchange"])}
            level = int(row["price"]), int(row["volume"])
            groups[-1]["levels"][int(row["side"])].append(level)
            assert row["instrument"] == groups[-1]["instrument"]
            assert row["ts_exchange"] == groups[-1]["ts_exchange"]
        ends = (self.records["flags"][:count] & (FIRST | LAST)).tolist()
        edges = "".join(" FLB"[end] for end in ends).replace(" ", "").replace("B", "FL")
        assert edges == "FL" * len(groups)
        return said | {"checksum": int(result["checksum"]), "groups": groups}


class Handler:
    """What the market data handler does with a venue's messages: books, cut and checked."""

    def __init__(self, venue: Venue, depth: int):
        self.venue, self.depth = venue, depth
        self.books = {facts[0]: new_book() for facts in venue.symbols.values()}
        self.naive = {facts[0]: naive.Book(depth) for facts in venue.symbols.values()}
        self.cut = 0  # levels

    def take(self, raw: bytes) -> tuple[int, int]:
        """(the book's checksum, the message's) after a book message; both books are equal."""
        said = assert_same_as_naive(self.venue, raw)
        result, number = self.venue.result[0], said["instrument"]
        count, book = int(result["count"]), self.books[number].address
        apply(book, self.venue.records[:count])
        assert truncate(book, np.int64(self.depth), address_of(self.venue.result)) == decoded.OK
        self.cut += int(result["count"]) - count
        for group in said["groups"]:
            self.naive[number].apply(group["levels"], group["snapshot"])
        return int(checksum(book, TEXT.begin)), said["checksum"]

    def assert_equal(self, number: int) -> None:
        for side in (0, 1):
            assert levels_of(self.books[number].address, side) == self.naive[number].best(side)


def apply(book: int, rows: np.ndarray) -> None:
    for i in range(len(rows)):
        apply_update(book, address_of(rows[i : i + 1]))


def levels_of(book: int, side: int) -> list[tuple[int, int]]:
    side = np.int64(side)
    prices = [level_price(book, side, np.int64(n)) for n in range(levels(book, side))]
    return [(int(price), int(volume_at(book, side, price))) for price in prices]
