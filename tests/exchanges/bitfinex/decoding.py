"""A connection with some channels around the decoder, and one frame of each kind."""

import json

from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.bitfinex import channels, public
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import FIRST, LAST, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges import decoding
from tests.exchanges.bitfinex import naive

EXAMPLES = 400 if JIT else 60
CAPACITY = 1_000

# Numbers of channels.
FRESH, BOOK, TRADES, TICKER, RAW = 17082, 225206, 343351, 11534, 23405

BULK = (
    b"[17082,[[7254.7,3,3.3],[7e-7,1,0.5],[1.2E-7,2,1e2],[7255,12,-0.00012],[7256.1,1,-4e1]],"
    b"19,1747143592992]"
)
EMPTY = b"[17082,[],20,1747143592992]"
UPDATE = b"[225206,[215350,1,-0.068826],18,1747143592993]"
DELETE = b"[225206,[0.02153,0,-1],21]"
TE = b'[343351,"te",[401597395,1574694478808,0.005,7245.3],22,1747143592994]'
TU = TE.replace(b"te", b"tu")
PAST = b"[343351,[[647229117,1616217509543,0.0033,58239],[647229114,1616217326462,-1,8.6]],23]"
HB = b'[225206,"hb",24,1747143592995]'
HB_ELSEWHERE = b'[232954,"hb",139]'
CS = b'[225206,"cs",-1175357890,25,1747143592996]'
TICK = b"[11534,[61.304,2228.36155358,61.305,1323.24,0.395,0.0065,61.37,50.3,62.5,57.4],26]"
ORDERS = b"[23405,[[38334303613,9348.8,0.53],[38334308111,9348.8,5.98979404]],27]"
SUBSCRIBED = b'{"event":"subscribed","channel":"book","chanId":8,"symbol":"tBTCUSD","prec":"P0"}'
INFO = b'{"event":"info","version":2,"serverId":"dbea77ee","platform":{"status":1}}'

NAMED = {
    **{"bulk": BULK, "empty": EMPTY, "update": UPDATE, "delete": DELETE, "te": TE, "tu": TU},
    **{"past": PAST, "hb": HB, "hb elsewhere": HB_ELSEWHERE, "cs": CS, "ticker": TICK},
    **{"raw": ORDERS, "subscribed": SUBSCRIBED, "info": INFO},
}
FRAMES, FRAME_IDS = list(NAMED.values()), list(NAMED)


class Connection(decoding.Venue):
    """Channels with a decoder around them, and the same channels for the naive twin."""

    def __init__(self, exponents: dict[str, tuple[int, int]]):
        super().__init__("bitfinex", public.decode, naive.decode, exponents, capacity=CAPACITY)
        self.channels = aligned_zeros(channels.SLOTS, channels.CHANNEL)
        self.index_address = address_of(self.channels)
        self.naive: dict[int, dict] = {}

    def open(self, number: int, channel: str, symbol: str, prec: str = "P0") -> None:
        answer = {"event": "subscribed", "channel": channel, "chanId": number, "symbol": symbol}
        self.take(answer | ({"prec": prec} if channel == "book" else {}))

    def take(self, answer: dict) -> None:
        """Take a `subscribed` answer."""
        channels.open_channel(self.channels, self.index, answer)
        raw = answer.get("prec", "P0") == "R0"
        kind = answer["channel"] if answer["channel"] in ("book", "trades") and not raw else "other"
        known = self.symbols.get(answer.get("symbol", ""), ())
        facts = dict(zip(("instrument", "price_exponent", "volume_exponent"), known, strict=False))
        self.naive[int(answer["chanId"])] = {"kind": kind, "has_snapshot": False} | facts

    def reset(self) -> None:
        """Only the channel BOOK has its snapshot."""
        self.channels["has_snapshot"] = self.channels["number"] == BOOK
        for number, channel in self.naive.items():
            channel["has_snapshot"] = number == BOOK

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        result = self.result[0]
        kind, count = int(result["kind"]), int(result["count"])
        said = {"kind": kind}
        framed = {name: int(result[name]) for name in ("connection_id", "ts_exchange")}
        if kind != decoded.CONTROL and framed != {"connection_id": decoded.NO_ID, "ts_exchange": 0}:
            said |= framed
        if kind in (decoded.UNKNOWN, decoded.HEARTBEAT, decoded.CONTROL):
            assert count == 0
            return said
        said["instrument"] = int(result["instrument"])
        if kind == decoded.CHECKSUM:
            assert count == 0
            return said | {"checksum": int(result["checksum"])}
        if kind == decoded.TRADE:
            rows = self.records[:count].view(TRADE_UPDATE)
            assert (rows["instrument"] == said["instrument"]).all()
            assert count == 0 or result["last_id"] == rows["trade_id"][-1]
            assert (rows["flags"] & ~SNAPSHOT == FIRST | LAST).all()
            names = "price", "volume", "trade_id", "side", "ts_exchange"
            trades = [tuple(int(row[name]) for name in names) for row in rows]
            past = count == 0 or bool(rows["flags"][0] & SNAPSHOT)
            assert (rows["flags"] == rows["flags"][:1]).all()
            return said | {"trades": trades, "past": past}
        rows = self.records[:count]
        flags = [SNAPSHOT if kind == decoded.SNAPSHOT else 0] * count
        if count:
            flags[0] |= FIRST
            flags[-1] |= LAST
        assert rows["flags"].tolist() == flags
        for name, value in (
            ("instrument", said["instrument"]),
            ("sequence", max(0, int(result["connection_id"]))),
            ("ts_exchange", result["ts_exchange"]),
        ):
            assert (rows[name] == value).all(), name
        columns = (rows[name].tolist() for name in ("side", "price", "volume"))
        return said | {"levels": list(zip(*columns, strict=True))}

    def expected(self, raw: bytes, unnamed: str = "") -> dict:
        """A frame without counters says none."""
        said = naive.decode(raw, self.naive)
        if said.get("connection_id") == decoded.NO_ID and said["ts_exchange"] == 0:
            del said["connection_id"], said["ts_exchange"]
        return said

    def note(self, raw: bytes, said: dict) -> None:
        """Let the naive twin know of a snapshot."""
        if said["kind"] == decoded.SNAPSHOT:
            self.naive[int(json.loads(raw)[0])]["has_snapshot"] = True

    def assert_refused(self, raw: bytes) -> None:
        super().assert_refused(raw)
        assert (self.channels["has_snapshot"] == (self.channels["number"] == BOOK)).all()


def a_connection() -> Connection:
    connection = Connection({"tBTCUSD": (8, 8), "tDOGUSD": (5, 6)})
    connection.open(FRESH, "book", "tBTCUSD")
    connection.open(BOOK, "book", "tDOGUSD")
    connection.open(TRADES, "trades", "tBTCUSD")
    connection.open(TICKER, "ticker", "tBTCUSD")
    connection.open(RAW, "book", "tBTCUSD", "R0")
    connection.reset()
    return connection


def assert_same_as_naive(connection: Connection, raw: bytes) -> dict:
    expected = decoding.assert_same_as_naive(connection, raw)
    connection.note(raw, expected)
    return expected
