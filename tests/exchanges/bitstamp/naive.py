"""Bitstamp market data by `json` and `decimal`: slow, obvious, independent of the decoder."""

import json
from typing import Any

from mantra.exchanges import decoded
from mantra.messages.decimals import OK
from mantra.messages.enums import ASK, BID
from tests.exchanges.binance.naive import Bare, Members, RefusedError
from tests.messages import naive as numbers

QUIET = (decoded.UNKNOWN, decoded.CONTROL, decoded.HEARTBEAT)
BOOK_KEYS = ("timestamp", "microtimestamp", "bids", "asks")
TRADE_KEYS = ("id", "amount_str", "price_str", "type", "microtimestamp")
SIDES = {"bids": BID, "asks": ASK}
CHANNELS = {
    "diff_order_book": decoded.DEPTH,
    "order_book": decoded.PARTIAL_DEPTH,
    "detail_order_book": decoded.PARTIAL_DEPTH,
    "live_trades": decoded.TRADE,
}


def decode(raw: bytes, symbols: dict[str, tuple[int, int, int]], unnamed: str = "") -> dict:
    """What the message says. `symbols`: (instrument, price exponent, volume exponent) by symbol."""
    try:
        frame = json.loads(raw.decode("latin-1"), object_pairs_hook=Members, parse_float=Bare)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    if not isinstance(frame, dict) or not frame:
        return {"kind": decoded.UNKNOWN}
    try:
        if next(iter(frame)) in BOOK_KEYS:
            return _answer(frame, symbols, unnamed)
        return _frame(frame, symbols)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RefusedError(repr(error)) from None


def _once(members: Members, keys: tuple[str, ...]) -> None:
    if not isinstance(members, Members) or members.twice & set(keys):
        raise TypeError("no object, or a field twice")


def _frame(frame: Members, symbols: dict) -> dict:
    _once(frame, ("data", "channel", "event"))
    channel, event = frame.get("channel", ""), frame.get("event", "")
    if type(channel) is not str or type(event) is not str:
        raise TypeError("neither is a string")
    name, pair = "", ""
    for prefix in CHANNELS:
        if channel.startswith(prefix + "_"):
            name, pair = prefix, channel.removeprefix(prefix + "_")
    kind = CHANNELS[name] if pair else decoded.UNKNOWN
    if "event" not in frame:
        if kind != decoded.UNKNOWN:
            raise KeyError("event")
        return {"kind": kind}
    if event.startswith("bts:"):
        return {"kind": decoded.HEARTBEAT if event == "bts:heartbeat" else decoded.CONTROL}
    if event != ("trade" if kind == decoded.TRADE else "data") or kind == decoded.UNKNOWN:
        return {"kind": decoded.UNKNOWN}
    if kind == decoded.TRADE:
        return _trade(frame["data"], symbols[pair.upper()])
    return _book(kind, frame["data"], symbols[pair.upper()])


def _answer(frame: Members, symbols: dict, unnamed: str) -> dict:
    _once(frame, BOOK_KEYS)
    if "bids" not in frame and "asks" not in frame:
        return {"kind": decoded.UNKNOWN}
    return _book(decoded.SNAPSHOT, frame, symbols[unnamed.upper()])


def _book(kind: int, data: Members, symbol: tuple[int, int, int]) -> dict:
    _once(data, BOOK_KEYS)
    microseconds = _time(data["microtimestamp"])
    return {
        "kind": kind,
        "instrument": symbol[0],
        "first_id": decoded.NO_ID,
        "last_id": microseconds,
        "previous_id": decoded.NO_ID,
        "ts_exchange": microseconds * 1_000,
        "levels": [
            (SIDES[name], units(price, symbol[1]), units(volume, symbol[2]))
            for name in sorted(("bids", "asks"), key=list(data).index)  # as they stand
            for price, volume, *_ in _lists(data[name])
        ],
    }


def _lists(levels: Any) -> list:
    if not isinstance(levels, list) or not all(isinstance(level, list) for level in levels):
        raise TypeError("levels are lists")
    return levels


def _trade(data: Members, symbol: tuple[int, int, int]) -> dict:
    _once(data, TRADE_KEYS)
    price, volume = units(data["price_str"], symbol[1]), units(data["amount_str"], symbol[2])
    side = {0: BID, 1: ASK}[_integer(data["type"])]
    time = _time(data["microtimestamp"]) * 1_000
    trade = price, volume, _integer(data["id"]), side, time
    return {"kind": decoded.TRADE, "instrument": symbol[0], "trades": [trade]}


def units(text: Any, exponent: int) -> int:
    if type(text) not in (str, int, Bare):
        raise TypeError("not a number")
    value, status = numbers.parse_decimal(str(text), exponent)
    if status != OK or value < 0:
        raise ValueError(text)
    return value


def _integer(value: Any) -> int:
    text = str(value) if type(value) is int else value
    digits = text.removeprefix("-")
    if type(text) is not str or not (digits.isascii() and digits.isdigit()):
        raise TypeError("not an integer")
    if str(int(digits)) != digits or int(digits) >= 1 << 63:
        raise ValueError("not an integer as the venue writes it")
    return int(text)


def _time(value: Any) -> int:
    if not 0 <= _integer(value) <= (2**63 - 1) // 1_000:
        raise ValueError("no time")
    return _integer(value)
