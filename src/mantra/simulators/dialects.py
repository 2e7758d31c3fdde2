"""The venues' public WebSockets, spoken from the truth: what a client is answered and told.

In:        texts of a client, changes of the market.
Out:       texts for it, in order.
Must not know: sockets, faults.

Protocol rules and their sources are in the codecs (exchanges/<venue>/); here is the other side of
them, made with json and zlib from decimal text, so that it can convict them.
"""

import json
import time
import zlib
from datetime import UTC, datetime

from mantra.simulators import rest
from mantra.simulators.dialect import Client, Dialect, Rows, Topic
from mantra.simulators.market import ASK, BID, SIDES, Symbol

__all__ = ["DIALECTS", "Client", "Dialect"]


def iso(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // 1_000 / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Binance(Dialect):
    name = "binance"
    book_channel, trade_channel = "depth", "trade"
    too_fast = ""
    ping_s = 20.0

    def on_request(self, client, asked):
        for stream in asked["params"]:
            symbol, channel = stream.split("@")[:2]
            if asked["method"] == "UNSUBSCRIBE":
                self.unfollow(client, channel, symbol.upper())
            elif self.known(symbol.upper()):  # of others the venue takes no notice
                self.follow(client, Topic(channel, symbol.upper()))
        yield json.dumps({"result": None, "id": asked["id"]})

    def complain(self, asked, why):
        return json.dumps({"error": {"code": 2, "msg": why}, "id": asked.get("id")})

    def trade(self, change):
        symbol, micros = change.symbol, change.ts_ns // 1_000
        taker, price, volume = change.trade
        p, q = symbol.texts((price, volume))
        data = {"e": "trade", "E": micros, "s": symbol.name, "t": symbol.trades, "p": p, "q": q}
        data |= {"T": micros, "m": taker == ASK, "M": True}
        yield json.dumps({"stream": f"{symbol.name.lower()}@trade", "data": data})

    def book(self, change, topic):
        symbol = change.symbol
        bids, asks = self.sides(symbol, change.levels)
        data = {"e": "depthUpdate", "E": change.ts_ns // 1_000, "s": symbol.name}
        data |= {"U": symbol.changes, "u": symbol.changes, "b": bids, "a": asks}
        yield json.dumps({"stream": f"{symbol.name.lower()}@depth@100ms", "data": data})


class Bitstamp(Dialect):
    name = "bitstamp"
    book_channel, trade_channel = "diff_order_book", "live_trades"

    def on_request(self, client, asked):
        event, data = asked["event"], asked.get("data", {})
        if event == "bts:heartbeat":
            yield json.dumps({"event": event, "channel": "", "data": {"status": "success"}})
            return
        channel, _, symbol = data["channel"].rpartition("_")
        if event == "bts:unsubscribe":
            self.unfollow(client, channel, symbol)
            said = "bts:unsubscription_succeeded"
        elif not self.known(symbol):
            yield self.complain(asked, "Bad subscription string.")
            return
        else:
            self.follow(client, Topic(channel, symbol))
            said = "bts:subscription_succeeded"
        yield json.dumps({"event": said, "channel": data["channel"], "data": {}})

    def complain(self, asked, why):
        data = {"code": None, "message": why}
        return json.dumps({"event": "bts:error", "channel": "", "data": data})

    def trade(self, change):
        symbol, micros = change.symbol, change.ts_ns // 1_000
        taker, price, volume = change.trade
        p, q = symbol.texts((price, volume))
        data = {"id": symbol.trades, "timestamp": str(micros // 10**6), "amount": float(q)}
        data |= {"amount_str": q, "price": float(p), "price_str": p, "type": int(taker == ASK)}
        data |= {"microtimestamp": str(micros), "buy_order_id": 1, "sell_order_id": 2}
        channel = f"live_trades_{symbol.name}"
        yield json.dumps({"data": data, "channel": channel, "event": "trade"})

    def book(self, change, topic):
        micros = change.ts_ns // 1_000
        bids, asks = self.sides(change.symbol, change.levels)
        data = {"timestamp": str(micros // 10**6), "bids": bids, "asks": asks}
        data |= {"microtimestamp": str(micros)}
        channel = f"diff_order_book_{topic.symbol}"
        yield json.dumps({"data": data, "channel": channel, "event": "data"})


class Coinbase(Dialect):
    name = "coinbase"
    book_channel, trade_channel = "level2", "market_trades"
    numbers_messages = True

    def frame(self, client, topic, body):
        channel = "l2_data" if topic.channel == "level2" else topic.channel
        client.sequence += 1
        return (
            f'{{"channel":"{channel}","client_id":"","timestamp":"{iso(time.time_ns())}",'
            f'"sequence_num":{client.sequence - 1},"events":[{body}]}}'
        )

    def _levels(self, symbol: Symbol, rows: Rows, kind: str) -> str:
        names, at = ("bid", "offer"), iso(symbol.ts_ns)
        texts = ((names[side], *symbol.texts((price, volume))) for side, price, volume in rows)
        updates = [
            f'{{"side":"{side}","event_time":"{at}","price_level":"{price}","new_quantity":"{q}"}}'
            for side, price, q in texts
        ]
        start = f'{{"type":"{kind}","product_id":"{symbol.name}","updates":['
        return f"{start}{','.join(updates)}]}}"

    def on_request(self, client, asked):
        channel, names = asked["channel"], asked.get("product_ids", [])
        if bad := [name for name in names if not self.known(name)]:
            yield self.complain(asked, f"{bad[0]} is not a valid product")
            return
        for name in names:
            if asked["type"] == "unsubscribe":
                self.unfollow(client, channel, name)
                continue
            topic = Topic(channel, name)
            self.follow(client, topic)
            if channel == self.book_channel:
                symbol = self.market.symbols[name]
                yield self.frame(
                    client, topic, self._levels(symbol, self.whole(symbol), "snapshot")
                )
        said = json.dumps({"subscriptions": {channel: names}})
        yield self.frame(client, Topic("subscriptions", ""), said)

    def complain(self, asked, why):
        return json.dumps({"type": "error", "message": why})

    def trade(self, change):
        taker, price, volume = change.trade
        symbol = change.symbol
        p, q = symbol.texts((price, volume))
        trade = {"trade_id": str(symbol.trades), "product_id": symbol.name, "price": p, "size": q}
        trade |= {"side": ("SELL", "BUY")[taker], "time": iso(change.ts_ns)}  # the maker's side
        yield json.dumps({"type": "update", "trades": [trade]})

    def book(self, change, topic):
        yield self._levels(change.symbol, change.levels, "update")

    def beat(self, client):
        event = {"current_time": iso(time.time_ns()), "heartbeat_counter": client.sequence}
        yield self.frame(client, Topic("heartbeats", ""), json.dumps(event))


class Kraken(Dialect):
    name = "kraken"
    book_channel, trade_channel = "book", "trade"
    depths = (10, 25, 100, 500, 1000)
    checked = 10
    deep = 1_010
    too_fast = "Exceeded msg rate"

    def greet(self, client):
        data = [{"system": "online", "api_version": "v2", "version": "2.0.0"}]
        yield json.dumps({"channel": "status", "type": "update", "data": data})

    def on_request(self, client, asked):
        if asked["method"] == "ping":
            yield json.dumps({"method": "pong", "time_in": iso(time.time_ns())})
            return
        params = asked["params"]
        channel, subscribes = params["channel"], asked["method"] == "subscribe"
        for name in params["symbol"]:
            if subscribes and not self.known(name):
                why = f"Currency pair not supported {name}"
                yield self.complain(asked | {"symbol": name}, why)
                continue
            topic = Topic(channel, name)
            if not subscribes:
                self.unfollow(client, channel, name)
            elif channel == self.book_channel:
                client.depth = params.get("depth", 10)
                topic = Topic(channel, name, client.depth)
            result = {"channel": channel, "symbol": name}
            yield json.dumps({"method": asked["method"], "result": result, "success": True})
            if subscribes:
                self.follow(client, topic)
                if topic.depth:
                    symbol = self.market.symbols[name]
                    yield self._text(symbol, self.begin(topic), "snapshot")

    def complain(self, asked, why):
        said = {"method": asked.get("method"), "success": False, "error": why}
        return json.dumps(said | {"symbol": asked.get("symbol")})

    def _text(self, symbol: Symbol, rows: Rows, kind: str) -> str:
        sides = [
            ",".join(f'{{"price":{price},"qty":{volume}}}' for price, volume in side)
            for side in self.sides(symbol, rows)
        ]
        digits = "".join(
            f"{price}{volume}"
            for side in (ASK, BID)
            for price, volume in symbol.levels(side, self.checked)
        )
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol.name}",'
            f'"bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{zlib.crc32(digits.encode())},'
            f'"timestamp":"{iso(symbol.ts_ns)}"}}]}}'
        )

    def trade(self, change):
        taker, price, volume = change.trade
        p, q = change.symbol.texts((price, volume))
        yield (
            f'{{"channel":"trade","type":"update","data":[{{"symbol":"{change.symbol.name}",'
            f'"side":"{("buy", "sell")[taker]}","price":{p},"qty":{q},"ord_type":"limit",'
            f'"trade_id":{change.symbol.trades},"timestamp":"{iso(change.ts_ns)}"}}]}}'
        )

    def book(self, change, topic):
        if rows := self.changed(change, topic):
            yield self._text(change.symbol, rows, "update")

    def beat(self, client):
        if client.wanted:
            yield '{"channel":"heartbeat"}'


class Bitfinex(Dialect):
    name = "bitfinex"
    book_channel, trade_channel = "book", "trades"
    numbers_messages = True
    depths = (1, 25, 100, 250)
    checked = 25
    deep = 260
    deletes_beyond = True
    channels_max = 30  # a connection

    def greet(self, client):
        yield '{"event":"info","version":2,"serverId":"simulated","platform":{"status":1}}'

    def frame(self, client, topic, body):
        client.sequence += 1
        end = f"{client.sequence},{time.time_ns() // 10**6}"
        return f"[{client.numbers[topic]},{body},{end}]"

    def on_request(self, client, asked):
        event = asked["event"]
        if event == "conf":
            yield json.dumps({"event": "conf", "status": "OK", "flags": asked["flags"]})
        elif event == "ping":
            yield json.dumps({"event": "pong", "cid": asked.get("cid")})
        elif event == "unsubscribe":
            number = asked["chanId"]
            for topic in [one for one, known in client.numbers.items() if known == number]:
                self.unfollow(client, topic.channel, topic.symbol)
                del client.numbers[topic]
            yield json.dumps({"event": "unsubscribed", "status": "OK", "chanId": number})
        elif not self.known(asked["symbol"]):
            yield self.complain(asked | {"code": 10300}, "symbol: invalid")
        elif len(client.numbers) >= self.channels_max:
            yield self.complain(asked | {"code": 10305}, "Reached limit of open channels")
        else:
            topic = Topic(asked["channel"], asked["symbol"], int(asked.get("len", 0)))
            if topic in client.numbers:
                yield self.complain(asked | {"code": 10301}, "subscribe: dup")
                return
            number = 1_000 + client.sequence + len(client.numbers)
            while number in client.numbers.values():
                number += 1
            client.numbers[topic] = number
            self.follow(client, topic)
            yield json.dumps(asked | {"event": "subscribed", "chanId": number})
            if topic.depth:
                client.depth = topic.depth
                symbol = self.market.symbols[topic.symbol]
                levels = ",".join(rest.bitfinex_level(symbol, row) for row in self.begin(topic))
                yield self.frame(client, topic, f"[{levels}]")

    def complain(self, asked, why):
        return json.dumps({"code": 10000} | asked | {"event": "error", "msg": why})

    def trade(self, change):
        taker, price, volume = change.trade
        p, q = map(rest.javascript, change.symbol.texts((price, volume)))
        facts = f"[{change.symbol.trades},{change.ts_ns // 10**6},{('', '-')[taker]}{q},{p}]"
        for kind in ("te", "tu"):
            yield f'"{kind}",{facts}'

    def book(self, change, topic):
        symbol = change.symbol
        if levels := [rest.bitfinex_level(symbol, row) for row in self.changed(change, topic)]:
            yield f"[{','.join(levels)}]"
            yield f'"cs",{self._checksum(symbol)}'

    def _checksum(self, symbol: Symbol) -> int:
        sides = [symbol.levels(side, self.checked) for side in SIDES]
        parts = []
        for at in range(self.checked):
            for side, sign in ((BID, ""), (ASK, "-")):
                for level in sides[side][at : at + 1]:
                    price, volume = map(rest.javascript, symbol.texts(level))
                    parts += [price, sign + volume]
        unsigned = zlib.crc32(":".join(parts).encode())
        return unsigned - (1 << 32) if unsigned >> 31 else unsigned

    def beat(self, client):
        for topic in client.numbers:
            yield self.frame(client, topic, '"hb"')


DIALECTS: dict[str, type[Dialect]] = {
    dialect.name: dialect for dialect in (Binance, Bitfinex, Bitstamp, Coinbase, Kraken)
}
