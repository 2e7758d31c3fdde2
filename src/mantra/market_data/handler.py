"""MarketDataHandler: the actor between venues' connections and the queues.

In:        streams: which symbols on which connection of which venue.
Out:       [l2] [trades] [events]; `status` for whoever shows it.
Must not know: what venues' bytes mean; who reads the queues.

Border: the step is compiled: one poll of all sockets, then every message through `take_message`.
What a message asks of Python (TODO) is noted, and handled on Python's turn, which comes before the
next poll, while the message is still where it was read. Python also makes connections, asks for
snapshots and parses what is no market data; threads wait for REST, nothing else does.
"""

import ctypes
import logging
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar

import numpy as np

from mantra.actors.actor import CALL_PYTHON, Actor
from mantra.actors.spine import Spine
from mantra.compiled import duty_cycle
from mantra.exchanges.decoded import STATUSES
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data import take
from mantra.market_data.feed import Feed
from mantra.market_data.take import BROKEN, CONTROL, CUT_OFF, KEEP, NOTHING, REFUSED
from mantra.market_data.venues import Stream
from mantra.messages import enums
from mantra.messages.tables import Tables
from mantra.telemetry.clock import Calibration, read_ticks
from mantra.telemetry.tracked import start_timer, stop_timer
from mantra.telemetry.tsc import read_tsc
from mantra.transport.connection import OPEN
from mantra.transport.frames import BINARY, MESSAGE, POLL
from mantra.transport.poll import poll
from mantra.transport.pool import Pool
from mantra.transport.rest import RestClient
from mantra.transport.tls import TransportError

LOG = logging.getLogger("mantra.market_data")
TURN_S = 0.02  # between two turns of Python when no message asks for one
KEPT_MAX = 4096  # changes of one book that wait for its base: 400 s at 100 ms
SNAPSHOT_RETRY_S = 1.0
TIMER_POLL, TIMER_MESSAGES = 0, 1

TODO = np.dtype(
    [("what", "i8"), ("message", "i8"), ("instrument", "i8"), ("status", "i8")], align=True
)
CONTEXT = np.dtype(
    [
        ("track", "i8"),
        ("pool", "i8"),  # address of the POLL
        ("feed", "i8"),  # of the FEED
        ("decoded", "i8"),
        ("todo", "i8"),  # address of TODOs, one for each message of a batch
        ("todo_count", "i8"),
        ("deadline", "i8"),  # ticks of Python's next turn
        ("wait_ms", "i8"),  # longest wait in the kernel; 0: spin
    ],
    align=True,
)


@duty_cycle
def handle(context_address):
    """One poll of all sockets, and every message that it brought."""
    context = records_at(context_address, 1, CONTEXT)[0]
    if context["todo_count"] > 0 or read_tsc() > context["deadline"]:
        return CALL_PYTHON
    start = start_timer(context["track"])
    count = poll(context["pool"], context["wait_ms"])
    if count == 0:
        return 0
    batch = records_at(context["pool"], 1, POLL)[0]
    if count > 0:
        messages = records_at(batch["batch"], count, MESSAGE)
        notes = records_at(context["todo"], count, TODO)
        for number in range(count):
            message = messages[number]
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
                result = records_at(context["decoded"], 1, take.DECODED)[0]
                note["what"], note["message"] = todo, number
                note["instrument"], note["status"] = result["instrument"], result["status"]
                context["todo_count"] += 1
        stop_timer(context["track"], TIMER_MESSAGES, start, count)
    if batch["events"] > 0 or context["todo_count"] > 0:
        return CALL_PYTHON
    return count


