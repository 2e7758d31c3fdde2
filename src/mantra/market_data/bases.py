"""New bases of books: when one is asked for, what is kept until it comes, how the two are joined.

In:        instruments that have no base or a wrong one; changes that wait for one; the time.
Out:       requests, texts to send; books with a base.
Must not know: sockets, who reads them.

Where a base comes by REST (Binance, Bitstamp), IN_FLIGHT are asked for at a time and venue, as the
venue counts requests: all books of Binance take a quarter of an hour. What changes meanwhile is
kept from the moment a base is asked for, not before: a later base holds it anyway. Elsewhere the
book is subscribed to again, and the base comes in the stream.

No answer is relied on: `patrol` looks at all books, and asks again for what has waited too long.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from mantra.market_data import phases
from mantra.market_data.feed import Feed
from mantra.market_data.take import BROKEN, KEEP, NOTHING
from mantra.market_data.venues import Session
from mantra.telemetry.clock import read_ticks
from mantra.transport.tls import TransportError

LOG = logging.getLogger("mantra.market_data")
IN_FLIGHT = 2  # of a venue
KEPT_MAX = 4096  # changes of one book: 400 s at 100 ms
BROKEN_S = 0.2  # to the second base of a book that breaks again; twice as long to the next, …
BROKEN_DOUBLINGS = 5
PATIENCE_S = 15.0  # with a base that does not come; a REST one, if nothing changes meanwhile: 5
PATIENCE_REST_S = 5.0
PATIENCES = 3  # times as long at the most, when it has not come again and again
STABLE_S = 10.0  # a book that was right for so long is forgiven its breaks
WITHOUT = np.zeros(len(phases.PHASES), bool)
WITHOUT[[phases.SUBSCRIBING, phases.WAITING, phases.GAP, phases.RESYNCING]] = True


class Bases:
    """See above. `rest(session, instrument)` begins a request; `send(instrument, text, now)`.

    `taken(instrument, body)` is told of each answer before it is taken.
    """

    def __init__(
        self,
        feed: Feed,
        session_of: Callable[[int], Session],
        rest: Callable[[Session, int], Future],
        send: Callable[[int, str, float], object],
        taken: Callable[[int, bytes], object],
    ):
        self.feed, self.session_of, self.rest, self.send = feed, session_of, rest, send
        self.taken = taken
        self.asked_at = np.zeros(len(feed.followed))  # by instrument, seconds
        self.tries = np.zeros(len(feed.followed), np.int64)
        self.queues: dict[str, dict[int, None]] = defaultdict(dict)  # by venue: to be asked for
        self.asked: dict[int, Future] = {}  # on their way
        self.kept: dict[int, deque[tuple[int, int, bytes]]] = {}  # of those: row, serial, text

    @property
    def is_busy(self) -> bool:
        """Whether a base is on its way, or waits to be asked for."""
        return bool(self.asked) or any(self.queues.values())

    def expect(self, instrument: int, row: int, now: float) -> None:
        """A connection has been told to carry the book: its base will come, or a first change."""
        self.feed.ask(row, instrument)
        self.asked_at[instrument], self.tries[instrument] = now, 0

    def forget(self, instrument: int) -> None:
        """Nobody wants it any more."""
        self.queues[self.session_of(instrument).venue.name].pop(instrument, None)
        self.kept.pop(instrument, None)

    def keep(self, instrument: int, row: int, text: bytes, now: float) -> None:
        """A change came that has no base: keep it if that is on its way, else have it asked for."""
        if instrument in self.kept:
            serial = int(self.feed.connections[row]["serial"])
            self.kept[instrument].append((row, serial, text))
        else:
            self.need(instrument, now)

    def need(self, instrument: int, now: float) -> None:
        """The book has no base, or a wrong one: ask, unless it is breaking all the time."""
        tries = int(self.tries[instrument])
        wait_s = BROKEN_S * 2 ** min(tries, BROKEN_DOUBLINGS) if tries else 0.0
        if now >= self.asked_at[instrument] + wait_s:
            self._ask(instrument, now)

    def patrol(self, now: float) -> None:
        """Ask again for what has waited too long; forgive what is right for long."""
        phase, waited = self.feed.followed["phase"], now - self.asked_at
        self.tries[(phase == phases.LIVE) & (waited > STABLE_S)] = 0
        lacking = np.flatnonzero(WITHOUT[phase])
        lacking = lacking[self.feed.followed["connection"][lacking] >= 0]
        patience = np.where(self.feed.bridged[lacking], PATIENCE_REST_S, PATIENCE_S)
        late = waited[lacking] > patience * np.minimum(self.tries[lacking] + 1, PATIENCES)
        for instrument in lacking[late]:
            self._ask(int(instrument), now)

    def _ask(self, instrument: int, now: float) -> None:
        row = int(self.feed.followed[instrument]["connection"])
        session = self.session_of(instrument)
        queue = self.queues[session.venue.name]
        if row < 0 or instrument in self.asked or instrument in queue:
            return  # without a connection: the next one asks anew
        self.tries[instrument] += 1
        self.asked_at[instrument] = now
        if session.bridged:
            queue[instrument] = None
            return
        self.feed.ask(row, instrument)
        for text in session.again(instrument, row, self.feed):
            self.send(instrument, text, now)

    def turn(self, now: float) -> None:
        """Take the bases that have come, ask for the next."""
        for instrument in [number for number, asked in self.asked.items() if asked.done()]:
            joined = self._join(instrument, self.asked.pop(instrument))
            self.kept.pop(instrument, None)
            if not joined:
                self.need(instrument, now)
        flying = Counter(self.session_of(instrument).venue.name for instrument in self.asked)
        for venue, queue in self.queues.items():
            while queue and flying[venue] < IN_FLIGHT:
                instrument = next(iter(queue))
                del queue[instrument]
                row = int(self.feed.followed[instrument]["connection"])
                if row >= 0:
                    flying[venue] += 1
                    self.asked_at[instrument] = now
                    self.feed.ask(row, instrument)
                    self.kept[instrument] = deque(maxlen=KEPT_MAX)
                    session = self.session_of(instrument)
                    self.asked[instrument] = self.rest(session, instrument)

    def _join(self, instrument: int, asked: Future) -> bool:
        """Whether the book has its base now, and what was kept has joined it."""
        row = int(self.feed.followed[instrument]["connection"])
        if row < 0:
            return True  # its connection is gone; the next one asks anew
        try:
            answer = asked.result()
            if answer.status != 200:
                raise TransportError(f"status {answer.status}: {answer.data!r:.200}")
        except TransportError as error:
            LOG.warning("%s: no snapshot: %s", self.feed.name(instrument), error)
            return True  # `patrol` asks again
        self.taken(instrument, answer.data)
        if self.feed.take(row, answer.data, read_ticks(), instrument) != NOTHING:
            return False
        serials = self.feed.connections["serial"]
        for of, serial, text in self.kept.get(instrument, ()):
            same = serials[of] == serial
            if same and self.feed.take(of, text, read_ticks()) in (BROKEN, KEEP):
                return False
        return True
