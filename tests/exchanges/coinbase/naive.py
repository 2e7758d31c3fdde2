"""Coinbase market data by `json` and `decimal`: slow, obvious, independent of the decoders."""

from datetime import UTC, datetime, timedelta
from re import ASCII, fullmatch
from typing import Any

from mantra.exchanges import decoded
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.exchanges.naive import Members, RefusedError, integer, items, load, units

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d)(?:\.(\d+))?Z"
OWN_KEYS = (
    {"channel", "timestamp", "sequence_num", "events"},
    {"type", "product_id", "updates", "trades"},
    {"side", "price_level", "new_quantity"},
    {"trade_id", "product_id", "price", "size", "side", "time"},
)
ADVANCED_KINDS = {
    "l2_data": decoded.DEPTH,
    "market_trades": decoded.TRADE,
    "heartbeats": decoded.HEARTBEAT,
    "subscriptions": decoded.CONTROL,
    "status": decoded.CONTROL,
}
EXCHANGE_KINDS = {
    "l2update": decoded.DEPTH,
    "snapshot": decoded.SNAPSHOT,
    "match": decoded.TRADE,
    "last_match": decoded.TRADE,
    "heartbeat": decoded.HEARTBEAT,
    **dict.fromkeys(("subscriptions", "error", "status"), decoded.CONTROL),
}
SIDES = {"bid": BID, "offer": ASK, "buy": BID, "sell": ASK, "BUY": BID, "SELL": ASK}
Symbols = dict[str, tuple[int, int, int]]  # (instrument, price exponent, volume exponent)


def advanced(raw: bytes, symbols: Symbols, unnamed: str = "") -> dict:
    return _decode(raw, symbols, _advanced)


def exchange(raw: bytes, symbols: Symbols, unnamed: str = "") -> dict:
    return _decode(raw, symbols, _exchange)


def _decode(raw: bytes, symbols: Symbols, read) -> dict:
    """What the message says, in the words of `decoding.said`."""
    try:
        frame = load(raw)
        if not isinstance(frame, Members):
            raise TypeError("a frame is an object")
        said = {"kind": decoded.UNKNOWN, "ts_exchange": 0, "connection_id": decoded.NO_ID}
        said |= {"first_id": decoded.NO_ID, "last_id": decoded.NO_ID, "instrument": -1}
        return said | {"rows": []} | read(frame, symbols)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RefusedError(repr(error)) from None


def _known_once(members: Members, keys: set[str]) -> None:
    if members.twice & keys:
        raise ValueError("a field twice")


def _advanced(frame: Members, symbols: Symbols) -> dict:
    _known_once(frame, OWN_KEYS[0])
    kind = decoded.CONTROL
    if "channel" in frame:
        kind = _word(frame["channel"], ADVANCED_KINDS, decoded.UNKNOWN)
    said: dict[str, Any] = {"kind": kind}
    if "timestamp" in frame:
        said["ts_exchange"] = nanoseconds(frame["timestamp"])
    if "sequence_num" in frame:
        said["connection_id"] = _bare(frame["sequence_num"])
    if kind in (decoded.UNKNOWN, decoded.CONTROL):
        return said
    missing = OWN_KEYS[0] - set(frame)
    if missing:
        raise KeyError(missing)
    if kind == decoded.HEARTBEAT:
        return said
    rows: list[tuple] = []
    for event in items(frame["events"]):
        if kind == decoded.TRADE:
            _known_once(event, {"trades"})
            found = [_trade(trade, symbols) for trade in items(event["trades"])]
            falls = bool(found) and (found[0][5], found[0][4]) > (found[-1][5], found[-1][4])
            if found:
                said["instrument"] = found[-1][0]
            rows += found[::-1] if falls else found
            continue
        _known_once(event, {"type", "product_id", "updates"})
        snapshot = {"snapshot": True, "update": False}[event["type"]]
        if snapshot:
            said["kind"] = decoded.SNAPSHOT
        instrument, *exponents = symbols[event["product_id"].upper()]
        said["instrument"] = instrument
        levels = []
        for level in items(event["updates"]):
            _known_once(level, OWN_KEYS[2])
            price, volume = level["price_level"], level["new_quantity"]
            levels.append((SIDES[level["side"]], *_units(price, volume, exponents)))
        rows += _group(levels, instrument, snapshot, said["ts_exchange"], said["connection_id"])
    if kind == decoded.TRADE and rows:
        said["last_id"] = rows[-1][4]
    return said | {"rows": rows}


