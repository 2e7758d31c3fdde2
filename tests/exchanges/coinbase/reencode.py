"""Frames of the Exchange in Advanced Trade's form: re-encoded, not recorded.

No long recording of the Advanced form exists. What the two forms do not share is made up: numbers
of messages from 0 on, an envelope's time where the Exchange says none.
"""

import json
from collections.abc import Iterable, Iterator

SIDES = {"buy": "bid", "sell": "offer"}
NO_TIME = "2021-04-17T16:43:37.000000Z"


def as_advanced(frames: Iterable[bytes]) -> Iterator[bytes]:
    for number, raw in enumerate(frames):
        message = json.loads(raw)
        channel, events = _events(message)
        envelope = {
            "channel": channel,
            "client_id": "",
            "timestamp": message.get("time", NO_TIME),
            "sequence_num": number,
            "events": events,
        }
        yield json.dumps(envelope, separators=(",", ":")).encode()


def _events(message: dict) -> tuple[str, list[dict]]:
    kind, product = message["type"], message.get("product_id")
    if kind == "l2update":
        levels = [_level(message["time"], *change) for change in message["changes"]]
        return "l2_data", [{"type": "update", "product_id": product, "updates": levels}]
    if kind == "snapshot":
        levels = [_level(NO_TIME, "buy", *level) for level in message["bids"]]
        levels += [_level(NO_TIME, "sell", *level) for level in message["asks"]]
        return "l2_data", [{"type": "snapshot", "product_id": product, "updates": levels}]
    if kind in ("match", "last_match"):
        names = ("product_id", "price", "size", "time")
        trade = {"trade_id": str(message["trade_id"])} | {name: message[name] for name in names}
        return "market_trades", [
            {"type": "update", "trades": [trade | {"side": message["side"].upper()}]}
        ]
    return kind, [{"type": "update", kind: message}]


def _level(time: str, side: str, price: str, volume: str) -> dict:
    names = ("side", "event_time", "price_level", "new_quantity")
    return dict(zip(names, (SIDES[side], time, price, volume), strict=True))
