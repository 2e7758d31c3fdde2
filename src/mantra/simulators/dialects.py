"""The venues' public protocols, spoken from the truth: what a client is answered and told.

In:        texts of a client, changes of the market.
Out:       texts for it, in order; bodies for REST.
Must not know: sockets, faults.

Protocol rules and their sources are in the codecs (exchanges/<venue>/); here is the other side of
them, made with json and zlib from decimal text, so that it can convict them.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from mantra.simulators.market import ASK, BID, Change, Market, Symbol

SIDES = (BID, ASK)
CHECKED = {"kraken": 10, "bitfinex": 25}  # levels a side in a checksum

Views = tuple[dict[int, int], dict[int, int]]


@dataclass
class Client:
    """What the venue knows of one connection."""

    wanted: set[tuple[str, str]] = field(default_factory=set)  # channel, symbol
    sequence: int = 0
    depth: int = 0
    views: dict[str, Views] = field(default_factory=dict)  # what it has been shown, by symbol
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)  # Bitfinex' channels


class Dialect:
    """A venue: how its name stands in `VENUES`."""

    def __init__(self, market: Market):
        self.market = market

    def greet(self, client: Client) -> Iterator[str]:
        """What a connection begins with."""
        yield from ()

    def answer(self, client: Client, text: str) -> Iterator[str]:
        """What a client's text is answered with."""
        raise NotImplementedError

    def tell(self, client: Client, change: Change) -> Iterator[str]:
        """What a client is told of a change."""
        raise NotImplementedError

    def rest(self, path: str) -> bytes | None:
        """The body of the answer to a GET; None: there is no such thing."""
        return None

    def beat(self, client: Client) -> Iterator[str]:
        """What is sent every second, whatever happens."""
        yield from ()

    def sides(self, symbol: Symbol, levels: list[tuple[int, int, int]]) -> list[list]:
        """[bids, asks] as [price, volume] texts."""
        return [
            [list(symbol.texts((price, volume))) for of, price, volume in levels if of == side]
            for side in SIDES
        ]

    def whole(self, symbol: Symbol, depth: int = 0) -> list[tuple[int, int, int]]:
        return [(side, *level) for side in SIDES for level in symbol.levels(side, depth)]

    def show(self, client: Client, symbol: Symbol) -> list[tuple[int, int, int]]:
        """What has changed in the best `depth` levels since this client was shown them."""
        old = client.views.get(symbol.name, ({}, {}))
        new = tuple(dict(symbol.levels(side, client.depth)) for side in SIDES)
        client.views[symbol.name] = new  # type: ignore[assignment]
        changed = []
        for side in SIDES:
            gone = [price for price in old[side] if price not in new[side]]
            changed += [(side, price, 0) for price in gone if price not in symbol.sides[side]]
            changed += [
                (side, price, volume)
                for price, volume in new[side].items()
                if old[side].get(price) != volume
            ]
        return changed


