"""Recorded sessions by json and decimal: every change of every book, as the venue means it."""

import json
from collections.abc import Iterator
from decimal import Decimal

from tests.exchanges import recorded

FOLDER = "cryptofeed/2021-04-17_3525dc8c/"
BID, ASK = 0, 1
SESSIONS = {
    "binance": ("BINANCE.http.0.0", "BINANCE.ws.1.0"),
    "bitfinex": ("BITFINEX.ws.11.0",),
    "bitstamp": ("BITSTAMP.http.18.0", "BITSTAMP.ws.19.0"),
    "coinbase-exchange": ("COINBASE.ws.28.0",),
    "kraken-v1": ("KRAKEN.ws.50.0", "KRAKEN.ws.48.0", "KRAKEN.ws.49.0"),
}
KRAKEN_DEPTH = 1000

Levels = list[tuple[int, str, str]]  # side, price, volume
Change = tuple[str, bool, int, Levels]  # symbol, whether the whole book, its number, levels


def _pairs(bids: list, asks: list) -> Levels:
    return [(side, *level[:2]) for side, rows in ((BID, bids), (ASK, asks)) for level in rows]


def _binance(asked: str, said: dict, _: dict) -> Iterator[Change]:
    if asked:
        yield asked, True, said["lastUpdateId"], _pairs(said["bids"], said["asks"])
    elif "@depth" in said.get("stream", ""):
        data = said["data"]
        yield data["s"], False, data["u"], _pairs(data["b"], data["a"])


def _bitstamp(asked: str, said: dict, _: dict) -> Iterator[Change]:
    data = said if asked else said["data"]
    channel = said.get("channel", "")
    if asked or (said["event"] == "data" and channel.startswith("diff_order_book")):
        symbol = (asked or channel.rpartition("_")[2]).upper()
        levels = _pairs(data["bids"], data["asks"])
        yield symbol, bool(asked), int(data["microtimestamp"]), levels


def _coinbase(_: str, said: dict, __: dict) -> Iterator[Change]:
    if said["type"] == "snapshot":
        yield said["product_id"], True, 0, _pairs(said["bids"], said["asks"])
    elif said["type"] == "l2update":
        levels = [(int(side == "sell"), *level) for side, *level in said["changes"]]
        yield said["product_id"], False, 1, levels


def _bitfinex(_: str, said, channels: dict) -> Iterator[Change]:
    if isinstance(said, dict):
        if said["event"] == "subscribed" and said["channel"] == "book":
            channels[said["chanId"]] = said["symbol"]
    elif said[0] in channels and isinstance(said[1], list):
        whole = isinstance(said[1][0], list)
        rows = said[1] if whole else [said[1]]
        levels = [
            (int(amount.startswith("-")), price, amount.lstrip("-") if int(count) else "0")
            for price, count, amount in rows
        ]
        yield channels[said[0]], whole, int(not whole), levels


def _kraken(_: str, said, __: dict) -> Iterator[Change]:
    if isinstance(said, list) and said[-2].startswith("book"):
        sides: tuple[list, list] = ([], [])
        for part in said[1:-2]:
            for key in part.keys() - {"c"}:
                sides[key[0] == "a"].extend(part[key])
        whole = "as" in said[1]
        yield said[-1], whole, int(not whole), _pairs(*sides)


READERS = (_binance, _bitfinex, _bitstamp, _coinbase, _kraken)
READ = dict(zip(SESSIONS, READERS, strict=True))


def books(venue: str) -> Iterator[tuple[str, tuple[dict, dict]]]:
    """(symbol, its bids and asks) after every message that changes the book or is its base."""
    found: dict[str, tuple[dict, dict]] = {}
    last: dict[str, int] = {}
    channels: dict = {}
    for file in SESSIONS[venue]:
        for asked, raw in recorded.cryptofeed_messages(FOLDER + file):
            message = json.loads(raw, parse_float=str, parse_int=_integer(venue))
            for symbol, whole, number, levels in READ[venue](asked, message, channels):
                if whole:
                    found[symbol] = {}, {}
                elif venue in ("binance", "bitstamp") and number <= last[symbol]:
                    continue
                last[symbol] = number
                for side, price, volume in levels:
                    found[symbol][side].pop(Decimal(price), None)
                    if Decimal(volume):
                        found[symbol][side][Decimal(price)] = Decimal(volume)
                if venue == "kraken-v1":
                    _cut(found[symbol])
                if levels:
                    yield symbol, found[symbol]


def _integer(venue: str):
    """Bitfinex writes prices as numbers; its channels must stay numbers that are equal."""
    return (lambda text: text) if venue == "bitfinex" else int


def _cut(book: tuple[dict, dict]) -> None:
    for side in (BID, ASK):
        for price in sorted(book[side], reverse=side == BID)[KRAKEN_DEPTH:]:
            del book[side][price]
