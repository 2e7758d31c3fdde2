"""MarketDataHandler: the actor between venues' connections and the queues.

In:        streams: which symbols on which connection of which venue.
Out:       [l2] [trades] [events]; `status` for whoever shows it.
Must not know: what venues' bytes mean; who reads the queues.

Border: the step is compiled: one poll of all sockets, then every message through `take_message`.
What a message asks of Python is noted, and handled on Python's turn, which comes before the
next poll, while the message is still where it was read; a control message at once, for it says what
those behind it mean. Python also makes connections, asks for
snapshots and parses what is no market data; threads wait for REST, nothing else does.
"""

import ctypes
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from mantra.actors.actor import CALL_PYTHON, Actor
from mantra.actors.spine import Spine
from mantra.compiled import duty_cycle
from mantra.exchanges.decoded import DECODED, STATUSES
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data import take
from mantra.market_data.feed import Feed
from mantra.market_data.take import BROKEN, CONTROL, CUT_OFF, KEEP, NOTHING, REFUSED
from mantra.market_data.venues import Session
from mantra.messages import enums
from mantra.messages.tables import Tables
from mantra.telemetry.clock import Calibration, read_ticks
from mantra.telemetry.tracked import start_timer, stop_timer
from mantra.telemetry.tsc import read_tsc
from mantra.transport.connection import OPEN, Endpoint
from mantra.transport.frames import BINARY, MESSAGE, POLL, ROWS_MAX
from mantra.transport.limits import RateLimit
from mantra.transport.poll import poll
from mantra.transport.pool import BATCH_MAX, Pool
from mantra.transport.rest import RestClient
from mantra.transport.tls import TransportError

LOG = logging.getLogger("mantra.market_data")
TURN_S = 0.02  # between two turns of Python when no message asks for one
KEPT_MAX = 4096  # changes of one book that wait for its base: 400 s at 100 ms
SNAPSHOT_RETRY_S = 1.0
QUIET_S = 5.0  # a book of which nothing came for so long is asked for without waiting for a change
TIMER_MESSAGES = 0

NOTE = np.dtype(
    [("what", "i8"), ("message", "i8"), ("instrument", "i8"), ("status", "i8")], align=True
)
CONTEXT = np.dtype(
    [
        ("track", "i8"),
        ("pool", "i8"),  # address of the POLL
        ("feed", "i8"),  # of the FEED
        ("decoded", "i8"),
        ("todo", "i8"),  # address of NOTEs, one for each message of a batch
        ("todo_count", "i8"),
        ("count", "i8"),  # messages of the batch in hand, and how many of them are handled
        ("next", "i8"),
        ("deadline", "i8"),  # ticks of Python's next turn
        ("wait_ms", "i8"),  # longest wait in the kernel; 0: spin
    ],
    align=True,
)


@duty_cycle
def handle(context_address):
    """One poll of all sockets, and every message that it brought."""
    context = records_at(context_address, 1, CONTEXT)[0]
    start = start_timer(context["track"])
    if context["next"] == context["count"]:
        if context["todo_count"] > 0 or read_tsc() > context["deadline"]:
            return CALL_PYTHON
        count = poll(context["pool"], context["wait_ms"])
        if count <= 0:
            return np.int64(CALL_PYTHON if count < 0 else 0)
        context["count"], context["next"] = count, 0
    batch = records_at(context["pool"], 1, POLL)[0]
    messages = records_at(batch["batch"], context["count"], MESSAGE)
    notes = records_at(context["todo"], context["count"], NOTE)
    result = records_at(context["decoded"], 1, DECODED)[0]
    todo, first = np.int64(NOTHING), context["next"]
    while context["next"] < context["count"] and todo != CONTROL:
        message = messages[context["next"]]
        context["next"] += 1
        if message["kind"] > BINARY:
            continue
        todo = take.take_message(
            context["feed"],
            np.int64(message["connection"]),
            message["address"],
            message["length"],
            message["ts_received"],
            np.int64(0),
        )
        if todo != NOTHING:
            note = notes[context["todo_count"]]
            note["what"], note["message"] = todo, context["next"] - 1
            note["instrument"], note["status"] = result["instrument"], result["status"]
            context["todo_count"] += 1
    done = context["next"] - first
    stop_timer(context["track"], np.int64(TIMER_MESSAGES), start, done)
    return np.int64(CALL_PYTHON if batch["events"] + context["todo_count"] > 0 else done)


