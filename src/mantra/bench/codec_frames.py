"""Market-data frames of every venue to measure codecs with: recorded, or re-encoded from recorded.

In:        $MANTRA_DATA (default: ../shared/data).
Out:       a venue's frames in its live form, and the decimals of each symbol.
Must not know: codecs.

Binance, Bitfinex and Bitstamp are as recorded. No long recording of Kraken's v2 and of Coinbase's
Advanced form exists: theirs are the recorded levels of v1 and of the Exchange form, written anew.
"""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

DUMPS = "cryptofeed/2021-04-17_3525dc8c/"
FRAME = re.compile(rb"[0-9.]+: (.*)")
TIME = "2021-04-17T16:43:37.000000Z"
Decimals = dict[str, tuple[int, int]]  # of prices, of volumes, by symbol


def root() -> Path:
    return Path(os.environ.get("MANTRA_DATA", "../shared/data"))


def dump(name: str) -> list[bytes]:
    """The frames of a dump of connections."""
    lines = (root() / DUMPS / name).read_bytes().splitlines()
    return [match[1] for line in lines if (match := FRAME.fullmatch(line))]


def binance() -> list[bytes]:
    with gzip.open(root() / "binance-collector/spot_btcusdt_20240809.gz") as lines:
        frames = [line.partition(b" ")[2].rstrip() for line in lines]
    return [frame for frame in frames if b'"depthUpdate"' in frame or b'"e":"trade"' in frame]


def bitfinex() -> list[bytes]:
    return dump("BITFINEX.ws.11.0")


def bitstamp() -> list[bytes]:
    return [frame for frame in dump("BITSTAMP.ws.19.0") if b'"bts:' not in frame]


def coinbase() -> list[bytes]:
    return list(_as_advanced(map(json.loads, dump("COINBASE.ws.28.0"))))


def _as_advanced(messages: Iterator[dict]) -> Iterator[bytes]:
    names = ("side", "event_time", "price_level", "new_quantity")
    sides = {"buy": "bid", "sell": "offer"}
    for number, message in enumerate(messages):
        if message["type"] not in ("l2update", "snapshot"):
            continue
        changes = message.get("changes") or [
            (side, *level) for side in sides for level in message[("asks", "bids")[side == "buy"]]
        ]
        rows = [(sides[side], TIME, price, volume) for side, price, volume in changes]
        kind = "snapshot" if message["type"] == "snapshot" else "update"
        event = {"type": kind, "product_id": message["product_id"]}
        event["updates"] = [dict(zip(names, row, strict=True)) for row in rows]
        facts = {"channel": "l2_data", "client_id": "", "timestamp": TIME, "sequence_num": number}
        yield json.dumps(facts | {"events": [event]}, separators=(",", ":")).encode()


def kraken() -> list[bytes]:
    messages = map(json.loads, dump("KRAKEN.ws.50.0"))
    return [_as_v2(message) for message in messages if isinstance(message, list)]


def _as_v2(message: list) -> bytes:
    parts: dict = {}
    for part in message[1:-2]:
        parts |= part
    sides = []
    for name in "ba":
        levels = parts.get(name, []) + parts.get(name + "s", [])
        texts = (f'{{"price":{price},"qty":{volume}}}' for price, volume, *_ in levels)
        sides.append(f"[{','.join(texts)}]")
    kind = "snapshot" if "as" in parts else "update"
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{message[-1]}","bids":{sides[0]},'
        f'"asks":{sides[1]},"checksum":{parts.get("c", 0)},"timestamp":"{TIME}"}}]}}'
    ).encode()


FRAMES: dict[str, Callable[[], list[bytes]]] = {
    "binance": binance,
    "bitfinex": bitfinex,
    "bitstamp": bitstamp,
    "coinbase": coinbase,
    "kraken": kraken,
}
