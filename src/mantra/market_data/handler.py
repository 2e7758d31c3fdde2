"""MarketDataHandler: the actor between venues' connections and the queues.

In:        streams: which symbols on which connection of which venue.
Out:       [l2] [trades] [events]; how it stands, in vectors (status.py); raw frames to disk.
Must not know: what venues' bytes mean; who reads the queues.

Border: the step is compiled: one poll of all sockets, then every message through `take_message`.
What a message asks of Python is noted, and handled on Python's turn, which comes before the
next poll, while the message is still where it was read; a control message at once, for it says what
those behind it mean. Python also makes connections, asks for bases (bases.py), looks after listings
and drift (lookout.py) and parses what is no market data; threads wait for REST, nothing else does.
"""

import contextlib
import ctypes
import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.spine import Spine
from mantra.exchanges.decoded import STATUSES
from mantra.exchanges.listing import Listed
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.seqlock_vector import write_row
from mantra.icc.shm import SegmentError
from mantra.market_data import listings, raw, status, take
from mantra.market_data.asking import Asking
from mantra.market_data.bases import Bases
from mantra.market_data.batch import CONTEXT, NOTE, handle
from mantra.market_data.feed import Feed
from mantra.market_data.lookout import CrossChecks, Listings, Wanted
from mantra.market_data.take import CONTROL, CUT_OFF, KEEP, REFUSED
from mantra.market_data.venues import VENUES, Place, Session
from mantra.messages import enums
from mantra.messages.tables import Tables
from mantra.telemetry.clock import Calibration, read_ticks
from mantra.transport.connection import OPEN, Endpoint
from mantra.transport.frames import ROWS_MAX
from mantra.transport.pool import BATCH_MAX, Pool

LOG = logging.getLogger("mantra.market_data")
# Between two turns of Python when no message asks for one: while an answer is on its way, and while
# none is. Out of cold caches a turn takes 0.3 ms.
TURN_S, CALM_S = 0.02, 0.1
STATUS_S = 1.0
STATUS_SHARES = 10  # of it: no message waits for thousands of rows


class Options(NamedTuple):
    """What a handler does beside following; times in seconds, 0: never."""

    gather_ms: int = 0  # between two reads of all sockets, at least; 0: it spins
    raw: Path | None = None  # folder for raw frames
    listings_s: float = 0.0  # between two looks at the venues' listings
    wanted: Mapping[str, Wanted] = {}  # what of a listing is followed, by venue
    spare: int = 0  # so many instruments may be listed later
    checks_s: float = 0.0  # between two books, of each venue, held against a fresh snapshot


OPTIONS = Options()