class Place(NamedTuple):
    """Where a venue is, if not where its rules say: a simulated one, or a proxy."""

    url: str
    rest: str  # scheme and host
    ca_file: str | None = None


class MarketDataHandler(Actor):
    """Follows all books of its streams. `wait_ms` 0 spins; more sleeps in the kernel meanwhile."""

    writes: ClassVar = ("l2", "trades", "events")
    timers: ClassVar = ("messages",)
    step = handle

    def __init__(
        self,
        name: str,
        tables: Tables,
        streams: Sequence[tuple[str, Sequence[str]]],
        places: Mapping[str, Place] = {},
        wait_ms: int = 0,
    ):
        """`streams`: (venue, its symbols) of each connection; `places` by venue."""
        super().__init__(name)
        self.tables, self.streams, self.places, self.wait_ms = tables, streams, places, wait_ms

    def on_start(self, spine: Spine) -> None:
        self.pool, self.feed = Pool(), Feed(spine, self.tables, ROWS_MAX)
        self.todo = aligned_zeros(BATCH_MAX, NOTE)
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        context["track"], context["pool"] = spine.track_address, self.pool.address
        context["feed"], context["todo"] = self.feed.address, address_of(self.todo)
        context["decoded"], context["wait_ms"] = address_of(self.feed.decoded), self.wait_ms
        self.turn_ticks = int(TURN_S * float(Calibration().fix["ticks_per_second"]))
        self.sessions = [Session(*stream, self.tables) for stream in self.streams]
        self.by_row: dict[int, int] = {}  # row of a connection -> stream
        self.stream_of = {
            instrument: number
            for number, session in enumerate(self.sessions)
            for instrument in session.instruments
        }
        self.kept: dict[int, deque[tuple[int, bytes]]] = defaultdict(lambda: deque(maxlen=KEPT_MAX))
        self.asked: dict[int, Future] = {}  # snapshots on their way, by instrument
        self.again: dict[int, float] = {}  # when to ask for one again
        self.quiet: deque[tuple[float, int]] = deque()  # when to see whether a book is
        self.refused: Counter[str] = Counter()
        self.clients: dict[str, tuple[ThreadPoolExecutor, RestClient]] = {}
        now = time.monotonic()
        for session in self.sessions:
            self.pool.open(self._endpoint(session), now)
            if session.bridged and session.venue.name not in self.clients:
                worker = ThreadPoolExecutor(1, f"rest-{session.venue.name}")
                self.clients[session.venue.name] = worker, self._client(session)

    def _endpoint(self, session: Session) -> Endpoint:
        rules, place = session.venue.rules, self.places.get(session.venue.name)
        return Endpoint(
            place.url if place else rules.url,
            hello=session.hello,
            sends=rules.sends,
            attempts=rules.attempts,
            ping_s=rules.ping_s,
            ping_text=rules.ping_text,
            idle_s=rules.idle_s,
            lifetime_s=rules.life_s,
            buffer_bytes=rules.message_bytes,
            ca_file=place.ca_file if place else None,
        )

    def _client(self, session: Session) -> RestClient:
        rules, place = session.venue.rules, self.places.get(session.venue.name)
        url = urlsplit(rules.snapshot_url)
        base = place.rest if place else f"{url.scheme}://{url.netloc}"
        return RestClient(base, RateLimit(*rules.requests), (place and place.ca_file) or "")

    def on_stop(self) -> None:
        for worker, _ in self.clients.values():
            worker.shutdown(wait=False, cancel_futures=True)
        self.pool.shut()

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
        self._take_snapshots(now)
        context["deadline"] = read_ticks() + self.turn_ticks

    def _do(self, note: np.void, now: float) -> None:
        message = self.pool.batch[note["message"]]
        text = ctypes.string_at(int(message["address"]), int(message["length"]))
        row, instrument = int(message["connection"]), int(note["instrument"])
        what, session = int(note["what"]), self.sessions[self.by_row[row]]
        name = session.venue.name
        if what == CONTROL:
            if complaint := session.on_control(row, text, self.feed):
                self.refused[f"{name}: complaint"] += 1
                LOG.warning("%s: %.300s", name, complaint)
        elif what == REFUSED:
            reason = STATUSES[note["status"]]
            self.refused[f"{name}: {reason}"] += 1
            times = self.refused[f"{name}: {reason}"]
            if times & (times - 1) == 0:  # the 1st, 2nd, 4th, 8th: no flood
                LOG.warning("%s: refused (%s), %d times: %.200r", name, reason, times, text)
            if instrument >= 0 and self.feed.phase(instrument) in ("live", "bridging"):
                take.break_book(self.feed.address, instrument, 0)
                self._resync(instrument, now)
        elif what == CUT_OFF:
            self.pool.at[row][1].close(now, "the venue's messages were not all there")
        else:
            if session.bridged:
                self.kept[instrument].append((row, text))
            if what == BROKEN or instrument not in self.again:
                self._resync(instrument, now)

    def _opened(self, stream: int, row: int, now: float) -> None:
        session = self.sessions[stream]
        self.by_row[row] = stream
        session.on_open(row, self.feed)
        take.tell(self.feed.address, row, enums.EVENT_CONNECTED, -1, stream)
        for instrument in session.instruments:
            # While an old connection carries the book, the new one's first base takes over.
            if int(self.feed.followed[instrument]["connection"]) not in self.by_row:
                self.feed.ask(row, instrument)
                self.quiet.append((now + QUIET_S, instrument))

    def _closed(self, stream: int, row: int, reason: str) -> None:
        LOG.info("%s: stream %d closed: %s", self.sessions[stream].venue.name, stream, reason)
        if self.by_row.pop(row, None) is None:
            return  # it never was open
        take.tell(self.feed.address, row, enums.EVENT_DISCONNECTED, -1, stream)
        session, followed = self.sessions[stream], self.feed.followed
        others = [other for other, number in self.by_row.items() if number == stream]
        if others and session.bridged:  # a successor carries them on: ids tell what is missing
            followed["connection"][session.instruments] = others[-1]
        take.cut(self.feed.address, row)
        followed["connection"][followed["connection"] == row] = -1  # others will have this row

    # ------------------------------------------------------------ new bases

    def _resync(self, instrument: int, now: float) -> None:
        """Ask for a new base of one book: by REST, or by subscribing to it again."""
        stream = self.stream_of[instrument]
        session = self.sessions[stream]
        row = int(self.feed.followed[instrument]["connection"])
        if row not in self.by_row or instrument in self.asked:
            return
        self.feed.ask(row, instrument)
        if session.bridged:
            worker, client = self.clients[session.venue.name]
            path, weight = session.snapshot_path(instrument), session.venue.rules.snapshot_weight
            self.asked[instrument] = worker.submit(client.request, "GET", path, weight)
        else:
            for text in session.again(instrument, row, self.feed):
                self.pool.send(stream, text, now)

    def _take_snapshots(self, now: float) -> None:
        """Snapshots that have come: the base, and behind it the changes that waited for it."""
        for instrument in [number for number, asked in self.asked.items() if asked.done()]:
            if not self._take_snapshot(instrument, self.asked.pop(instrument)):
                self.again[instrument] = now + SNAPSHOT_RETRY_S
        while self.quiet and self.quiet[0][0] <= now:
            if self.feed.phase(instrument := self.quiet.popleft()[1]) == "subscribing":
                self._resync(instrument, now)
        for instrument in [number for number, due in self.again.items() if due <= now]:
            del self.again[instrument]
            self._resync(instrument, now)

    def _take_snapshot(self, instrument: int, asked: Future) -> bool:
        """Whether the book has its base now, and what was kept has joined it."""
        row = int(self.feed.followed[instrument]["connection"])
        name = self.tables.instrument_name(instrument)
        if row not in self.by_row:
            return True  # its connection is gone; the next one asks anew
        try:
            answer = asked.result()
        except TransportError as error:
            LOG.warning("%s: no snapshot: %s", name, error)
            return False
        if answer.status != 200:
            LOG.warning("%s: no snapshot: status %d: %.200r", name, answer.status, answer.data)
            return False
        if self.feed.take(row, answer.data, read_ticks(), instrument) != NOTHING:
            return False
        kept = list(self.kept.pop(instrument, ()))
        for at, (of, text) in enumerate(kept):
            if of in self.by_row and self.feed.take(of, text, read_ticks()) in (BROKEN, KEEP):
                self.kept[instrument].extend(kept[at:])
                return False
        return True
