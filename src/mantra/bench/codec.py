"""`mantra bench codec`: messages to integers in memory, beside the fastest JSON libraries.

In:        frames of all five venues (codec_frames.py).
Out:       ns a message and GB/s of each codec and peer, over the same frames, in turns.
Must not know: how a codec works.

Each pass decodes every frame of a venue once, in order, from one text that is larger than the
nearer caches. The peers parse to Python objects and then make integers of prices and volumes the
cheapest way there is: `int` of the text without its point, or a rounded product where the venue
writes bare numbers (which is not exact: that is to their favour). CPU time of the thread.
"""

import json
import re
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from mantra.bench.codec_frames import FRAMES, root
from mantra.bench.harness import Bench, interleaved
from mantra.compiled import compiled
from mantra.exchanges import codecs
from mantra.exchanges.bitfinex import channels as bitfinex
from mantra.exchanges.decoded import DECODED, OK
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.messages.records import L2_UPDATE
from mantra.messages.tables import Tables

LEVELS_MAX = 1 << 17
TIMES_FASTER = 4
FIELDS = ("codec", "text", "ends", "count", "index", "records", "decoded", "levels", "refused")
PASS = np.dtype([(name, "i8") for name in FIELDS])
WORD = np.dtype("i8")


@compiled
def decode_all(pass_address):
    """Every frame of a pass once; counts records, and frames that were refused."""
    work = records_at(pass_address, 1, PASS)[0]
    ends = records_at(work["ends"], work["count"], WORD)
    result = records_at(work["decoded"], 1, DECODED)[0]
    begin = np.int64(0)
    work["levels"], work["refused"] = 0, 0
    for number in range(work["count"]):
        status = codecs.decode(
            work["codec"],
            work["text"] + begin,
            ends[number] - begin,
            work["index"],
            np.int64(0),
            work["records"],
            np.int64(LEVELS_MAX),
            work["decoded"],
        )
        work["levels"] += result["count"]
        work["refused"] += np.int64(status != OK)
        begin = ends[number]
    return work["levels"]


class Frames:
    """A venue's frames, and all that its codec needs to decode them."""

    def __init__(self, venue: str):
        self.venue, self.frames = venue, FRAMES[venue]()
        self.text = np.frombuffer(b"".join(self.frames), np.uint8)
        self.ends = np.cumsum([len(frame) for frame in self.frames])
        self.records, self.decoded = aligned_zeros(LEVELS_MAX, L2_UPDATE), aligned_zeros(1, DECODED)
        self.work = aligned_zeros(1, PASS)
        self.index = SymbolIndex(self._tables(), 0)
        self.channels = aligned_zeros(bitfinex.SLOTS, bitfinex.CHANNEL)
        work = self.work[0]
        work["codec"], work["text"] = codecs.CODECS.index(venue), address_of(self.text)
        work["ends"], work["count"] = address_of(self.ends), len(self.ends)
        work["index"], work["decoded"] = self.index.address, address_of(self.decoded)
        work["records"] = address_of(self.records)
        if venue == "bitfinex":
            self._open_channels()

    def _tables(self) -> Tables:
        """All symbols at decimals that hold what the frames say."""
        tables = Tables()
        venue, asset = tables.add_venue(self.venue), tables.add_asset("?", 8)
        names = re.findall(
            rb'"(?:symbol|product_id|s|pair)":"([^"]+)"|_book_([a-z]+)|_trades_([a-z]+)',
            b"".join(self.frames),
        )
        for name in sorted({next(filter(None, found)).decode() for found in names}):
            tables.add_instrument(
                venue, name.upper(), asset, asset, price_exponent=8, volume_exponent=8
            )
        return tables

    def _open_channels(self) -> None:
        self.work["index"] = address_of(self.channels)
        for frame in self.frames:
            if b'"subscribed"' in frame:
                bitfinex.open_channel(self.channels, self.index, json.loads(frame))

    def timed(self) -> float:
        """ns a message of one pass."""
        began = time.thread_time_ns()
        decode_all(address_of(self.work))
        return (time.thread_time_ns() - began) / len(self.frames)

    def timed_peer(self, loads: Callable[[bytes], Any]) -> float:
        integers = INTEGERS[self.venue]
        began = time.thread_time_ns()
        for frame in self.frames:
            integers(loads(frame))
        return (time.thread_time_ns() - began) / len(self.frames)