def iso(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // 1_000 / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Binance(Dialect):
    def answer(self, client, text):
        asked = json.loads(text)
        streams = {tuple(stream.split("@")[:2]) for stream in asked["params"]}
        wanted = {(name, symbol.upper()) for symbol, name in streams}
        if asked["method"] == "SUBSCRIBE":
            client.wanted |= wanted
        else:
            client.wanted -= wanted
        yield json.dumps({"result": None, "id": asked["id"]})

    def tell(self, client, change):
        symbol, micros = change.symbol, change.ts_ns // 1_000
        stream = symbol.name.lower()
        if change.trade and ("trade", symbol.name) in client.wanted:
            taker, price, volume = change.trade
            p, q = symbol.texts((price, volume))
            data = {"e": "trade", "E": micros, "s": symbol.name, "t": symbol.trades, "p": p, "q": q}
            data |= {"T": micros, "m": taker == ASK, "M": True}
            yield json.dumps({"stream": f"{stream}@trade", "data": data})
        if ("depth", symbol.name) in client.wanted:
            bids, asks = self.sides(symbol, change.levels)
            data = {"e": "depthUpdate", "E": micros, "s": symbol.name, "U": symbol.changes}
            data |= {"u": symbol.changes, "b": bids, "a": asks}
            yield json.dumps({"stream": f"{stream}@depth@100ms", "data": data})

    def rest(self, path):
        url = urlsplit(path)
        if url.path == "/api/v3/depth":
            symbol = self.market.symbols[parse_qs(url.query)["symbol"][0]]
            bids, asks = self.sides(symbol, self.whole(symbol))
            return json.dumps({"lastUpdateId": symbol.changes, "bids": bids, "asks": asks}).encode()
        return None


class Bitstamp(Dialect):
    def answer(self, client, text):
        asked = json.loads(text)
        event, data = asked["event"], asked.get("data", {})
        if event == "bts:heartbeat":
            yield json.dumps({"event": event, "channel": "", "data": {"status": "success"}})
            return
        channel, _, symbol = data["channel"].rpartition("_")
        if event == "bts:subscribe":
            client.wanted.add((channel, symbol))
            said = "bts:subscription_succeeded"
        else:
            client.wanted.discard((channel, symbol))
            said = "bts:unsubscription_succeeded"
        yield json.dumps({"event": said, "channel": data["channel"], "data": {}})

    def tell(self, client, change):
        symbol = change.symbol
        micros = change.ts_ns // 1_000
        if change.trade and ("live_trades", symbol.name) in client.wanted:
            taker, price, volume = change.trade
            p, q = symbol.texts((price, volume))
            data = {"id": symbol.trades, "timestamp": str(micros // 10**6), "amount": float(q)}
            data |= {"amount_str": q, "price": float(p), "price_str": p, "type": int(taker == ASK)}
            data |= {"microtimestamp": str(micros), "buy_order_id": 1, "sell_order_id": 2}
            channel = f"live_trades_{symbol.name}"
            yield json.dumps({"data": data, "channel": channel, "event": "trade"})
        if ("diff_order_book", symbol.name) in client.wanted:
            bids, asks = self.sides(symbol, change.levels)
            data = {"timestamp": str(micros // 10**6), "microtimestamp": str(micros)}
            data |= {"bids": bids, "asks": asks}
            channel = f"diff_order_book_{symbol.name}"
            yield json.dumps({"data": data, "channel": channel, "event": "data"})

    def rest(self, path):
        url = urlsplit(path)
        if not url.path.startswith("/api/v2/order_book/"):
            return None
        symbol = self.market.symbols[url.path.strip("/").rpartition("/")[2]]
        bids, asks = self.sides(symbol, self.whole(symbol))
        micros = str(symbol.ts_ns // 1_000)
        facts = {"timestamp": micros[:-6], "microtimestamp": micros}
        return json.dumps(facts | {"bids": bids, "asks": asks}).encode()


class Coinbase(Dialect):
    def _frame(self, client: Client, channel: str, events: list) -> str:
        facts = {"channel": channel, "client_id": "", "timestamp": iso(time.time_ns())}
        client.sequence += 1
        return json.dumps(facts | {"sequence_num": client.sequence - 1, "events": events})

    def _levels(self, symbol: Symbol, levels: list[tuple[int, int, int]], ts_ns: int) -> list[dict]:
        names, time_text = ("bid", "offer"), iso(ts_ns)
        rows = [(names[side], *symbol.texts((price, volume))) for side, price, volume in levels]
        return [
            {"side": side, "event_time": time_text, "price_level": price, "new_quantity": volume}
            for side, price, volume in rows
        ]

    def answer(self, client, text):
        asked = json.loads(text)
        channel, names = asked["channel"], asked.get("product_ids", [])
        wanted = {(channel, name) for name in names}
        if asked["type"] == "subscribe":
            client.wanted |= wanted
        else:
            client.wanted -= wanted
        for name in names if channel == "level2" and asked["type"] == "subscribe" else ():
            symbol = self.market.symbols[name]
            updates = self._levels(symbol, self.whole(symbol), symbol.ts_ns)
            event = {"type": "snapshot", "product_id": name, "updates": updates}
            yield self._frame(client, "l2_data", [event])
        yield self._frame(client, "subscriptions", [{"subscriptions": {channel: names}}])

    def tell(self, client, change):
        symbol = change.symbol
        if change.trade and ("market_trades", symbol.name) in client.wanted:
            taker, price, volume = change.trade
            p, q = symbol.texts((price, volume))
            trade = {"trade_id": str(symbol.trades), "product_id": symbol.name, "price": p}
            # The side is the maker's.
            side = ("SELL", "BUY")[taker]
            trade |= {"size": q, "side": side, "time": iso(change.ts_ns)}
            yield self._frame(client, "market_trades", [{"type": "update", "trades": [trade]}])
        if ("level2", symbol.name) in client.wanted:
            updates = self._levels(symbol, change.levels, change.ts_ns)
            event = {"type": "update", "product_id": symbol.name, "updates": updates}
            yield self._frame(client, "l2_data", [event])

    def beat(self, client):
        event = {"current_time": iso(time.time_ns()), "heartbeat_counter": client.sequence}
        yield self._frame(client, "heartbeats", [event])


class Kraken(Dialect):
    def greet(self, client):
        data = [{"system": "online", "api_version": "v2", "version": "2.0.0"}]
        yield json.dumps({"channel": "status", "type": "update", "data": data})

    def answer(self, client, text):
        asked = json.loads(text)
        if asked["method"] == "ping":
            yield json.dumps({"method": "pong", "time_in": iso(time.time_ns())})
            return
        params = asked["params"]
        channel, subscribes = params["channel"], asked["method"] == "subscribe"
        for name in params["symbol"]:
            if subscribes:
                client.wanted.add((channel, name))
            else:
                client.wanted.discard((channel, name))
                client.views.pop(name, None)
            result = {"channel": channel, "symbol": name}
            yield json.dumps({"method": asked["method"], "result": result, "success": True})
            if channel == "book" and subscribes:
                client.depth = params.get("depth", 10)
                yield self._book(client, self.market.symbols[name], "snapshot")

    def _book(self, client: Client, symbol: Symbol, kind: str) -> str:
        bids, asks = self.sides(symbol, self.show(client, symbol))
        sides = [
            ",".join(f'{{"price":{price},"qty":{volume}}}' for price, volume in side)
            for side in (bids, asks)
        ]
        digits = ""
        for side in (ASK, BID):
            for level in symbol.levels(side, CHECKED["kraken"]):
                digits += "".join(str(number) for number in level)
        check = zlib.crc32(digits.encode())
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol.name}",'
            f'"bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{check},'
            f'"timestamp":"{iso(symbol.ts_ns or time.time_ns())}"}}]}}'
        )

    def tell(self, client, change):
        symbol = change.symbol
        if change.trade and ("trade", symbol.name) in client.wanted:
            taker, price, volume = change.trade
            p, q = symbol.texts((price, volume))
            yield (
                f'{{"channel":"trade","type":"update","data":[{{"symbol":"{symbol.name}",'
                f'"side":"{("buy", "sell")[taker]}","price":{p},"qty":{q},"ord_type":"limit",'
                f'"trade_id":{symbol.trades},"timestamp":"{iso(change.ts_ns)}"}}]}}'
            )
        if ("book", symbol.name) in client.wanted:
            text = self._book(client, symbol, "update")
            if '"price"' in text:
                yield text

    def beat(self, client):
        if client.wanted:
            yield '{"channel":"heartbeat"}'


class Bitfinex(Dialect):
    def _array(self, client: Client, *parts: str) -> str:
        client.sequence += 1
        return f"[{','.join(parts)},{client.sequence},{time.time_ns() // 10**6}]"

    def greet(self, client):
        yield '{"event":"info","version":2,"serverId":"simulated","platform":{"status":1}}'

    def answer(self, client, text):
        asked = json.loads(text)
        if asked["event"] == "conf":
            yield json.dumps({"event": "conf", "status": "OK", "flags": asked["flags"]})
        elif asked["event"] == "subscribe":
            key = asked["channel"], asked["symbol"]
            number = 1_000 + client.sequence + len(client.numbers)
            while number in client.numbers.values():
                number += 1
            client.numbers[key] = number
            client.wanted.add(key)
            yield json.dumps(asked | {"event": "subscribed", "chanId": number})
            if asked["channel"] == "book":
                client.depth = int(asked["len"])
                symbol = self.market.symbols[asked["symbol"]]
                client.views.pop(symbol.name, None)
                levels = ",".join(self._level(symbol, row) for row in self.show(client, symbol))
                yield self._array(client, str(number), f"[{levels}]")
        elif asked["event"] == "unsubscribe":
            number = asked["chanId"]
            for key in [key for key, known in client.numbers.items() if known == number]:
                client.wanted.discard(key)
                del client.numbers[key]
            yield json.dumps({"event": "unsubscribed", "status": "OK", "chanId": number})

    def _number(self, text: str) -> str:
        """As JavaScript prints it: these are never so small as to need an exponent."""
        return text.rstrip("0").rstrip(".") if "." in text else text

    def _level(self, symbol: Symbol, row: tuple[int, int, int]) -> str:
        side, price, volume = row
        p, q = symbol.texts((price, volume))
        amount = q if volume else "1"
        sign = "-" if side == ASK else ""
        return f"[{self._number(p)},{int(volume > 0)},{sign}{self._number(amount)}]"

    def tell(self, client, change):
        symbol = change.symbol
        if change.trade and ("trades", symbol.name) in client.wanted:
            taker, price, volume = change.trade
            p, q = (self._number(text) for text in symbol.texts((price, volume)))
            sign, number = ("", "-")[taker], str(client.numbers["trades", symbol.name])
            facts = f"[{symbol.trades},{change.ts_ns // 10**6},{sign}{q},{p}]"
            for kind in ("te", "tu"):
                yield self._array(client, number, f'"{kind}"', facts)
        if ("book", symbol.name) in client.wanted:
            number = str(client.numbers["book", symbol.name])
            if levels := [self._level(symbol, row) for row in self.show(client, symbol)]:
                yield self._array(client, number, f"[{','.join(levels)}]")
                yield self._array(client, number, '"cs"', str(self._checksum(symbol)))

    def _checksum(self, symbol: Symbol) -> int:
        sides = [symbol.levels(side, CHECKED["bitfinex"]) for side in SIDES]
        parts = []
        for at in range(CHECKED["bitfinex"]):
            for side, sign in ((BID, ""), (ASK, "-")):
                for level in sides[side][at : at + 1]:
                    price, volume = (self._number(text) for text in symbol.texts(level))
                    parts += [price, sign + volume]
        unsigned = zlib.crc32(":".join(parts).encode())
        return unsigned - (1 << 32) if unsigned >> 31 else unsigned

    def beat(self, client):
        for number in client.numbers.values():
            yield self._array(client, str(number), '"hb"')


DIALECTS: dict[str, Callable[[Market], Dialect]] = {
    "binance": Binance,
    "bitfinex": Bitfinex,
    "bitstamp": Bitstamp,
    "coinbase": Coinbase,
    "kraken": Kraken,
}
