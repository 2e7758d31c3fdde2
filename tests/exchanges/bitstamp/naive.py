"""Bitstamp market data by `json` and `decimal`: slow, obvious, independent of the decoder."""

from typing import Any

from mantra.exchanges import decoded
from mantra.messages.enums import ASK, BID
from tests.exchanges.naive import Members, RefusedError, integer, items, load, units

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
    frame = load(raw)
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
    return [items(level) for level in items(levels)]


def _trade(data: Members, symbol: tuple[int, int, int]) -> dict:
    _once(data, TRADE_KEYS)
    price, volume = units(data["price_str"], symbol[1]), units(data["amount_str"], symbol[2])
    side = {0: BID, 1: ASK}[integer(data["type"])]
    time = _time(data["microtimestamp"]) * 1_000
    trade = price, volume, integer(data["id"]), side, time
    return {"kind": decoded.TRADE, "instrument": symbol[0], "trades": [trade]}


def _time(value: Any) -> int:
    if not 0 <= integer(value) <= (2**63 - 1) // 1_000:
        raise ValueError("no time")
    return integer(value)
