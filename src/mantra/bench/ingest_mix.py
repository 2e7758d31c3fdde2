"""What the ingest bench sends: 5,764 instruments of five venues on 169 connections, as templates.

In:        $MANTRA_DATA, if it is there.
Out:       texts with marks where a number is written at sending; bases; who is on which connection.
Must not know: sockets, handlers.

A cycle is what one recorded symbol of a venue said of its book, over and over: levels, numbers of
levels and digits are the recording's. Two things are not. A price on the wrong side of the level
that parts most bids from most asks is mirrored at it, so that the end of a cycle and its beginning
never cross. And each fifth update is followed by a trade. Every instrument follows one of its
venue's cycles. Its base is the book at the end of the cycle, filled up to 500 levels a side, so
checksums (Kraken's) hold in every round. Without recordings one cycle a venue is made up, with as
many levels an update as recordings have.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mantra.bench import codec_frames
from mantra.bench.ingest_speech import MARK, SPEECH, Books, Cycle, Level, N, S
from mantra.icc.memory import address_of, record_type
from mantra.messages.enums import ASK, BID
from mantra.messages.tables import Tables
from mantra.transport.frames import TEXT

BASE_LEVELS = 500  # a side
CYCLES_MAX, EVENTS_MIN, EVENTS_MAX = 8, 20, 512
TRADE_EVERY = 5
MADE_UP_LEVELS = (1, 1, 1, 1, 2, 2, 3, 4, 8)


class Plan(NamedTuple):
    """A venue's part. Instruments and connections as its limits allow; `share` of all messages."""

    symbol: str  # N: the instrument's number
    instruments: int
    connections: int
    share: float


PLANS = {
    "binance": Plan(f"X{N}USDT", 2900, 37, 0.50),
    "bitfinex": Plan(f"tX{N}USD", 500, 42, 0.08),
    "bitstamp": Plan(f"x{N}usd", 264, 3, 0.04),
    "coinbase": Plan(f"X{N}-USD", 800, 80, 0.22),
    "kraken": Plan(f"X{N}/USD", 1300, 7, 0.16),
}


# ------------------------------------------------------------ what was recorded

Rows = list[tuple[int, str, str]]


def _binance(m: Any) -> tuple[str, list]:
    assert m["data"]["e"] == "depthUpdate"
    return m["stream"], [(BID, m["data"]["b"]), (ASK, m["data"]["a"])]


def _bitfinex(m: Any) -> tuple[str, list]:
    price, count, amount = m[1]
    volume = amount.lstrip("-") if count != "0" else "0"
    return m[0], [(int(amount[0] == "-"), [(price, volume)])]


def _bitstamp(m: Any) -> tuple[str, list]:
    return m["channel"], [(BID, m["data"]["bids"]), (ASK, m["data"]["asks"])]


def _coinbase(m: Any) -> tuple[str, list]:
    (event,) = m["events"]
    assert event["type"] == "update"
    return event["product_id"], [
        (int(row["side"] != "bid"), [(row["price_level"], row["new_quantity"])])
        for row in event["updates"]
    ]


def _kraken(m: Any) -> tuple[str, list]:
    (book,) = m["data"]
    assert m["type"] == "update"
    return book["symbol"], [
        (side, [(level["price"], level["qty"]) for level in book[name]])
        for side, name in enumerate(("bids", "asks"))
    ]


RECORDED: dict[str, tuple[Callable[[], list[bytes]], Callable[[Any], tuple[str, list]]]] = {
    # A busy instrument of one capture, quiet ones of another.
    "binance": (lambda: codec_frames.binance() + codec_frames.dump("BINANCE.ws.1.0"), _binance),
    "bitfinex": (codec_frames.bitfinex, _bitfinex),
    "bitstamp": (codec_frames.bitstamp, _bitstamp),
    "coinbase": (codec_frames.coinbase, _coinbase),
    "kraken": (codec_frames.kraken, _kraken),
}


