"""What others do with the same messages: `python -m mantra.bench.ingest_peers NAME …`.

In:        a port, the streams' venues and symbols (JSON), a file for the count.
Out:       its count of messages, in the file, some hundred times a second.
Must not know: how the count is used. Nothing of the engine is imported here.

    picows       callbacks of its listener, on uvloop, orjson
    websockets   its threads, one and a helper a connection (`websockets.sync`), orjson
    cryptofeed   as it comes: Binance alone, for it speaks other forms of most venues; its books
                 begin empty, nobody is called back

picows and websockets.sync are transports: what is done with a message is the least that keeps
books, a dict a side, price and volume as the venue's text; no integers, no order of updates, no
checksums, nobody is told.
"""

import json
import mmap
import os
import ssl
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

SIGNS_S = 0.005

Book = tuple[dict, dict]


def _side(side: dict, levels: list) -> None:
    for price, volume in levels:
        side[price] = volume


def _binance(m: Any, books: dict[Any, Book]) -> None:
    data = m["data"]
    if data["e"] == "depthUpdate":
        book = books[data["s"]]
        _side(book[0], data["b"])
        _side(book[1], data["a"])


def _bitfinex(m: Any, books: dict[Any, Book]) -> None:
    if type(m[1]) is list:
        price, count, amount = m[1]
        books[m[0]][amount < 0][price] = amount if count else 0


def _bitstamp(m: Any, books: dict[Any, Book]) -> None:
    if m["event"] == "data":
        book = books[m["channel"]]
        _side(book[0], m["data"]["bids"])
        _side(book[1], m["data"]["asks"])


def _coinbase(m: Any, books: dict[Any, Book]) -> None:
    if m["channel"] == "l2_data":
        for event in m["events"]:
            book = books[event["product_id"]]
            for row in event["updates"]:
                book[row["side"] != "bid"][row["price_level"]] = row["new_quantity"]


def _kraken(m: Any, books: dict[Any, Book]) -> None:
    if m["channel"] == "book":
        for event in m["data"]:
            book = books[event["symbol"]]
            for side, name in enumerate(("bids", "asks")):
                for level in event[name]:
                    book[side][level["price"]] = level["qty"]


TAKE = {
    "binance": _binance,
    "bitfinex": _bitfinex,
    "bitstamp": _bitstamp,
    "coinbase": _coinbase,
    "kraken": _kraken,
}


def new_books() -> dict[Any, Book]:
    return defaultdict(lambda: ({}, {}))


class Sign:
    """The count, where the bench sees it."""

    def __init__(self, path: str, count: Callable[[], int]):
        with open(path, "r+b") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")
        self.count = count

    def show(self) -> None:
        self.words[0] = self.count()

    def show_always(self, loop: Any) -> None:
        self.show()
        loop.call_later(SIGNS_S, self.show_always, loop)


def new_loop() -> Any:
    import asyncio

    import uvloop

    asyncio.set_event_loop(loop := uvloop.new_event_loop())
    return loop


def picows(port: int, streams: list, sign: str, ca_file: str) -> None:
    """All connections on one loop."""
    import orjson
    from picows import WSListener, WSMsgType, ws_connect

    loop, listeners = new_loop(), []
    context = ssl.create_default_context(cafile=ca_file)

    class Listener(WSListener):
        def __init__(self, venue: str):
            self.take, self.books, self.count = TAKE[venue], new_books(), 0

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == WSMsgType.TEXT:
                self.take(orjson.loads(frame.get_payload_as_memoryview()), self.books)
                self.count += 1

    for number, (venue, _) in enumerate(streams):
        url = f"wss://localhost:{port}/{number}"
        made = ws_connect(lambda venue=venue: Listener(venue), url, ssl_context=context)
        listeners.append(loop.run_until_complete(made)[1])
    Sign(sign, lambda: sum(one.count for one in listeners)).show_always(loop)
    loop.run_forever()


def websockets(port: int, streams: list, sign: str, ca_file: str) -> None:
    """A thread a connection."""
    import orjson
    from websockets.sync.client import connect

    context, counts = ssl.create_default_context(cafile=ca_file), [0] * len(streams)

    def follow(number: int, venue: str) -> None:
        take, books, url = TAKE[venue], new_books(), f"wss://localhost:{port}/{number}"
        with connect(url, ssl=context, ping_interval=None, compression=None) as connection:
            for text in connection:
                take(orjson.loads(text), books)
                counts[number] += 1

    for number, (venue, _) in enumerate(streams):
        threading.Thread(target=follow, args=(number, venue), daemon=True).start()
    signed = Sign(sign, lambda: sum(counts))
    while True:
        signed.show()
        time.sleep(SIGNS_S)


def cryptofeed(port: int, streams: list, sign: str, ca_file: str) -> None:
    """A feed a stream of Binance's."""
    from cryptofeed import FeedHandler
    from cryptofeed.connection import WebsocketEndpoint
    from cryptofeed.defines import L2_BOOK, TRADES
    from cryptofeed.exchanges import Binance
    from cryptofeed.symbols import Symbols
    from cryptofeed.types import OrderBook

    os.environ["SSL_CERT_FILE"] = ca_file
    names = {f"{s[:-4]}-{s[-4:]}": s for _, symbols in streams for s in symbols}
    Symbols.set("BINANCE", names, {})

    class Local(Binance):
        websocket_endpoints = [WebsocketEndpoint(f"wss://localhost:{port}")]  # noqa: RUF012

        def _reset(self) -> None:
            normalized = self.normalized_symbols
            self._l2_book = {name: OrderBook(self.id, name) for name in normalized}
            self.last_update_id = dict.fromkeys(normalized, 10**10)

    loop = new_loop()
    handler = FeedHandler(config={"log": {"disabled": True}, "uvloop": False})
    for _, symbols in streams:
        some = [f"{s[:-4]}-{s[-4:]}" for s in symbols]
        handler.add_feed(Local(symbols=some, channels=[L2_BOOK, TRADES], config=handler.config))

    def count() -> int:
        connections = [one.conn for feed in handler.feeds for one in feed.connection_handlers]
        return sum(one.received for one in connections)

    handler.run(start_loop=False, install_signal_handlers=False)
    Sign(sign, count).show_always(loop)
    loop.run_forever()


PEERS = {"picows": picows, "websockets": websockets, "cryptofeed": cryptofeed}

if __name__ == "__main__":
    name, port, streams, sign, ca_file = sys.argv[1:]
    with open(streams) as file:
        PEERS[name](int(port), json.load(file), sign, ca_file)