def _exchange(message: Members, symbols: Symbols) -> dict:
    _known_once(message, OWN_KEYS[3] | {"type", "changes", "bids", "asks", "sequence"})
    kind = _word(message.get("type"), EXCHANGE_KINDS, decoded.UNKNOWN)
    said: dict[str, Any] = {"kind": kind}
    if kind in (decoded.UNKNOWN, decoded.CONTROL, decoded.HEARTBEAT):
        return said
    instrument, *exponents = symbols[message["product_id"].upper()]
    said["instrument"] = instrument
    if "time" in message or kind != decoded.SNAPSHOT:
        said["ts_exchange"] = nanoseconds(message["time"])
    if kind == decoded.TRADE:
        rows = [_trade(message, symbols)]
        return said | {
            "first_id": integer(message["sequence"]),
            "last_id": rows[0][4],
            "rows": rows,
        }
    if kind == decoded.DEPTH:
        changes = [items(change) for change in items(message["changes"])]
    else:
        bids, asks = items(message["bids"]), items(message["asks"])
        changes = [["buy", *items(level)] for level in bids]
        changes += [["sell", *items(level)] for level in asks]
    levels = []
    for side, price, volume, *_ in changes:
        levels.append((SIDES[side], *_units(price, volume, exponents)))
    snapshot = kind == decoded.SNAPSHOT
    return said | {"rows": _group(levels, instrument, snapshot, said.get("ts_exchange", 0), 0)}


def _group(levels: list, instrument: int, snapshot: bool, time: int, number: int) -> list[tuple]:
    """(instrument, side, price, volume, sequence, time, flags) of each level."""
    last = len(levels) - 1
    return [
        (
            *(instrument, *level, number, time),
            SNAPSHOT * snapshot | FIRST * (place == 0) | LAST * (place == last),
        )
        for place, level in enumerate(levels)
    ]


def _trade(trade: Members, symbols: Symbols) -> tuple:
    """As a level, with the trade's id for the sequence."""
    _known_once(trade, OWN_KEYS[3])
    instrument, *exponents = symbols[trade["product_id"].upper()]
    price, volume = _units(trade["price"], trade["size"], exponents)
    number, time = integer(trade["trade_id"]), nanoseconds(trade["time"])
    return instrument, 1 - SIDES[trade["side"]], price, volume, number, time, FIRST | LAST


def _bare(number: Any) -> int:
    if type(number) is not int:
        raise TypeError("a sequence number is no string")
    return integer(number)


def _word(text: Any, kinds: dict[str, int], other: int) -> int:
    return kinds.get(text, other) if type(text) is str else other


def _units(price: Any, volume: Any, exponents: list[int]) -> tuple[int, int]:
    return units(price, exponents[0]), units(volume, exponents[1])


def nanoseconds(text: Any) -> int:
    match = fullmatch(TIME, text, ASCII)
    if not match or int(match[2]) > 60:
        raise ValueError(f"no time: {text}")
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(match[2])
    if not (1970 <= year <= 2261 and 1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(f"no date: {text}")
    if hour > 23 or minute > 59:
        raise ValueError(f"no time of day: {text}")
    # The 31st of a shorter month is a day of the next; so is the shared reader's.
    date = datetime(year, month, 1, tzinfo=UTC) + timedelta(days=day - 1)
    whole = (date - EPOCH) // timedelta(seconds=1) + hour * 3600 + minute * 60 + second
    return whole * 10**9 + int(((match[3] or "") + "0" * 9)[:9])
