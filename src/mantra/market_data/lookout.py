"""What is looked at now and then: who is listed, and whether books are what their venues say.

In:        listings and fresh snapshots, asked for by REST in threads; the time.
Out:       instruments that came and went; books that drifted.
Must not know: connections, how a book is mended.

Both are turns of the handler's: they begin a request and come back when it is answered.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from mantra.exchanges.listing import ONLINE, Listed
from mantra.market_data import cross_check, phases
from mantra.market_data.feed import Feed

LOG = logging.getLogger("mantra.market_data")
CHECK_LEVELS = 100  # a side: the best of a book are compared
SETTLE_S = 1.0  # the stream may be behind the answer, and is then level with it
Place = tuple[int, int]  # side, price

Wanted = Callable[[Listed], bool]


class Listings:
    """Asks each venue for its listing every `every_s`; what it wants of them is followed."""

    def __init__(
        self,
        wanted: Mapping[str, Wanted],
        fetch: Callable[[str], Future],
        every_s: float,
        now: float,
    ):
        """`fetch(venue)` begins a request whose result is a list of Listed."""
        self.wanted, self.fetch, self.every_s = wanted, fetch, every_s
        self.due, self.asked = now + every_s, dict[str, Future]()

    def turn(self, now: float) -> dict[str, dict[str, Listed]]:
        """The instruments that are to be followed, by symbol, of each venue that has answered."""
        if now >= self.due:
            self.due = now + self.every_s
            for venue in self.wanted.keys() - self.asked.keys():
                self.asked[venue] = self.fetch(venue)
        found = {}
        for venue in [name for name, asked in self.asked.items() if asked.done()]:
            asked = self.asked.pop(venue)
            if error := asked.exception():
                LOG.warning("%s: no listing, those known are followed: %s", venue, error)
                continue
            wanted = [one for one in asked.result() if one.status == ONLINE]
            found[venue] = {one.symbol: one for one in wanted if self.wanted[venue](one)}
        return found


@dataclass
class Check:
    """One book held against one answer."""

    instrument: int
    before: cross_check.Levels
    asked: Future  # its result is the snapshot's Levels
    gaps: int
    answered: float = field(default=0.0)  # when; 0: not yet


class CrossChecks:
    """One book of each venue at a time, in turn, every `every_s`.

    A price may change and come back while an answer travels. So a book that seems to have drifted
    is looked at once more, at once, and has if one of these prices is wrong again.
    """

    def __init__(self, feed: Feed, ask: Callable[[int], Future], every_s: float, now: float):
        """`ask(instrument)` begins a request whose result is the Levels of its book."""
        self.feed, self.ask, self.every_s = feed, ask, every_s
        self.due, self.done = now + every_s, 0
        self.last: dict[int, int] = {}  # instrument looked at last, by venue
        self.checks: dict[int, Check] = {}
        self.suspects: dict[int, set[Place]] = {}  # what seemed wrong in a book, the first time

    def turn(self, now: float, of_venue: np.ndarray) -> list[tuple[int, int]]:
        """Books that drifted, at how many prices. `of_venue` is the venue of each instrument."""
        if now >= self.due:
            self.due = now + self.every_s
            for venue in set(of_venue.tolist()) - self.checks.keys():
                self._begin(venue, of_venue)
        found = []
        for venue, check in list(self.checks.items()):
            if not check.answered and check.asked.done():
                check.answered = now
            elif check.answered and now >= check.answered + SETTLE_S:
                del self.checks[venue]
                if drifted := self._end(check):
                    found.append((check.instrument, drifted))
                elif check.instrument in self.suspects:
                    self._look_at(check.instrument, venue)
        return found

    def _begin(self, venue: int, of_venue: np.ndarray) -> None:
        live = self.feed.followed["phase"][: len(of_venue)] == phases.LIVE
        there = np.flatnonzero(live & (of_venue == venue))
        if not len(there):
            return
        at = np.searchsorted(there, self.last.get(venue, -1), "right") % len(there)
        self.last[venue] = int(there[at])
        self._look_at(self.last[venue], venue)

    def _look_at(self, instrument: int, venue: int) -> None:
        before = cross_check.book_levels(self.feed.book(instrument), CHECK_LEVELS)
        gaps = int(self.feed.followed[instrument]["gaps"])
        self.checks[venue] = Check(instrument, before, self.ask(instrument), gaps)

    def _end(self, check: Check) -> int:
        """At how many prices the book has drifted; 0 as well if it has to be looked at again."""
        instrument, followed = check.instrument, self.feed.followed[check.instrument]
        suspected = self.suspects.pop(instrument, None)
        if followed["phase"] != phases.LIVE or followed["gaps"] != check.gaps:
            return 0  # it broke meanwhile, which was noticed
        if error := check.asked.exception():
            LOG.warning("%s: not checked: %s", self.feed.name(instrument), error)
            return 0
        self.done += 1
        after = cross_check.book_levels(self.feed.book(instrument), CHECK_LEVELS)
        drifts = cross_check.drift(check.before, after, check.asked.result())
        found = {(side, price) for side, price, _, _ in drifts}
        if suspected is None:
            if found:
                self.suspects[instrument] = found
            return 0
        if again := found & suspected:
            said = f"{self.feed.name(instrument)} has drifted at {len(again)} prices"
            first = next(one for one in drifts if one[:2] in again)
            LOG.warning("%s, first %s: side, price, ours, the venue's", said, first)
        return len(again)
