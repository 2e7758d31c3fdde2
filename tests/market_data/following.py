"""Simulated venues in processes of their own, a handler that follows them, and who checks it.

The check is twofold. The handler's books are held against the venues' truth whenever the markets
stand still. And a reader that knows nothing but the queues keeps its own books of what is
published, convicts every level that comes for a book told as broken, and is held against the same
truth.
"""

import dataclasses
import time
from collections import Counter
from typing import ClassVar

import numpy as np

from mantra.actors.stepper import Stepper
from mantra.books.book import level_price, level_volume, levels
from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many
from mantra.market_data import bases
from mantra.market_data.handler import MarketDataHandler, Options
from mantra.market_data.venues import VENUES, Place
from mantra.messages.enums import ASK, BID, EVENT_GAP, EVENT_RESYNC, FIRST, LAST, SNAPSHOT
from mantra.messages.records import PUBLISHER_BITS, QUEUE_RECORDS
from mantra.messages.tables import Tables
from mantra.simulators import rest
from mantra.simulators.faults import FAULTS
from mantra.simulators.process import VenueProcess
from mantra.transport import limits
from tests.conftest import JIT

DEPTHS = {name: venue.depth for name, venue in VENUES.items()} | {"bitfinex": 250}
CAPACITIES = {"l2": 1 << 17, "trades": 1 << 14, "events": 1 << 14}
EXPONENTS = {"price_exponent": 2, "volume_exponent": 5}  # those of all simulated symbols
PATIENCE_S = 30.0
LOOK_S = 0.2  # between two comparisons of all books
THRIFTY = Options(gather_ms=1)
RIGHT = ("live", "bridging")  # phases in which what is published is right

OF_CONNECTIONS = ("stall", "half-open", "close", "reset", "split", "duplicate")
OF_MESSAGES = ("drop", "reorder", "corrupt", "cut")
# Kraken's checksum is of ten levels: what is lost below them, nothing tells. So it changes there.
OPTIONS = {"kraken": ("--reach", "5")}


def all_faults(messages: float, connections: float, others: float) -> dict[str, dict[str, float]]:
    """Every fault, by venue; of messages where a loss can be seen: Bitstamp numbers nothing."""
    odds = dict.fromkeys(OF_CONNECTIONS, connections) | {"refuse": others, "slow-tls": others}
    assert {*OF_CONNECTIONS, *OF_MESSAGES, "refuse", "slow-tls"} == set(FAULTS)
    numbered = odds | dict.fromkeys(OF_MESSAGES, messages)
    return {name: odds if name == "bitstamp" else numbered for name in VENUES}


def be_impatient(monkeypatch) -> None:
    """Outages of seconds, not minutes: else a test of them would wait for the most part."""
    monkeypatch.setattr(limits, "BACK_OFF_MAX_S", 1.0)
    monkeypatch.setattr(bases, "PATIENCE_S", 4.0)
    monkeypatch.setattr(bases, "PATIENCE_REST_S", 2.0)
    for name, venue in list(VENUES.items()):
        ping_s = 30.0 if venue.name == "kraken" else 1.0  # the others' heartbeats are answers
        quick = {"attempts": (10_000, 60.0), "requests": (10**6, 60.0), "idle_s": 4.0}
        rules = dataclasses.replace(venue.rules, ping_s=ping_s, **quick)
        monkeypatch.setitem(VENUES, name, dataclasses.replace(venue, rules=rules))


class Reader:
    """Keeps books of what is published, and nothing else. `wrong` is what must not have been."""

    queues: ClassVar = ("l2", "events")

    def __init__(self, run: str, count: int):
        self.books: list[tuple[dict, dict]] = [({}, {}) for _ in range(count)]
        self.broken = [True] * count  # no base yet, or told as broken
        self.open: list[int] = []  # the instrument of the group that has no last level yet
        self.wrong: list[str] = []
        self.events: Counter[tuple[int, int]] = Counter()  # kind, instrument
        self._queues = {}
        for name in self.queues:
            record = QUEUE_RECORDS[name]
            queue = queue_segment.attach(run, name, record)
            consumer = queue_segment.consumer(queue, "reader", from_oldest=True, shown=False)
            self._queues[name] = queue, consumer, aligned_zeros(CAPACITIES[name], record)

    def read(self) -> None:
        """Take all that is new, in the order of publication."""
        found = []
        for name, (_, consumer, rows) in self._queues.items():
            count = consume_many(address_of(consumer), address_of(rows), len(rows))
            assert consumer[0]["lost"] == 0, f"the reader is too slow for [{name}]"
            if count:
                new = rows[:count]
                found.append((new["ts_origin"] + (new["published"] >> PUBLISHER_BITS), new))
        if len(found) == 1 and "price" in found[0][1].dtype.names:
            self.levels(found[0][1])
        elif found:
            self._merge(found)

    def _merge(self, found) -> None:
        rows = [(at, row) for times, new in found for at, row in zip(times, new, strict=True)]
        for _, row in sorted(rows, key=lambda one: one[0]):
            if "price" in row.dtype.names:
                self.levels(row.reshape(1) if row.ndim else np.array([row]))
            else:
                self.events[int(row["kind"]), int(row["instrument"])] += 1
                if row["kind"] == EVENT_GAP:
                    self.broken[row["instrument"]] = True

    def levels(self, rows) -> None:
        columns = (rows[name].tolist() for name in ("instrument", "flags", "side", "price"))
        for instrument, flags, side, price, volume in zip(
            *columns, rows["volume"].tolist(), strict=True
        ):
            book = self.books[instrument]
            if flags & FIRST:
                if self.open:
                    self.wrong.append(f"{instrument}: a group in the group of {self.open}")
                self.open = [instrument]
                if flags & SNAPSHOT:
                    self.broken[instrument] = False
                    book[BID].clear()
                    book[ASK].clear()
                elif self.broken[instrument]:
                    self.wrong.append(f"{instrument}: a change of a broken book")
            if self.open != [instrument]:
                self.wrong.append(f"{instrument}: a level outside of its group")
            if volume:
                book[side][price] = volume
            else:
                book[side].pop(price, None)
            if flags & LAST:
                self.open = []

    def count(self, kind: int, instruments) -> int:
        return sum(self.events[kind, int(number)] for number in instruments)


