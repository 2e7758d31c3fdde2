"""Binance market data by `json` and `decimal`: slow, obvious, independent of the decoder."""

from typing import Any

from mantra.exchanges import decoded
from mantra.messages.enums import ASK, BID
from tests.exchanges.naive import RefusedError, load, units

SPELLED_OUT = {"pu", "lastUpdateId", "bids", "asks", "symbol"}


def decode(raw: bytes, symbols: dict[str, tuple[int, int, int]], unnamed: str = "") -> dict:
    """What the message says. `symbols`: (instrument, price exponent, volume exponent) by symbol."""
    frame = load(raw)
    if isinstance(frame, list):
        return _trades(frame, symbols, unnamed)
    stream, message = "", frame
    bare = isinstance(frame, dict) and next(iter(frame), "") in ("e", "u", "lastUpdateId")
    if isinstance(frame, dict) and not bare and "data" in frame and "stream" in frame:
        stream, message = frame["stream"], frame["data"]
        stream = stream if type(stream) is str else ""
    if not isinstance(message, dict):
        return {"kind": decoded.UNKNOWN}
    if message is not frame and frame.twice & {"stream", "data"}:
        raise RefusedError("two payloads")
    if any(len(key) == 1 or key in SPELLED_OUT for key in message.twice):
        raise RefusedError("a field twice")
    try:
        return _payload(message, stream, symbols, unnamed)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RefusedError(repr(error)) from None


def _payload(message: dict, stream: str, symbols: dict, unnamed: str) -> dict:
    kind = _kind(message, stream)
    if kind in (decoded.UNKNOWN, decoded.BOOK_TICKER):
        return {"kind": kind}
    symbol = message.get("s", message.get("symbol"))
    if symbol is None:
        symbol = stream.partition("@")[0] if stream else unnamed
    instrument, price_exponent, volume_exponent = symbols[symbol.upper()]
    if kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
        number = message["t"] if kind == decoded.TRADE else message["a"]
        return {
            "kind": kind,
            "instrument": instrument,
            "trades": [
                (
                    units(message["p"], price_exponent),
                    units(message["q"], volume_exponent),
                    _integer(number),
                    {True: ASK, False: BID}[_boolean(message["m"])],
                    _nanoseconds(message["T"]),
                )
            ],
        }
    levels = [
        (side, units(level[0], price_exponent), units(level[1], volume_exponent))
        for side, names in ((BID, ("b", "bids")), (ASK, ("a", "asks")))
        for level in _list(next(message[name] for name in names if name in message))
    ]
    snapshot = "lastUpdateId" in message
    return {
        "kind": kind,
        "instrument": instrument,
        "levels": levels,
        "first_id": decoded.NO_ID if snapshot else _integer(message["U"]),
        "last_id": _integer(message["lastUpdateId" if snapshot else "u"]),
        "previous_id": _integer(message["pu"]) if "pu" in message else decoded.NO_ID,
        "ts_exchange": 0 if snapshot and "E" not in message else _nanoseconds(message["E"]),
    }


def _trades(items: list, symbols: dict, unnamed: str) -> dict:
    keys = {"id", "price", "qty", "time", "isBuyerMaker"}
    if not items or not all(isinstance(item, dict) and keys <= set(item) for item in items):
        return {"kind": decoded.UNKNOWN}
    renamed = [
        {"e": "trade", "t": i["id"], "p": i["price"], "q": i["qty"]}
        | {"T": i["time"], "m": i["isBuyerMaker"]}
        for i in items
    ]
    parts = [_payload(item, "", symbols, unnamed) for item in renamed]
    return parts[0] | {"trades": [trade for part in parts for trade in part["trades"]]}


def _kind(message: dict, stream: str) -> int:
    events = {
        "depthUpdate": decoded.DEPTH,
        "trade": decoded.TRADE,
        "aggTrade": decoded.AGGREGATE_TRADE,
        "bookTicker": decoded.BOOK_TICKER,
    }
    if "e" in message:
        event = message["e"]
        kind = events.get(event, decoded.UNKNOWN) if type(event) is str else decoded.UNKNOWN
    elif "lastUpdateId" in message:
        kind = decoded.SNAPSHOT
    elif {"u", "b", "B", "a", "A"} <= set(message):
        kind = decoded.BOOK_TICKER
    else:
        kind = decoded.UNKNOWN
    _, found, levels = stream.partition("@depth")
    if found and levels[:1].isdigit() and kind in (decoded.DEPTH, decoded.SNAPSHOT):
        return decoded.PARTIAL_DEPTH
    return kind


def _list(levels: Any) -> list:
    if not isinstance(levels, list) or not all(isinstance(level, list) for level in levels):
        raise TypeError("levels are lists")
    if not all(len(level) >= 2 for level in levels):
        raise ValueError("a level is price and volume")
    return levels


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) >= 1 << 63:
        raise TypeError("not an integer")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _nanoseconds(time: Any) -> int:
    """ms or µs; either only where it is a date in the years an int64 of ns can say."""
    nanoseconds = _integer(time) * (10**6 if time < 10**13 else 10**3)
    if not 0 <= nanoseconds < 2**63 - 10**6 or 10**13 <= time < 10**15:
        raise ValueError("no time")
    return nanoseconds
