"""Kraken market data by `json` and `decimal`: slow, obvious, independent of the decoders."""

import re
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mantra.exchanges import decoded
from mantra.messages.enums import ASK, BID
from tests.exchanges.naive import RefusedError, integer, items, load, units

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", re.ASCII)


def decode(raw: bytes, symbols: dict, unnamed: str = "") -> dict:
    """What a v2 message says. `symbols`: (instrument, price, volume exponent) by symbol."""
    return _guarded(_modern, raw, symbols)


def decode_legacy(raw: bytes, symbols: dict, unnamed: str = "") -> dict:
    """What a v1 message says."""
    return _guarded(_legacy, raw, symbols)


def _guarded(function, raw: bytes, symbols: dict) -> dict:
    try:
        return function(load(raw), symbols)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RefusedError(repr(error)) from None


def _modern(message: Any, symbols: dict) -> dict:
    _once(message, "channel", "type", "data")
    if "channel" not in message:
        return {"kind": decoded.CONTROL}
    channel, kind = message["channel"], message.get("type", "")
    if channel in ("status", "instrument"):
        return {"kind": decoded.CONTROL}
    if channel == "heartbeat":
        return {"kind": decoded.HEARTBEAT}
    if channel not in ("book", "trade"):
        return {"kind": decoded.UNKNOWN}
    snapshot = {"update": False, "snapshot": True}[kind]
    data = items(message["data"])
    if channel == "trade":
        return _all_trades([_modern_trade(item, symbols) for item in data])
    found = [_modern_book(item, symbols, snapshot) for item in data]
    last = found[-1] if found else {"instrument": -1, "ts_exchange": 0, "checksum": decoded.NO_ID}
    return {
        "kind": decoded.SNAPSHOT if snapshot else decoded.DEPTH,
        "groups": [book.pop("group") for book in found],
    } | last


def _modern_book(item: Any, symbols: dict, snapshot: bool) -> dict:
    _once(item, "symbol", "bids", "asks", "checksum", "timestamp", "side", "trade_id")
    symbol = symbols[_text(item["symbol"]).upper()]
    levels = {
        side: [_level(level, symbol) for level in items(item[key])]
        for side, key in ((BID, "bids"), (ASK, "asks"))
    }
    return _group(symbol, levels, snapshot, _time(item.get("timestamp")), item["checksum"])


def _level(level: Any, symbol: tuple) -> tuple[int, int]:
    _once(level, "price", "qty")
    return units(level["price"], symbol[1]), units(level["qty"], symbol[2])


def _group(symbol: tuple, levels: dict, snapshot: bool, time: int, checksum: Any) -> dict:
    if snapshot and not any(levels.values()):
        levels[BID] = [(0, 0)]
    checksum = decoded.NO_ID if checksum is None else integer(checksum)
    group = {"instrument": symbol[0], "levels": levels, "snapshot": snapshot, "ts_exchange": time}
    return {"instrument": symbol[0], "ts_exchange": time, "checksum": checksum, "group": group}


def _modern_trade(item: Any, symbols: dict) -> tuple:
    _once(item, "symbol", "side", "price", "qty", "trade_id", "timestamp", "bids", "asks")
    symbol = symbols[_text(item["symbol"]).upper()]
    price, volume = units(item["price"], symbol[1]), units(item["qty"], symbol[2])
    side = {"buy": BID, "sell": ASK}[_text(item["side"])]
    time = _time(item["timestamp"])
    return symbol[0], price, volume, integer(item["trade_id"]), side, time


def _all_trades(trades: list[tuple]) -> dict:
    last = {"instrument": trades[-1][0], "ts_exchange": trades[-1][-1]} if trades else {}
    return {"kind": decoded.TRADE, "instrument": -1, "ts_exchange": 0, "trades": trades} | last