def _texts(levels: list) -> list[int]:
    return [int(text.replace(".", "")) for level in levels for text in level[:2]]


def _binance(message: dict) -> list[int]:
    data = message["data"]
    if "b" in data:
        return _texts(data["b"]) + _texts(data["a"])
    return _texts([(data["p"], data["q"])])


def _bitfinex(message: Any) -> list[int]:
    if isinstance(message, dict) or not isinstance(message[1], list):
        return []
    levels = message[1] if isinstance(message[1][0], list) else [message[1]]
    return [round(number * 1e8) for level in levels for number in level]


def _bitstamp(message: dict) -> list[int]:
    data = message["data"]
    if "bids" in data:
        return _texts(data["bids"]) + _texts(data["asks"])
    return _texts([(data["price_str"], data["amount_str"])])


def _coinbase(message: dict) -> list[int]:
    return [
        int(update[name].replace(".", ""))
        for event in message["events"]
        for update in event["updates"]
        for name in ("price_level", "new_quantity")
    ]


def _kraken(message: dict) -> list[int]:
    return [
        round(level[name] * 1e8)
        for book in message["data"]
        for side in ("bids", "asks")
        for level in book[side]
        for name in ("price", "qty")
    ]


INTEGERS: dict[str, Callable[[Any], list[int]]] = {
    "binance": _binance,
    "bitfinex": _bitfinex,
    "bitstamp": _bitstamp,
    "coinbase": _coinbase,
    "kraken": _kraken,
}


def peers(bench: Bench) -> dict[str, Callable[[bytes], Any]]:
    """The JSON libraries that are installed."""
    found: dict[str, Callable[[bytes], Any]] = {}
    for name in ("orjson", "msgspec", "simdjson"):
        if not find_spec(name):
            bench.note(f"{name} is not installed: pip install mantra[bench]")
        elif name == "orjson":
            import orjson

            found[name] = orjson.loads
        elif name == "msgspec":
            import msgspec

            found[name] = msgspec.json.Decoder().decode
        else:
            import simdjson

            found[name] = simdjson.loads
    return found


def run(quick: bool = False) -> Bench:
    """Measure every venue whose frames there are."""
    bench = Bench("codec")
    if not root().is_dir():
        bench.note("no recorded data ($MANTRA_DATA): nothing to decode")
        return bench
    others = peers(bench)
    for venue in FRAMES:
        frames = Frames(venue)
        contenders: dict[str, Callable[[], float]] = {f"{venue}_ns_per_msg": frames.timed}
        for name, loads in others.items():
            contenders[f"{venue}_{name}_ns_per_msg"] = partial(frames.timed_peer, loads)
        frames.timed()  # Compiled, and memory touched.
        if frames.work[0]["refused"]:
            raise RuntimeError(
                f"bench codec: {frames.work[0]['refused']} frames of {venue} refused"
            )
        times = interleaved(contenders, 3 if quick else 9)
        mine = bench.result(f"{venue}_ns_per_msg", times.pop(f"{venue}_ns_per_msg"))
        bench.result(f"{venue}_gb_per_s", len(frames.text) / len(frames.frames) / mine)
        bench.result(f"{venue}_bytes_per_msg", len(frames.text) / len(frames.frames))
        medians = [bench.result(key, values) for key, values in times.items()]
        if medians:
            best = bench.result(f"{venue}_best_peer_ns_per_msg", min(medians))
            bar, why = best / TIMES_FASTER, f"{TIMES_FASTER} × faster than the best peer"
            bench.bar(f"{venue}_ns_per_msg", "<=", bar, why)
    return bench
