"""Streams: connections that are made again when they end, and replaced before the venue ends them.

In:        endpoints, texts, the time; randomness for the back-off.
Out:       the poll's batch; and `happened`: (OPEN or CLOSED, stream, connection, reason).
Must not know: what a stream carries.

A stream keeps its number; its connections come and go. Before an old one has lived its lifetime,
another is made, which takes over: for OVERLAP_S both carry messages (`connection` tells them apart;
venues' sequence numbers say what is double), then the old one is closed.

An actor calls the compiled `poll` with `pool.address` in its step, and `turn` on Python's turn:
when the batch has events, and a few times every TURN_S. Other programs call `step`, which is both.
"""

import random
import select
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mantra.icc.memory import address_of, aligned_zeros
from mantra.transport import foreign, frames
from mantra.transport.connection import CLOSED, OPEN, Connection, Endpoint
from mantra.transport.limits import RateLimit, back_off_s
from mantra.transport.poll import READY, poll

EPOLL_CTL_ADD = 1
BATCH_MAX = 4096  # messages; and of `happened`, which somebody may never read
TURN_S = 0.05  # between two looks at the timers of open connections, while they are few
TURN_STREAMS = 4  # looked at in one turn: of hundreds each waits, up to 1 s, and no message does
OVERLAP_S = 5.0
STABLE_S = 30.0  # a connection that was open so long was no failure
DIALERS_MAX = 64  # threads, while so many connections are being made


class Stream:
    """An endpoint and its connections: none, one, or the old one and its successor."""

    def __init__(self, endpoint: Endpoint, number: int, attempts: RateLimit, now: float):
        self.endpoint, self.number, self.attempts = endpoint, number, attempts
        self.connections: list[Connection] = []
        self.wanted, self.failures, self.due = True, 0, now