def _legacy(message: Any, symbols: dict) -> dict:
    if isinstance(message, dict):
        _once(message, "event")
        beat = message.get("event") == "heartbeat"
        return {"kind": decoded.HEARTBEAT if beat else decoded.CONTROL}
    if not isinstance(message, list) or not 4 <= len(message) <= 5:
        return {"kind": decoded.UNKNOWN}
    _, *parts, name, symbol_name = message
    name = name if isinstance(name, str) else ""
    depths = [f"book-{depth}" for depth in (10, 25, 100, 500, 1000)]
    if name not in ("trade", *depths):
        return {"kind": decoded.UNKNOWN}
    symbol = symbols[_text(symbol_name).upper()]
    if name == "trade":
        trades = [
            (symbol[0], price, volume, 0, {"b": BID, "s": ASK}[_text(rest[0])], time)
            for part in parts
            for price, volume, time, rest in (_row(row, symbol) for row in items(part))
        ]
        times = [trade[-1] for trade in trades]
        found = _all_trades(trades) | {"instrument": symbol[0]}
        return found | {"ts_exchange": max(times, default=0)}
    levels: dict[int, list] = {BID: [], ASK: []}
    times, keys, checksum = [0], [], None
    for part in parts:
        _once(part, "as", "bs", "a", "b", "c")
        for key, value in part.items():
            if key in ("as", "bs", "a", "b"):
                rows = [_row(row, symbol) for row in items(value)]
                levels[BID if key in ("bs", "b") else ASK] += [row[:2] for row in rows]
                times += [row[2] for row in rows]
            elif key == "c":
                checksum = value
            keys += [key] if key in ("as", "bs", "a", "b", "c") else []
    if len(keys) != len(set(keys)):
        raise ValueError("a key twice")
    snapshot = not {"as", "bs"}.isdisjoint(keys)
    found = _group(symbol, levels, snapshot, max(times), checksum)
    group = found.pop("group")
    return {"kind": decoded.SNAPSHOT if snapshot else decoded.DEPTH, "groups": [group]} | found


def _row(row: Any, symbol: tuple) -> tuple:
    price, volume, time, *rest = items(row)
    return units(price, symbol[1]), units(volume, symbol[2]), units(time, 9), rest


def _once(members: Any, *keys: str) -> None:
    if not isinstance(members, dict):
        raise TypeError("not an object")
    if members.twice & set(keys):
        raise ValueError("a field twice")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("not a text")
    return value


def _time(text: Any) -> int:
    if text is None:
        return 0
    match = TIME.fullmatch(text)
    if not match:
        raise ValueError(text)
    second = int(match[1][-2:])
    if second > 60:
        raise ValueError(text)
    year, month, day, hour, minute = map(int, re.findall(r"\d+", match[1])[:5])
    if not 1970 <= year <= 2261 or not 1 <= day <= 31:
        raise ValueError(text)
    first = datetime(year, month, 1, hour, minute, tzinfo=UTC)
    seconds = int((first - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    seconds += (day - 1) * 86_400 + second
    return seconds * 10**9 + int((match[2] or "").ljust(9, "0")[:9])


def checksum(asks: list[tuple[str, str]], bids: list[tuple[str, str]]) -> int:
    """Of (price, volume) texts as the venue writes them, best first: its rule, word by word."""
    fields = [text for level in [*asks[:10], *bids[:10]] for text in level]
    joined = "".join(text.replace(".", "").lstrip("0") for text in fields)
    return zlib.crc32(joined.encode())


def text_of(units: int, exponent: int) -> str:
    """An amount with all its decimals, as the venue writes it."""
    return f"{Decimal(units).scaleb(-exponent):.{exponent}f}"


class Book:
    """A dict a side, cut to the depth after each message."""

    def __init__(self, depth: int):
        self.depth = depth
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def apply(self, levels: dict[int, list[tuple[int, int]]], snapshot: bool) -> None:
        for side, changes in levels.items():
            if snapshot:
                self.sides[side].clear()
            for price, volume in changes:
                self.sides[side].pop(price, None)
                if volume:
                    self.sides[side][price] = volume
        for side in (BID, ASK):
            for price, _ in self.best(side)[self.depth :]:
                del self.sides[side][price]

    def best(self, side: int) -> list[tuple[int, int]]:
        return sorted(self.sides[side].items(), reverse=side == BID)

    def checksum(self, symbol: tuple[int, int, int]) -> int:
        asks, bids = (
            [
                (text_of(price, symbol[1]), text_of(volume, symbol[2]))
                for price, volume in self.best(side)[:10]
            ]
            for side in (ASK, BID)
        )
        return checksum(asks, bids)
