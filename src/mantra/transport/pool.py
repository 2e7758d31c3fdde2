"""Streams: connections that are made again when they end, and replaced before the venue ends them.

In:        endpoints, texts, the time; randomness for the back-off.
Out:       the poll's batch, and what opened or closed, in `happened`.
Must not know: what a stream carries.

A stream keeps its number; its connections come and go. Before an old one has lived its lifetime,
another is made, which takes over: for OVERLAP_S both carry messages (`connection` tells them apart;
venues' sequence numbers say what is double), then the old one is closed.

An actor calls the compiled `poll` with `pool.address` in its step, and `turn` on Python's turn:
when the batch has events, and every TURN_S. Other programs call `step`, which is both.
"""

import ctypes
import random
import select
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from mantra.icc.memory import address_of, aligned_zeros
from mantra.transport import foreign
from mantra.transport.connection import CLOSED, OPEN, Connection, Endpoint
from mantra.transport.frames import BINARY, BREACH, CONNECTION, MESSAGE, POLL
from mantra.transport.limits import RateLimit, back_off_s
from mantra.transport.poll import READY, poll

EPOLL_CTL_ADD = 1
MESSAGES_MAX = 4096  # of a batch
READY_MAX = 256
SCRATCH_BYTES = 1 << 18
TURN_S = 0.05  # between two looks at the timers of open connections
OVERLAP_S = 5.0
STABLE_S = 30.0  # a connection that was open so long was no failure
HAPPENED_MAX = 4096
RESOLVERS = 2  # threads that look names up


class Happened(NamedTuple):
    """A connection of a stream is OPEN, or CLOSED for a reason."""

    what: str
    stream: int
    connection: int
    reason: str


class Stream:
    """An endpoint and its connections: none, one, or the old one and its successor."""

    def __init__(self, endpoint: Endpoint, number: int, now: float):
        self.endpoint, self.number = endpoint, number
        self.connections: list[Connection] = []
        self.wanted, self.failures, self.due = True, 0, now

    def settled(self) -> bool:
        """Whether the timers are all it needs."""
        return not self.wanted if not self.connections else self.connections[0].state == OPEN