class MarketDataHandler(Actor):
    """Follows all books of its streams. `wait_ms` 0 spins; more sleeps in the kernel meanwhile."""

    writes: ClassVar = ("l2", "trades", "events")
    timers: ClassVar = ("poll", "messages")
    is_source: ClassVar[bool] = True
    step = handle

    def __init__(self, name: str, tables: Tables, streams: list[Stream], wait_ms: int = 0):
        super().__init__(name)
        self.tables, self.streams, self.wait_ms = tables, streams, wait_ms

    def on_start(self, spine: Spine) -> None:
        rows = 2 * len(self.streams) + 8  # a connection and its successor
        self.pool, self.feed = Pool(rows), Feed(spine, self.tables, rows)
        self.todo = aligned_zeros(len(self.pool.messages), TODO)
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        context["track"], context["pool"] = spine.track_address, self.pool.address
        context["feed"], context["todo"] = self.feed.address, address_of(self.todo)
        context["decoded"], context["wait_ms"] = address_of(self.feed.decoded), self.wait_ms
        self.turn_ticks = int(TURN_S * float(Calibration().fix["ticks_per_second"]))
        self.sessions = [stream.session(self.tables) for stream in self.streams]
        self.by_row: dict[int, int] = {}  # row of a connection -> stream
        self.stream_of = {
            instrument: number
            for number, session in enumerate(self.sessions)
            for instrument in session.instruments
        }
        self.kept: dict[int, deque[tuple[int, bytes]]] = defaultdict(lambda: deque(maxlen=KEPT_MAX))
        self.asked: dict[int, Future] = {}  # snapshots on their way, by instrument
        self.again: dict[int, float] = {}  # when to ask for one again
        self.refused: Counter[str] = Counter()
        self.workers = {
            session.facts.name: ThreadPoolExecutor(1, f"rest-{session.facts.name}")
            for session in self.sessions
            if session.facts.depth_url
        }
        self.clients: dict[str, RestClient] = {}
        now = time.monotonic()
        for session in self.sessions:
            self.pool.open(session.endpoint(), now)
            if session.facts.depth_url and session.facts.name not in self.clients:
                self.clients[session.facts.name] = session.rest_client()

    def on_stop(self) -> None:
        for worker in self.workers.values():
            worker.shutdown(wait=False, cancel_futures=True)
        self.pool.shut()

    # ------------------------------------------------------------ Python's turn

    def on_call(self) -> None:
        now = time.monotonic()
        context = self.context[0]
        for note in self.todo[: context["todo_count"]]:
            self._do(note, now)
        context["todo_count"] = 0
        self.pool.turn(now)
        while self.pool.happened:
            what, stream, connection, reason = self.pool.happened.popleft()
            if what == OPEN:
                self._opened(stream, connection)
            else:
                self._closed(stream, connection, reason)
        self._take_snapshots(now)
        context["deadline"] = read_ticks() + self.turn_ticks

    def _do(self, note: np.void, now: float) -> None:
        message = self.pool.messages[note["message"]]
        text = ctypes.string_at(int(message["address"]), int(message["length"]))
        row, instrument = int(message["connection"]), int(note["instrument"])
        stream, what = self.by_row[row], int(note["what"])
        session = self.sessions[stream]
        if what == CONTROL:
            for symbol in session.on_control(row, text, self.feed):
                self._resync(self.tables.instrument_id(symbol, session.venue), now)
        elif what == REFUSED:
            reason = STATUSES[note["status"]]
            self.refused[f"{session.facts.name}: {reason}"] += 1
            LOG.warning("%s: refused (%s): %.200r", session.facts.name, reason, text)
            if instrument >= 0:
                take.break_book(self.feed.address, instrument, 0)
                self._resync(instrument, now)
        elif what == CUT_OFF:
            self.pool.at[row][1].close(now, "messages were lost")
        else:
            if session.facts.depth_url:
                self.kept[instrument].append((row, text))
            if what == BROKEN or instrument not in self.asked:
                self._resync(instrument, now)

    def _opened(self, stream: int, row: int) -> None:
        session = self.sessions[stream]
        self.by_row[row] = stream
        session.on_open(row, self.feed)
        take.tell(self.feed.address, row, enums.EVENT_CONNECTED, -1, stream)
        for instrument in session.instruments:
            if self.feed.followed[instrument]["connection"] not in self.by_row:
                self.feed.ask(row, instrument)

    def _closed(self, stream: int, row: int, reason: str) -> None:
        LOG.info("%s: connection %d closed: %s", self.sessions[stream].facts.name, stream, reason)
        if row in self.by_row:
            take.tell(self.feed.address, row, enums.EVENT_DISCONNECTED, -1, stream)
            take.cut(self.feed.address, row)
            del self.by_row[row]

    # ------------------------------------------------------------ new bases

    def _resync(self, instrument: int, now: float) -> None:
        """Ask for a new base of one book: by REST, or by subscribing to it again."""
        stream = self.stream_of[instrument]
        session = self.sessions[stream]
        row = int(self.feed.followed[instrument]["connection"])
        if row not in self.by_row or instrument in self.asked:
            return
        self.feed.ask(row, instrument)
        symbol = session.symbols[session.instruments.index(instrument)]
        if session.facts.depth_url:
            worker, client = self.workers[session.facts.name], self.clients[session.facts.name]
            path = session.facts.depth_url.format(symbol=symbol)
            self.asked[instrument] = worker.submit(
                client.request, "GET", path, session.facts.depth_weight
            )
        else:
            for text in session.again(symbol):
                self.pool.send(stream, text, now)

    def _take_snapshots(self, now: float) -> None:
        """Snapshots that have come: the base, and behind it the changes that waited for it."""
        for instrument in [number for number, asked in self.asked.items() if asked.done()]:
            asked = self.asked.pop(instrument)
            if not self._take_snapshot(instrument, asked):
                self.again[instrument] = now + SNAPSHOT_RETRY_S
        for instrument in [number for number, due in self.again.items() if due <= now]:
            del self.again[instrument]
            self._resync(instrument, now)

    def _take_snapshot(self, instrument: int, asked: Future) -> bool:
        """Whether the book has its base now, and what was kept has joined it."""
        row = int(self.feed.followed[instrument]["connection"])
        name = self.tables.instrument_name(instrument)
        try:
            answer = asked.result()
        except TransportError as error:
            LOG.warning("%s: no snapshot: %s", name, error)
            return False
        if row not in self.by_row:
            return True  # its connection is gone; the next one asks anew
        if answer.status != 200:
            LOG.warning("%s: no snapshot: status %d: %.200r", name, answer.status, answer.body)
            return False
        if self.feed.take(row, answer.body, read_ticks(), instrument) != NOTHING:
            return False
        kept = self.kept.pop(instrument, deque())
        for at, (of, text) in enumerate(kept):
            todo = self.feed.take(of, text, read_ticks())
            if todo in (BROKEN, KEEP):
                self.kept[instrument].extend(list(kept)[at:])
                return False
        return True
