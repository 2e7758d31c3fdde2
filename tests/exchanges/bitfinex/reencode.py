"""The recorded Binance book as Bitfinex would have sent it: re-encoded, not recorded.

No recording of the venue has checksums. Here the server is a dict: of each Binance message it keeps
the best `window` levels a side, sends what changed in them, removals by name, and now and then the
checksum, made of texts alone (naive.py).
"""

import json
from collections.abc import Iterator
from decimal import Decimal

from mantra.messages.enums import ASK, BID
from tests.exchanges import recorded
from tests.exchanges.bitfinex.naive import checksum, javascript

CHANNEL = 5
MS_BEGIN = 1_723_161_255_000


class Server:
    """One channel of one connection."""

    def __init__(self, window: int):
        self.window = window
        self.sides: tuple[dict, dict] = ({}, {})
        self.sent: tuple[dict, dict] = ({}, {})
        self.count = 0

    def frame(self, payload: str) -> bytes:
        self.count += 1
        return f"[{CHANNEL},{payload},{self.count},{MS_BEGIN + self.count}]".encode()

    def take(self, message: dict) -> None:
        """Take a Binance message: its levels, price and volume as texts."""
        for side, names in ((BID, ("b", "bids")), (ASK, ("a", "asks"))):
            for price, volume in next(message[name] for name in names if name in message):
                self.sides[side].pop(Decimal(price), None)
                if Decimal(volume):
                    self.sides[side][Decimal(price)] = Decimal(volume)

    def changes(self) -> list[str]:
        """Rows that bring the client's window to what it is now."""
        rows = []
        for side, sign in ((BID, ""), (ASK, "-")):
            best = sorted(self.sides[side], reverse=side == BID)[: self.window]
            now = {price: self.sides[side][price] for price in best}
            was = self.sent[side]
            rows += [f"[{javascript(price)},0,{sign}1]" for price in was if price not in now]
            rows += [
                f"[{javascript(price)},{1 + number % 7},{sign}{javascript(volume)}]"
                for number, (price, volume) in enumerate(now.items())
                if was.get(price) != volume
            ]
            self.sent[side].clear()
            self.sent[side].update(now)
        return rows

    def checksum(self) -> bytes:
        texts = [
            [(javascript(price), javascript(volume)) for price, volume in side.items()]
            for side in self.sent
        ]
        return self.frame(f'"cs",{checksum(*texts)}')


def frames(window: int, messages: int, bulk: bool) -> Iterator[bytes]:
    """Snapshot, updates of so many Binance messages, a checksum after each."""
    server, begun = Server(window), 0
    waiting: list[dict] = []
    for raw in recorded.collector_messages(recorded.SPOT[0]):
        if not (raw.startswith(b'{"last') or b'"depthUpdate"' in raw):
            continue
        message = json.loads(raw)
        if "lastUpdateId" in message:
            server.take(message)
            for diff in waiting:
                if diff["u"] > message["lastUpdateId"]:
                    server.take(diff)
            begun = 1
            yield server.frame(f"[{','.join(server.changes())}]")
            yield server.checksum()
        elif not begun:
            waiting.append(message["data"])
        elif begun <= messages:
            begun += 1
            server.take(message["data"])
            rows = server.changes()
            if bulk and rows:
                yield server.frame(f"[{','.join(rows)}]")
            elif rows:
                yield from map(server.frame, rows)
            yield server.checksum()
        else:
            return