class Following:
    """Handlers of all five venues in one actor, and what they follow. A context manager.

    `streams` connections a venue, of `symbols` symbols each.
    """

    def __init__(self, streams: int, symbols: int, rate: float, faults=None, options=THRIFTY):
        if JIT:
            MarketDataHandler.step.compile()  # takes longer than the venues' patience
        self.tables, self.venues, places, plan = Tables(), {}, {}, []
        asset = self.tables.add_asset("?", 18)
        for name in VENUES:
            venue, all_symbols = self.tables.add_venue(name), rest.symbols(name, streams * symbols)
            for symbol in all_symbols:
                self.tables.add_instrument(venue, symbol, asset, asset, **EXPONENTS)
            plan += [(name, all_symbols[first::streams]) for first in range(streams)]
            odds = (faults or {}).get(name)
            self.venues[name] = VenueProcess(name, all_symbols, rate, odds, *OPTIONS.get(name, ()))
        self.names = self.tables.instrument_names()
        for name, venue in self.venues.items():
            places[name] = Place(venue.url, venue.rest, venue.ca_file)
        self.handler = MarketDataHandler("market-data", self.tables, plan, places, options)
        self.stepper = Stepper([self.handler], CAPACITIES)

    def __enter__(self) -> "Following":
        self.tables.publish(self.stepper.run, self.handler.options.spare)
        self.stepper.__enter__()
        self.reader = Reader(self.stepper.run, self.handler.room)
        return self

    def __exit__(self, *exception) -> None:
        self.stepper.__exit__(*exception)
        for venue in self.venues.values():
            venue.__exit__()

    def follow(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.stepper.step()
            self.reader.read()

    def until(self, wrong, seconds: float = PATIENCE_S) -> None:
        """Follow until `wrong` is empty; it says what is."""
        end = time.monotonic() + seconds
        while found := wrong():
            assert time.monotonic() < end, "\n".join(found[:20])
            self.follow(LOOK_S)

    def phase(self, number: int) -> str:
        return self.handler.feed.phase(number)

    def not_live(self) -> list[str]:
        phases = [self.phase(number) for number in range(len(self.names))]
        return [
            f"{name}: {phase}"
            for name, phase in zip(self.names, phases, strict=True)
            if phase not in RIGHT
        ]

    def check(self) -> None:
        """Let the markets stand still, and see that all books become the venues'."""
        truth = {name: venue.books() for name, venue in self.venues.items()}
        self.until(lambda: self.not_live() or self.differences(truth))
        assert not self.reader.wrong
        assert self.handler.feed.followed["illegal"].sum() == 0

    def differences(self, truth) -> list[str]:
        """Books that are not their venue's: here, or of the reader."""
        found = []
        for number, name in enumerate(self.names):
            symbol, _, venue = name.rpartition("@")
            book = self.handler.feed.book(number)
            for side in (BID, ASK):
                best = sorted(truth[venue][symbol][side].items(), reverse=side == BID)
                best = best[: DEPTHS[venue] or None]
                shown = [
                    (level_price(book, side, n), level_volume(book, side, n))
                    for n in range(levels(book, side))
                ]
                read = sorted(self.reader.books[number][side].items(), reverse=side == BID)
                for who, has in (("handler", shown), ("reader", read)):
                    if has != best:
                        told = [(a, b) for a, b in zip(has, best, strict=False) if a != b][:3]
                        facts = f"{len(has)} levels of {len(best)}; is, should be: {told}"
                        found.append(f"{name} {self.phase(number)} {who} {side}: {facts}")
        return found

    def go(self) -> None:
        for venue in self.venues.values():
            venue.go()

    def report(self) -> dict[str, dict]:
        """By venue: what was done to it, and what was noticed."""
        told = {}
        followed, venue_ids = self.handler.feed.followed, self.tables.instruments["venue"]
        for number, (name, venue) in enumerate(self.venues.items()):
            mine = np.flatnonzero(venue_ids == number)
            told[name] = venue.calm() | {
                "gaps": self.reader.count(EVENT_GAP, mine),
                "resyncs": self.reader.count(EVENT_RESYNC, mine),
                "refused": {
                    reason: count
                    for reason, count in self.handler.refused.items()
                    if reason.startswith(name)
                },
            }
            for field in ("messages", "levels", "old", "checked", "mismatches", "crossings"):
                told[name][field] = int(followed[field][mine].sum())
        return told