def recorded(venue: str) -> list[list[Rows]]:
    """Updates by symbol, the busiest first; what is no update of a book is left out."""
    frames, parse = RECORDED[venue]
    found: dict[str, list[Rows]] = defaultdict(list)
    for frame in frames():
        try:
            symbol, sides = parse(json.loads(frame, parse_float=str, parse_int=str))
        except (LookupError, TypeError, ValueError, AssertionError):
            continue
        if rows := [(side, *row[:2]) for side, levels in sides for row in levels]:
            found[symbol].append(rows)
    busy = sorted(found.values(), key=len, reverse=True)[:CYCLES_MAX]
    return [updates[:EVENTS_MAX] for updates in busy if len(updates) >= EVENTS_MIN]


def made_up(seed: int) -> list[Rows]:
    """Updates near a touch that stays where it is."""
    random, updates = np.random.default_rng(seed), []
    for count in random.choice(MADE_UP_LEVELS, EVENTS_MAX):
        rows = []
        for side, away, lots in zip(
            random.integers(0, 2, count), random.geometric(0.03, count),
            random.integers(-300, 1000, count), strict=True,
        ):  # fmt: skip
            price = 5_000_000 - away if side == BID else 5_000_000 + away
            rows.append((int(side), f"{price / 100:.2f}", f"{max(lots, 0) / 1e5:.8f}"))
        updates.append(rows)
    return updates


# ------------------------------------------------------------ cycles


def _exponent(texts: list[str]) -> int:
    return max(len(text.partition(".")[2]) for text in texts)


def _units(text: str, exponent: int) -> int:
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(exponent, "0"))


def parted(updates: list[list[Level]]) -> tuple[int, list[list[Level]]]:
    """(the highest price of a bid, the updates with bids up to it and asks beyond)."""
    sides = [
        np.sort([price for update in updates for of, price, volume in update if of == side])
        for side in (BID, ASK)
    ]
    prices = np.unique(np.concatenate(sides))
    wrong = len(sides[BID]) - np.searchsorted(sides[BID], prices, "right")
    wrong += np.searchsorted(sides[ASK], prices, "right")
    split = int(prices[np.argmin(wrong)])
    mirrored = [
        [
            (side, price if (price > split) == side else 2 * split + 1 - price, volume)
            for side, price, volume in update
        ]
        for update in updates
    ]
    good = [[level for level in update if level[1] > 0] for update in mirrored]
    return split, [update for update in good if update]


def _apply(books: Books, update: list[Level]) -> None:
    for side, price, volume in update:
        if volume:
            books[side][price] = volume
        else:
            books[side].pop(price, None)


def _base(split: int, updates: list[list[Level]]) -> Books:
    books: Books = ({}, {})
    for update in updates:
        _apply(books, update)
    touched = {level[1] for update in updates for level in update}
    tick = int(np.gcd.reduce(np.array(sorted(touched))))
    volume = sum(books[BID].values()) // max(len(books[BID]), 1) or 1
    for side, step in ((BID, -tick), (ASK, tick)):
        price = split - split % tick + tick * side
        while len(books[side]) < BASE_LEVELS and price > 0:
            if price not in touched:
                books[side][price] = volume
            price += step
    return books