class Pool:
    """All streams of one thread."""

    def __init__(self, random: Callable[[], float] = random.random):
        self.epoll, self.random = select.epoll(), random
        self.record = aligned_zeros(1, frames.POLL)
        self.rows = aligned_zeros(frames.ROWS_MAX, frames.CONNECTION)
        self.batch = aligned_zeros(BATCH_MAX, frames.MESSAGE)
        self.ready = aligned_zeros(frames.READY_MAX, READY)
        self.scratch = aligned_zeros(frames.SCRATCH_BYTES, np.dtype("u1"))
        self.record["epoll"], self.record["capacity"] = self.epoll.fileno(), BATCH_MAX
        self.record["connections"], self.record["batch"] = map(address_of, (self.rows, self.batch))
        self.record["ready"], self.record["scratch"] = map(address_of, (self.ready, self.scratch))
        self.rows["row"] = np.arange(frames.ROWS_MAX)
        self.address = address_of(self.record)
        self.free = list(reversed(range(frames.ROWS_MAX)))
        self.at: dict[int, tuple[Stream, Connection]] = {}  # by row
        self.attempts: dict[str, RateLimit] = {}  # by host
        self.happened: deque[tuple[str, int, int, str]] = deque(maxlen=BATCH_MAX)
        self.dialers = ThreadPoolExecutor(DIALERS_MAX, "dial")
        self.streams: list[Stream] = []
        self.busy: list[Stream] = []  # what cannot wait for the timers
        self.ended: list[Connection] = []  # their buffers: this batch's messages may be there
        self.timers_at, self.timers_next = float("-inf"), 0
        poll(self.address, np.int64(0))  # compiled before anybody waits for us

    def open(self, endpoint: Endpoint, now: float) -> int:
        """A new stream; its number. Connecting begins with the next turn."""
        host, number = endpoint.uri.host, len(self.streams)
        attempts = self.attempts.setdefault(host, RateLimit(*endpoint.attempts))
        self.streams.append(Stream(endpoint, number, attempts, now))
        self.busy.append(self.streams[-1])
        return number

    def send(self, number: int, text: str, now: float) -> bool:
        """Send on the stream's newest open connection, or on the next; False: there is none.

        What is still unsent when a connection ends is lost: what each must send is its `hello`.
        """
        connections = self.streams[number].connections
        self.busy.append(self.streams[number])
        for connection in sorted(connections, key=lambda one: one.state == OPEN)[-1:]:
            connection.send(text, now)
        return bool(connections)

    def close(self, number: int, now: float) -> None:
        """End a stream; it is gone when nothing of it is in `at`."""
        stream = self.streams[number]
        stream.wanted = False
        self.busy.append(stream)
        for connection in stream.connections:
            connection.close(now)

    def shut(self) -> None:
        """Give back what the kernel holds for us."""
        for _, connection in self.at.values():
            connection.end("shut")
        self.dialers.shutdown(wait=False, cancel_futures=True)
        self.epoll.close()

    def step(self, now: float, timeout_ms: int = 0) -> np.ndarray:
        """One poll and one turn; the messages, valid until the next step."""
        found = self.batch[: poll(self.address, np.int64(timeout_ms))]
        self.turn(now)
        return found[found["kind"] <= frames.BINARY]

    def turn(self, now: float) -> None:
        """Python's part: what the batch has for it, handshakes, timers."""
        self.ended.clear()
        if self.record["events"][0]:
            found = self.batch[: self.record["count"][0]]
            for event in found[found["kind"] > frames.BINARY]:
                stream, connection = self.at[int(event["connection"])]
                connection.on_event(event, now)
                self.busy.append(stream)
            self.record["events"] = 0
        if now >= self.timers_at and self.streams:
            some = self.streams[self.timers_next : self.timers_next + TURN_STREAMS]
            self.timers_next = (self.timers_next + len(some)) % len(self.streams)
            self.timers_at = now + TURN_S * len(some) / len(self.streams)
            self.busy += some
        visited = list(dict.fromkeys(self.busy))
        for stream in visited:
            self._advance(stream, now)
        self.busy = [one for one in visited if any(c.is_busy for c in one.connections)]

    def _advance(self, stream: Stream, now: float) -> None:
        connections = stream.connections
        for connection in tuple(connections):
            before = connection.state
            connection.step(now)
            if connection.state == OPEN != before:
                self._opened(stream, connection)
            elif connection.state == CLOSED:
                self._closed(stream, connection, now)
        if connections:
            limit_s = OVERLAP_S if len(connections) == 2 else stream.endpoint.lifetime_s
            if connections[-1].state != OPEN or now - connections[-1].since < limit_s:
                return
            if len(connections) == 2:
                return connections[0].close(now, "replaced")
        if stream.wanted and now >= stream.due and self.free and not stream.attempts.wait_s(now):
            stream.attempts.take(now)
            row = self.rows[self.free.pop()]
            row["stream"] = stream.number
            connections.append(Connection(stream.endpoint, row, self.dialers, now))
            self.at[int(row["row"])] = stream, connections[-1]

    def _opened(self, stream: Stream, connection: Connection) -> None:
        connection.row["more"] = self.record["unfinished"] = 1  # what came behind the answer
        event = np.zeros(1, READY)
        event["events"], event["row"] = select.EPOLLIN, connection.number
        fd = connection.row["fd"]
        foreign.epoll_ctl(self.epoll.fileno(), EPOLL_CTL_ADD, fd, address_of(event))
        self.happened.append((OPEN, stream.number, connection.number, ""))

    def _closed(self, stream: Stream, connection: Connection, now: float) -> None:
        stream.connections.remove(connection)
        del self.at[connection.number]
        self.free.append(connection.number)
        self.ended.append(connection)
        self.happened.append((CLOSED, stream.number, connection.number, connection.reason))
        stable = len(connection.buffer) and now - connection.since >= STABLE_S
        stream.failures = 0 if stable else stream.failures + 1
        stream.due = now + back_off_s(stream.failures, self.random)
        if connection.retry_after_s:
            stream.attempts.block(now + connection.retry_after_s)