class MarketDataHandler(Actor):
    """Follows all books of its streams, and what is listed later."""

    is_source: ClassVar = True
    writes: ClassVar = ("l2", "trades", "events")
    timers: ClassVar = ("messages",)
    step = handle

    def __init__(
        self,
        name: str,
        tables: Tables,
        streams: Sequence[tuple[str, Sequence[str]]],
        places: Mapping[str, Place] = {},
        options: Options = OPTIONS,
    ):
        """`streams`: (venue, its symbols) of each connection; `places` by venue."""
        super().__init__(name)
        self.tables, self.streams, self.places, self.options = tables, streams, places, options
        self.room = len(tables.instruments) + options.spare

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return status.vectors(self.name, len(self.tables.venues), self.room)

    def on_start(self, spine: Spine) -> None:
        options, now = self.options, time.monotonic()
        self.run = spine.run
        with contextlib.suppress(SegmentError):  # a predecessor may have found more
            self.tables = Tables.attach(spine.run)
        self.pool = Pool()
        self.feed = Feed(spine, self.tables, ROWS_MAX, self.room - len(self.tables.instruments))
        self.todo = aligned_zeros(BATCH_MAX, NOTE)
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        context["track"], context["pool"] = spine.track_address, self.pool.address
        context["feed"], context["todo"] = self.feed.address, address_of(self.todo)
        context["decoded"] = address_of(self.feed.decoded)
        # Unique in a capture, also after a restart.
        self.feed.serial = int(spine.control.rows[spine.publisher]["restarts"]) << 14
        self.pool.record["gather_ns"] = options.gather_ms * 1_000_000
        self.clock = Calibration()
        per_second = float(self.clock.fix["ticks_per_second"])
        self.turn_ticks, self.calm_ticks = int(TURN_S * per_second), int(CALM_S * per_second)
        self.by_row: dict[int, int] = {}  # row of a connection -> stream
        self.sessions: list[Session] = []  # by stream
        self.stream_of: dict[int, int] = {}
        self.refused: Counter[str] = Counter()
        self.asking = Asking(self.places)
        self.raws: dict[str, raw.RawFiles] = {}
        self.status = aligned_zeros(max(len(self.tables.venues), 1), status.VENUE_STATUS)
        vectors = self.vectors().items()
        self.shown = [spine.vector(name, record) for name, (record, _) in vectors]
        self.status_due = self.share_due = now
        self.share, self.share_next = -(-self.room // STATUS_SHARES), 0
        self._note_tables()
        for venue, symbols in self.streams:
            self._open_stream(venue, symbols, now)
        asking = self._session, self.asking.snapshot, self._send, self._keep_base
        self.bases = Bases(self.feed, *asking)
        listing, every_s = self.asking.listing, options.listings_s or np.inf
        self.listings = Listings(options.wanted, listing, every_s, now)
        self.checks = CrossChecks(self.feed, self._sides, options.checks_s or np.inf, now)

    def _open_stream(self, venue: str, symbols: Sequence[str], now: float) -> None:
        session = Session(venue, symbols, self.tables)
        self.stream_of |= dict.fromkeys(session.symbols, len(self.sessions))
        self.sessions.append(session)
        self.pool.open(self._endpoint(session), now)
        self.status[session.venue_id]["streams"] += 1
        if self.options.raw and venue not in self.raws:
            self.raws[venue] = raw.RawFiles(self.options.raw, venue)

    def _endpoint(self, session: Session) -> Endpoint:
        return session.endpoint(self.places.get(session.venue.name))

    def _note_tables(self) -> None:
        """Beside the raw frames: what an import of them has to know."""
        if not self.options.raw:
            return
        unfinished = self.options.raw / "raw" / "tables.unfinished"
        try:
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(self.tables.as_dict(), indent=1) + "\n")
            unfinished.replace(unfinished.with_suffix(".json"))
        except OSError as error:
            LOG.error("%s: %s; tried again when the next instrument is listed", unfinished, error)

    def on_stop(self) -> None:
        self._show(time.monotonic())
        self._show_books(0, self.room)
        self.asking.close()
        self.pool.shut()
        for row, stream in self.by_row.items():
            if files := self.raws.get(self.sessions[stream].venue.name):
                files.ended(time.time_ns(), int(self.feed.connections[row]["serial"]))
        for files in self.raws.values():
            files.close()

    # ------------------------------------------------------------ Python's turn

    def on_call(self) -> None:
        assert self.context is not None
        now = time.monotonic()
        context = self.context[0]
        for note in self.todo[: context["todo_count"]]:
            self._do(note, now)
        context["todo_count"] = 0
        if context["next"] < context["count"]:
            return  # the rest of the batch first: a turn may free what it points to
        self.pool.turn(now)
        while self.pool.happened:
            what, stream, row, reason = self.pool.happened.popleft()
            if what == OPEN:
                self._opened(stream, row, now)
            else:
                self._closed(stream, row, reason)
        self.bases.turn(now)
        for files in self.raws.values():
            files.turn(now)
        self._look(now)
        if now >= self.status_due:
            self.status_due = now + STATUS_S
            self.bases.patrol(now)
            self._show(now)
        elif now >= self.share_due:
            self.share_due = now + STATUS_S / STATUS_SHARES
            self._show_books(self.share_next, self.share)
            self.share_next = (self.share_next + self.share) % (STATUS_SHARES * self.share or 1)
        calm = not (self.pool.busy or self.bases.is_busy)
        context["deadline"] = read_ticks() + (self.calm_ticks if calm else self.turn_ticks)

    def _do(self, note: np.void, now: float) -> None:
        message = self.pool.batch[note["message"]]
        text = ctypes.string_at(int(message["address"]), int(message["length"]))
        row, instrument = int(message["connection"]), int(note["instrument"])
        what, session = int(note["what"]), self.sessions[self.by_row[row]]
        name = session.venue.name
        if what == CONTROL:
            complaint, anew = session.on_control(row, text, self.feed)
            if complaint:
                self.status[session.venue_id]["complaints"] += 1
                LOG.warning("%s: %.300s", name, complaint)
            if anew:
                self.pool.at[row][1].close(now, "the venue asks for a new connection")
        elif what == REFUSED:
            reason = STATUSES[note["status"]]
            self.refused[f"{name}: {reason}"] += 1
            times = self.refused[f"{name}: {reason}"]
            if times & (times - 1) == 0:  # the 1st, 2nd, 4th, 8th: no flood
                LOG.warning("%s: refused (%s), %d times: %.200r", name, reason, times, text)
            if instrument >= 0 and self.feed.phase(instrument) == "gap":
                self.bases.need(instrument, now)
        elif what == CUT_OFF:
            self.pool.at[row][1].close(now, "the venue's messages were not all there")
        elif what == KEEP or session.bridged:
            self.bases.keep(instrument, row, text, now)
        else:
            self.bases.need(instrument, now)

    def _opened(self, stream: int, row: int, now: float) -> None:
        session = self.sessions[stream]
        self.by_row[row] = stream
        session.on_open(row, self.feed)
        if files := self.raws.get(session.venue.name):
            self.feed.connections[row]["raw"] = files.address
        take.tell(self.feed.address, row, enums.EVENT_CONNECTED, -1, stream)
        for instrument in session.instruments:
            # While an old connection carries the book, the new one's first base takes over.
            if int(self.feed.followed[instrument]["connection"]) not in self.by_row:
                self.bases.expect(instrument, row, now)

    def _closed(self, stream: int, row: int, reason: str) -> None:
        session, followed = self.sessions[stream], self.feed.followed
        LOG.info("%s: stream %d closed: %s", session.venue.name, stream, reason)
        if self.by_row.pop(row, None) is None:
            return  # it never was open
        take.tell(self.feed.address, row, enums.EVENT_DISCONNECTED, -1, stream)
        others = [other for other, number in self.by_row.items() if number == stream]
        if others and session.bridged:  # a successor carries them on: ids tell what is missing
            followed["connection"][session.instruments] = others[-1]
        take.cut(self.feed.address, row)
        followed["connection"][followed["connection"] == row] = -1  # others will have this row
        link = self.feed.connections[row]
        for count in status.COUNTS:
            self.status[session.venue_id][count] += link[count]
        if files := self.raws.get(session.venue.name):
            files.ended(time.time_ns(), int(link["serial"]))
        self.feed.close(row)

    # ------------------------------------------------------------ for bases and checks

    def _session(self, instrument: int) -> Session:
        return self.sessions[self.stream_of[instrument]]

    def _send(self, instrument: int, text: str, now: float) -> None:
        self.pool.send(self.stream_of[instrument], text, now)

    def _keep_base(self, instrument: int, body: bytes) -> None:
        session = self._session(instrument)
        if files := self.raws.get(session.venue.name):
            files.snapshot(time.time_ns(), session.symbols[instrument], body)

    def _sides(self, instrument: int) -> Future:
        return self.asking.sides(self._session(instrument), instrument, self.tables)

    # ------------------------------------------------------------ now and then

    def _look(self, now: float) -> None:
        for venue, listed in self.listings.turn(now).items():
            self._compare(venue, listed, now)
        for instrument, prices in self.checks.turn(now, self.tables.instruments["venue"]):
            row = int(self.feed.followed[instrument]["connection"])
            self.feed.followed[instrument]["drifts"] += 1
            self.status[self._session(instrument).venue_id]["drifts"] += 1
            take.tell(self.feed.address, row, enums.EVENT_DRIFT, instrument, prices)
            take.break_book(self.feed.address, instrument, 0)
            self.bases.need(instrument, now)

    def _compare(self, venue: str, listed: Mapping[str, Listed], now: float) -> None:
        """Follow what is in the listing and was not; end what is not in it any more."""
        own = [session.symbols for session in self.sessions if session.venue.name == venue]
        there = {symbol: number for symbols in own for number, symbol in symbols.items()}
        for symbol in there.keys() - listed.keys():
            self._end(there[symbol], now)
        for symbol in listed.keys() - there.keys():
            if len(self.feed.books) == len(self.feed.followed):
                LOG.error("%s: no room to follow %s: start the run anew", venue, symbol)
                return
            self._begin(venue, listed[symbol], now)

    def _begin(self, venue: str, listed: Listed, now: float) -> None:
        venue_id = self.tables.venue(venue)
        name = f"{listed.symbol}@{venue}"
        try:
            instrument = self.tables.instrument(name)
        except LookupError:
            instrument = listings.add_to(self.tables, venue_id, listed)
            self.tables.publish_added(self.run)
            self.feed.grow()
            self._note_tables()
        self.status[venue_id]["listed"] += 1
        room = VENUES[venue].rules.symbols_max
        own = [session for session in self.sessions if session.venue_id == venue_id]
        session = next((session for session in own if len(session.symbols) < room), None)
        if session is None:
            return self._open_stream(venue, [listed.symbol], now)
        stream = self.sessions.index(session)
        session.symbols[instrument] = listed.symbol
        self.stream_of[instrument] = stream
        self.feed.followed[instrument]["depth"] = session.venue.depth
        for row in [row for row, number in self.by_row.items() if number == stream]:
            self.bases.expect(instrument, row, now)
            for text in session.begin(instrument):
                self._send(instrument, text, now)
            take.tell(self.feed.address, row, enums.EVENT_LISTED, instrument, 0)

    def _end(self, instrument: int, now: float) -> None:
        session = self._session(instrument)
        row = int(self.feed.followed[instrument]["connection"])
        self.status[session.venue_id]["delisted"] += 1
        LOG.info("%s trades no more", self.feed.name(instrument))
        self.bases.forget(instrument)
        if row >= 0:
            for text in session.end(instrument, row, self.feed):
                self._send(instrument, text, now)
            self.feed.drop(instrument)
            take.tell(self.feed.address, row, enums.EVENT_DELISTED, instrument, 0)
        del session.symbols[instrument], self.stream_of[instrument]

    def _show(self, now: float) -> None:
        """Write how the venues stand into their vector."""
        rows, links = self.status.copy(), self.feed.connections[list(self.by_row)]
        self.clock.refine()
        rows["at_ms"] = int(now * 1000)
        status.add_connections(rows, links, self.clock.fix)
        for name, files in self.raws.items():
            status.add_raw(rows[self.tables.venue(name)], files.status())
        for number in range(len(rows)):
            source = address_of(rows) + number * rows.itemsize
            write_row(address_of(self.shown[0]), number, source)

    def _show_books(self, first: int, count: int) -> None:
        status.write_followed(self.feed.address, address_of(self.shown[1]), first, count)
