"""Captures made for tests, and archives read back as text."""

import gzip
import json

import numpy as np

from mantra.archive import ArchiveReader
from mantra.backtest.importer import ImportReport, import_captures
from mantra.messages.enums import FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables

T0 = 1_723_161_253_937_085_768  # ns


# ---------------------------------------------------------------- made-up captures


def depth(first: int, last: int, bids="", asks="", symbol="BTCUSDT", previous: int | None = None):
    """A depth message; levels as "price:volume price:volume"."""
    sides = {"b": bids, "a": asks}
    levels = {side: [level.split(":") for level in sides[side].split()] for side in sides}
    chain = {} if previous is None else {"pu": previous}
    data = {"e": "depthUpdate", "E": 1723161255208, "s": symbol, "U": first, "u": last}
    return {"stream": f"{symbol.lower()}@depth@100ms", "data": data | chain | levels}


def snapshot(last: int, bids: str, asks: str):
    lists = ([level.split(":") for level in text.split()] for text in (bids, asks))
    return {"lastUpdateId": last, **dict(zip(("bids", "asks"), lists, strict=True))}


def trade(number: int, price: str, volume: str, event="trade", symbol="BTCUSDT"):
    name = "t" if event == "trade" else "a"
    data = {"e": event, "E": 1, "s": symbol, name: number, "p": price, "q": volume, "T": 5}
    return {"stream": f"{symbol.lower()}@{event}", "data": data | {"m": False}}


TICKER = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}


def write(path, messages, times=None) -> None:
    """A capture: one line a message; bytes are written as they are."""
    lines = []
    for i, message in enumerate(messages):
        time = T0 + i if times is None else times[i]
        line = (
            message if isinstance(message, bytes) else b"%d " % time + json.dumps(message).encode()
        )
        lines.append(line)
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))


class Imported:
    def __init__(self, report: ImportReport, directory):
        self.report = report
        reader = ArchiveReader(directory)
        empty = {"l2": np.zeros(0, L2_UPDATE), "trades": np.zeros(0, TRADE_UPDATE)}
        self.l2, self.trades = (
            reader.read(stream) if stream in reader.streams else empty[stream]
            for stream in ("l2", "trades")
        )
        self.metadata = reader.metadata
        self.tables = Tables.from_dict(reader.metadata["tables"])

    def groups(self) -> list[str]:
        """Each group as text: flags of its first record, id, levels."""
        groups: list[str] = []
        for row in self.l2:
            if row["flags"] & FIRST:
                groups.append(f"{row['sequence']}{'*' if row['flags'] & SNAPSHOT else ''}:")
            groups[-1] += f" {'ba'[row['side']]}{row['price']}x{row['volume']}"
            groups[-1] += ";" if row["flags"] & LAST else ""
        return groups


def import_made(folder, *captures, **options) -> Imported:
    """Import captures made of these messages; files are named 0.gz, 1.gz, …"""
    files = []
    for i, messages in enumerate(captures):
        files.append(folder / f"{i}.gz")
        write(files[-1], messages)
    return Imported(import_captures(files, folder / "archive", **options), folder / "archive")
