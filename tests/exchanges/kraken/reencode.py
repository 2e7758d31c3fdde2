"""Recorded books of other wire forms, written again as v2 frames: re-encoded, not recorded.

The levels, their order and times are those of the recording; the frame, and where the source has
no checksum of its own, the checksum are made here, by the naive book.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.exchanges import recorded
from tests.exchanges.kraken import naive

SESSION = "cryptofeed/2021-04-17_3525dc8c/KRAKEN.ws.50.0"
SESSION_DEPTH = 1000


def legacy_frames() -> list[bytes]:
    """The recorded v1 book session: events, snapshots, updates."""
    return [raw for _, raw in recorded.cryptofeed_messages(SESSION)]


def wire_decimals(frames: list[bytes]) -> dict[str, tuple[int, int]]:
    """(decimals of prices, of volumes) by symbol, as the frames write them."""
    found: dict[str, tuple[int, int]] = {}
    for raw in frames:
        message = json.loads(raw)
        if isinstance(message, list) and str(message[-2]).startswith("book"):
            for part in message[1:-2]:
                for key in part.keys() - {"c"}:
                    for level in part[key]:
                        price, volume = (len(text.partition(".")[2]) for text in level[:2])
                        assert found.setdefault(message[-1], (price, volume)) == (price, volume)
    return found


def modern(frames: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """(symbol, v2 frame) of each book frame of v1, with the checksum that v1 sent, or one made.

    v1 snapshots carry none.
    """
    exponents = wire_decimals(frames)
    symbols = {name: (0, *places) for name, places in exponents.items()}
    books = {name: naive.Book(SESSION_DEPTH) for name in symbols}
    for raw in frames:
        message = json.loads(raw)
        if isinstance(message, dict):
            continue
        name, levels, sent = message[-1], {0: [], 1: []}, None
        snapshot = "as" in message[1]
        for part in message[1:-2]:
            for key, value in part.items():
                if key == "c":
                    sent = int(value)
                else:
                    levels[key.startswith("a")] += value
        times = [level[2] for side in levels.values() for level in side]
        said = naive.decode_legacy(raw, symbols)["groups"][0]
        books[name].apply(said["levels"], snapshot)
        made = books[name].checksum(symbols[name]) if sent is None else sent
        yield name, frame(name, levels, snapshot, made, max(times, key=float))


def frame(name: str, levels: dict, snapshot: bool, checksum: int, seconds: str) -> bytes:
    """A v2 frame; levels are (price text, volume text, …) by side."""
    bids, asks = (
        ",".join(f'{{"price":{level[0]},"qty":{level[1]}}}' for level in levels[side])
        for side in (0, 1)
    )
    whole, _, fraction = seconds.partition(".")
    time = datetime.fromtimestamp(int(whole), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    kind = "snapshot" if snapshot else "update"
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{name}","bids":[{bids}],'
        f'"asks":[{asks}],"checksum":{checksum},"timestamp":"{time}.{fraction or 0}Z"}}]}}'
    ).encode()