def make_cycle(venue: str, rows: list[Rows]) -> Cycle:
    """The templates of a cycle, and of its base."""
    levels = [row for update in rows for row in update]
    exponents = _exponent([row[1] for row in levels]), _exponent([row[2] for row in levels])
    cycle = Cycle(venue, exponents)
    split, updates = parted(
        [[(s, *map(_units, pair, exponents)) for s, *pair in update] for update in rows]  # type: ignore[misc]
    )
    books, speak = _base(split, updates), SPEECH[venue]
    whole = [(side, *level) for side in (BID, ASK) for level in books[side].items()]
    cycle.base = speak.base(cycle, whole, books).replace(S, "1" * len(S)).encode()
    for number, update in enumerate(updates):
        _apply(books, update)
        cycle.texts += [text.encode() for text in speak.book(cycle, update, books)]
        if number % TRADE_EVERY == 0:
            level = (number // TRADE_EVERY % 2, *max(books[BID].items()))
            cycle.texts.append(speak.trade(level[0], *cycle.level(level)).encode())
    return cycle


# ------------------------------------------------------------ who says what, and where

TEMPLATE = record_type("i8 text length field fields")  # address of a whole frame; its first FIELD
FIELD = record_type("i8 at width kind")  # where a number is written, and which (ingest_server.py)
VOICE = record_type("i8 number connection cycle texts position last")  # an instrument, as sent
PICKS = 1 << 16  # messages until the order of instruments begins again
POPULAR = 8.0  # the n-th instrument of a venue says 1 / (n + this) of its messages


class Mix:
    """All instruments, connections, templates; `part` of them for a quick run."""

    def __init__(self, part: int = 1, venues: tuple[str, ...] = tuple(PLANS)):
        self.tables = Tables()
        self.streams: list[tuple[str, list[str]]] = []
        self.recorded = codec_frames.root().is_dir()
        self.cycles: list[Cycle] = []
        voices: list[tuple] = []
        weights: list[np.ndarray] = []
        asset = self.tables.add_asset("?", 18)
        for name in venues:
            plan = PLANS[name]
            said = recorded(name) if self.recorded else [made_up(1)]
            cycles = [make_cycle(name, updates) for updates in said]
            first, count = len(self.streams), -(-plan.instruments // part)
            connections = -(-plan.connections // part)
            symbols: list[list[str]] = [[] for _ in range(connections)]
            for number in range(count):
                cycle = number % len(cycles)
                price, volume = cycles[cycle].exponents
                symbol = plan.symbol.replace(N, f"{number:05}")
                self._add(name, symbol, asset, price, volume)
                symbols[number % connections].append(symbol)
                voices.append((number, first + number % connections, len(self.cycles) + cycle))
            self.cycles += cycles
            self.streams += [(name, some) for some in symbols]
            popularity = 1 / (np.arange(count) + POPULAR)
            weights.append(popularity * plan.share / popularity.sum())
        share = np.concatenate(weights)
        random = np.random.default_rng(1)
        self.picks = random.choice(len(share), PICKS, p=share / share.sum()).astype(np.int64)
        self._lay_out(voices)

    def _add(self, venue: str, symbol: str, asset: int, price: int, volume: int) -> None:
        known = [name.decode() for name in self.tables.venues["name"]]
        number = known.index(venue) if venue in known else self.tables.add_venue(venue)
        facts: dict[str, Any] = {"price_exponent": price, "volume_exponent": volume}
        self.tables.add_instrument(number, symbol, asset, asset, **facts)

    def _lay_out(self, voices: list[tuple]) -> None:
        """Put all into arrays, for compiled code."""
        frames = bytearray()
        templates: list[tuple] = []
        fields: list[tuple] = []
        starts = []
        for cycle in self.cycles:
            starts.append(len(templates))
            for text in cycle.texts:
                frame = bytes([0x80 | TEXT]) + framed(text)
                marks = list(MARK.finditer(frame, len(frame) - len(text)))
                templates.append((len(frames), len(frame), len(fields), len(marks)))
                fields += [(m.start(), len(m[0]), m[0][0]) for m in marks]
                frames += frame
        self.frames = np.frombuffer(frames, np.uint8)
        self.templates, self.fields = np.array(templates, TEMPLATE), np.array(fields, FIELD)
        self.templates["text"] += address_of(self.frames)
        self.voices = np.zeros(len(voices), VOICE)
        for voice, (number, connection, cycle) in zip(self.voices, voices, strict=True):
            voice["number"], voice["connection"] = number, connection
            voice["cycle"], voice["texts"] = starts[cycle], len(self.cycles[cycle].texts)
        self.cycle_of = np.array([cycle for _, _, cycle in voices])

    def base(self, instrument: int) -> bytes:
        """What makes the instrument's book stand where its cycle begins."""
        base = self.cycles[self.cycle_of[instrument]].base
        return base.replace(N.encode(), b"%05d" % self.voices[instrument]["number"])

    def mean_bytes(self) -> float:
        """Of a message."""
        sizes = [np.mean([len(text) for text in cycle.texts]) for cycle in self.cycles]
        return float(np.array(sizes)[self.cycle_of[self.picks]].mean())


def framed(text: bytes) -> bytes:
    """A text behind its length, as RFC 6455 writes it."""
    if len(text) < 126:
        return bytes([len(text)]) + text
    return b"\x7e" + len(text).to_bytes(2, "big") + text