class Pool:
    """All streams of one thread."""

    def __init__(self, rows: int = 256, random: Callable[[], float] = random.random):
        self.epoll, self.random = select.epoll(), random
        self.rows = aligned_zeros(rows, CONNECTION)
        self.rows["row"] = np.arange(rows)
        self.messages = aligned_zeros(MESSAGES_MAX, MESSAGE)
        self.ready = aligned_zeros(READY_MAX, READY)
        self.scratch = aligned_zeros(SCRATCH_BYTES, np.dtype("u1"))
        self.record = aligned_zeros(1, POLL)
        self.record[0] = np.array(
            (
                *(self.epoll.fileno(), address_of(self.rows), rows),
                *(address_of(self.messages), MESSAGES_MAX, 0, 0, 0, 0, 0),
                *(address_of(self.ready), READY_MAX, address_of(self.scratch), SCRATCH_BYTES),
            ),
            POLL,
        )
        self.address = address_of(self.record)
        self.streams: list[Stream] = []
        self.free = list(reversed(range(rows)))
        self.at: dict[int, tuple[Stream, Connection]] = {}  # by row
        self.attempts: dict[str, RateLimit] = {}  # by host
        self.happened: deque[Happened] = deque(maxlen=HAPPENED_MAX)
        self.resolver = ThreadPoolExecutor(RESOLVERS, "resolver")
        self.busy: list[Stream] = []
        self.timers_at = float("-inf")

    def open(self, endpoint: Endpoint, now: float) -> int:
        """A new stream; its number. Connecting begins with the next turn."""
        self.streams.append(Stream(endpoint, len(self.streams), now))
        self.timers_at = now
        return len(self.streams) - 1

    def send(self, number: int, text: str, now: float) -> bool:
        """Send on the stream's newest connection; False: there is none."""
        connections = self.streams[number].connections
        if connections:
            connections[-1].send(text, now)
        return bool(connections)

    def close(self, number: int, now: float) -> None:
        """End a stream; it is gone when nothing of it is in `at`."""
        stream = self.streams[number]
        stream.wanted, self.timers_at = False, now
        for connection in stream.connections:
            connection.close(now)

    def shut(self) -> None:
        """Give back what the kernel holds for us."""
        for _, connection in self.at.values():
            connection.end("shut")
        self.resolver.shutdown(wait=False, cancel_futures=True)
        self.epoll.close()

    def step(self, now: float, timeout_ms: int = 0) -> np.ndarray:
        """One poll and one turn; the messages, valid until the next step."""
        count = poll(self.address, np.int64(timeout_ms))
        batch = self.messages[:count]
        self.turn(now)
        return batch[batch["kind"] <= BINARY]

    def turn(self, now: float) -> None:
        """Python's part: what the batch has for it, handshakes, timers."""
        record = self.record[0]
        if record["events"]:
            batch = self.messages[: record["count"]]
            for event in batch[batch["kind"] > BINARY]:
                self._handle(event, now)
            record["events"] = 0
        visited = self.busy
        if now >= self.timers_at:
            visited, self.timers_at = self.streams, now + TURN_S
        for stream in visited:
            self._advance(stream, now)
        self.busy = [stream for stream in visited if not stream.settled()]

    def _handle(self, event: Any, now: float) -> None:
        stream, connection = self.at[int(event["connection"])]
        kind, length = int(event["kind"]), int(event["length"])
        frame = b"" if kind == BREACH else ctypes.string_at(int(event["address"]), length)
        connection.on_event(kind, frame, length, now)
        if connection.state == CLOSED and stream not in self.busy:
            self.busy.append(stream)

    def _advance(self, stream: Stream, now: float) -> None:
        for connection in tuple(stream.connections):
            before = connection.state
            connection.step(now)
            if connection.state == OPEN != before:
                self._opened(stream, connection)
            elif connection.state == CLOSED:
                self._closed(stream, connection, now)
        newest = stream.connections[-1] if stream.connections else None
        if newest and newest.state == OPEN:
            age = now - newest.since
            if len(stream.connections) == 2 and age >= OVERLAP_S:
                stream.connections[0].close(now, "replaced")
            if len(stream.connections) == 2 or age < stream.endpoint.lifetime_s:
                return
        elif newest:
            return
        if stream.wanted and now >= stream.due and self.free:
            self._attempt(stream, now)

    def _attempt(self, stream: Stream, now: float) -> None:
        limit = self._limit(stream.endpoint)
        if limit.wait_s(now) > 0:
            return
        limit.take(now)
        row = self.free.pop()
        self.rows[row]["stream"] = stream.number
        connection = Connection(stream.endpoint, self.rows[row], self.resolver, now)
        stream.connections.append(connection)
        self.at[row] = stream, connection

    def _limit(self, endpoint: Endpoint) -> RateLimit:
        return self.attempts.setdefault(endpoint.uri.host, RateLimit(*endpoint.attempts))

    def _opened(self, stream: Stream, connection: Connection) -> None:
        row, record = connection.row, self.record[0]
        number = connection.number
        record["unfinished"] += 1 - row["more"]
        row["more"] = 1  # what came behind the answer to the upgrade
        event = np.zeros(1, READY)
        event["events"], event["row"] = select.EPOLLIN, number
        foreign.epoll_ctl(record["epoll"], EPOLL_CTL_ADD, row["fd"], address_of(event))
        self.happened.append(Happened(OPEN, stream.number, number, ""))

    def _closed(self, stream: Stream, connection: Connection, now: float) -> None:
        number = connection.number
        stream.connections.remove(connection)
        del self.at[number]
        self.free.append(number)
        self.happened.append(Happened(CLOSED, stream.number, number, connection.reason))
        lasted_s = now - connection.since if len(connection.buffer) else 0.0
        stream.failures = 0 if lasted_s >= STABLE_S else stream.failures + 1
        stream.due = now + back_off_s(stream.failures, self.random)
        if connection.retry_after_s:
            self._limit(stream.endpoint).block(now + connection.retry_after_s)
