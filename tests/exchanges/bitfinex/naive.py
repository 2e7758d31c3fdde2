"""Bitfinex market data by `json` and `decimal`: slow, obvious, independent of the decoder."""

import re
import zlib
from decimal import Decimal
from typing import Any

from mantra.exchanges import decoded
from mantra.messages.decimals import OK
from mantra.messages.enums import ASK, BID
from tests.exchanges.naive import Bare as Number
from tests.exchanges.naive import Members, RefusedError, load
from tests.messages import naive as numbers

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)


def decode(raw: bytes, channels: dict[int, dict]) -> dict:
    """What the message says. Of a channel: kind book|trades|other, instrument, price and volume
    exponent, has_snapshot."""
    frame, number = load(raw, Number), None
    if isinstance(frame, Members):
        if "event" in frame.twice:
            raise RefusedError("event twice")
        return {"kind": decoded.CONTROL if "event" in frame else decoded.UNKNOWN}
    if not isinstance(frame, list):
        raise RefusedError("neither frame nor event")
    if frame and type(frame[0]) is Number and INTEGER.fullmatch(frame[0]):
        number = int(frame[0]) if abs(int(frame[0])) < 1 << 63 else None
    if number is None:
        return {"kind": decoded.UNKNOWN}
    try:
        return _frame(frame[1:], channels.get(number))
    except (TypeError, IndexError, ValueError) as error:
        raise RefusedError(repr(error)) from None


def _frame(rest: list, channel: dict | None) -> dict:
    tag = rest.pop(0) if rest and type(rest[0]) is str else ""
    if tag == "hb":
        return {"kind": decoded.HEARTBEAT} | _counters(rest)
    if channel is None:
        raise RefusedError("unknown channel")
    kind, said = channel["kind"], {"kind": decoded.UNKNOWN}
    if kind == "book" and tag == "cs" and rest:
        if type(rest[0]) is not Number:
            raise RefusedError("no checksum")
        said = {"kind": decoded.CHECKSUM, "checksum": _integer(rest.pop(0))}
    elif kind == "book" and tag == "" and rest:
        said = _levels(rest.pop(0), channel)
    elif kind == "trades" and tag in ("", "te") and rest:
        said = _trades(rest.pop(0), channel)
    if said["kind"] != decoded.UNKNOWN:
        said["instrument"] = channel["instrument"]
    counters = _counters(rest)
    if "trades" in said and counters["ts_exchange"] == 0:
        counters["ts_exchange"] = max([0, *(trade[-1] for trade in said["trades"])])
    return said | counters


def _counters(rest: list) -> dict:
    found = {"connection_id": decoded.NO_ID, "ts_exchange": 0}
    for item in rest:
        if type(item) is not Number or item.startswith("-"):
            continue
        number = _integer(item)
        if number > 9_223_372_036_854:
            raise RefusedError("no time")
        if number >= 10**12:
            found["ts_exchange"] = number * 10**6
        elif found["connection_id"] == decoded.NO_ID:
            found["connection_id"] = number
    return found


def _rows(payload: Any) -> tuple[list, bool]:
    if not isinstance(payload, list):
        raise RefusedError("no rows")
    several = not payload or isinstance(payload[0], list)
    rows = payload if several else [payload]
    if not all(isinstance(row, list) for row in rows):
        raise RefusedError("a row is a list")
    return rows, several


def _levels(payload: Any, channel: dict) -> dict:
    rows, several = _rows(payload)
    levels = []
    for row in rows:
        price, count, amount = row[:3]
        price = _units(price, channel["price_exponent"])
        amount = _units(amount, channel["volume_exponent"])
        if price < 0 or _integer(count) < 0 or amount == 0:
            raise RefusedError("no level")
        side = BID if amount > 0 else ASK
        levels.append((side, price, abs(amount) if _integer(count) else 0))
    snapshot = several and not channel["has_snapshot"]
    if snapshot and not levels:
        levels = [(BID, 0, 0)]
    return {"kind": decoded.SNAPSHOT if snapshot else decoded.DEPTH, "levels": levels}


def _trades(payload: Any, channel: dict) -> dict:
    rows, several = _rows(payload)
    trades = []
    for row in rows:
        number, time, amount, price = row[:4]
        price = _units(price, channel["price_exponent"])
        amount = _units(amount, channel["volume_exponent"])
        if price < 0 or amount == 0 or not 0 <= _integer(time) <= 9_223_372_036_854:
            raise RefusedError("no trade")
        side = BID if amount > 0 else ASK
        trades.append((price, abs(amount), _integer(number), side, _integer(time) * 10**6))
    return {"kind": decoded.TRADE, "trades": trades, "past": several}


def _units(text: Any, exponent: int) -> int:
    if type(text) not in (str, Number):
        raise RefusedError("not a number")
    value, status = numbers.parse_decimal(str(text), exponent)
    if status != OK:
        raise RefusedError(text)
    return value


def _integer(text: Any) -> int:
    if type(text) not in (str, Number) or not INTEGER.fullmatch(text) or abs(int(text)) >= 1 << 63:
        raise RefusedError("not an integer")
    return int(text)


# ---------------------------------------------------------------- checksums


def javascript(value: Decimal) -> str:
    """A number as JavaScript prints it: the shortest digits that read as the same double."""
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(digits) + exponent  # the value is 0.digits times ten to this
    head = "-" if sign else ""
    if point > 21 or point <= -6:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        return f"{head}{mantissa}e{point - 1:+d}"
    if point <= 0:
        return f"{head}0.{'0' * -point}{text}"
    whole, part = text[:point].ljust(point, "0"), text[point:]
    return head + whole + ("." + part if part else "")


def checksum(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    """Of levels as texts, the best first, volumes without a sign."""
    parts = []
    for i in range(25):
        for side, sign in ((bids, ""), (asks, "-")):
            if i < len(side):
                parts += [side[i][0], sign + side[i][1]]
    unsigned = zlib.crc32(":".join(parts).encode())
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned
