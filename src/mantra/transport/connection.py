"""One connection, from its host's name to its end. A new attempt is a new Connection.

In:        an Endpoint, a row of the poll, the time at each step.
Out:       the row opened for compiled reads; `state`, and at the end `reason`, a sentence.
Must not know: other connections, when to try again (pool.py).

Nothing waits here: each step does what can be done now. Until a connection is open, Python
reads; then compiled code does. Its control frames go as they are to the `websockets` library, which
answers them; it also makes the upgrade and all frames that are sent.

    resolving ─▶ connecting ─▶ securing ─▶ upgrading ─▶ open ─▶ closing ─▶ closed
                          └── plain TCP ────▲                (from anywhere ──▲)
"""

import contextlib
import errno
import os
import re
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from websockets.client import ClientProtocol
from websockets.uri import WebSocketURI, parse_uri

from mantra.icc.memory import address_of
from mantra.telemetry.clock import read_ticks
from mantra.transport.frames import BREACH, CLOSE, ENDED, PING, TLS_FAILED
from mantra.transport.limits import RateLimit
from mantra.transport.tls import READ_BYTES, TlsSession, TransportError

RESOLVING, CONNECTING, SECURING, UPGRADING = "resolving", "connecting", "securing", "upgrading"
OPEN, CLOSING, CLOSED = "open", "closing", "closed"
LIFE = {  # what may follow
    RESOLVING: (CONNECTING, CLOSED),
    CONNECTING: (SECURING, UPGRADING, CLOSED),
    SECURING: (UPGRADING, CLOSED),
    UPGRADING: (OPEN, CLOSED),
    OPEN: (CLOSING, CLOSED),
    CLOSING: (CLOSED,),
    CLOSED: (),
}

HANDSHAKE_S = 10.0  # from the name to open
CLOSE_S = 2.0  # for the other side's close frame
HEAD_BYTES_MAX = 32_768  # of the answer to the upgrade
NORMAL_CLOSURE = 1000


@dataclass(frozen=True)
class Endpoint:
    """Where to connect, and what the venue allows and asks for there."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    hello: Callable[[], Sequence[str]] = tuple  # texts to send on each new connection
    sends: tuple[int, float] = (5, 1.0)  # messages in seconds, pings and pongs included
    attempts: tuple[int, float] = (20, 60.0)  # connections in seconds, from here to its host
    ping_s: float = 15.0
    ping_text: str = ""  # a venue's own ping message, instead of a ping frame
    idle_s: float = 45.0  # without a byte: the connection is dead
    lifetime_s: float = 23.5 * 3600  # then it is replaced, before the venue cuts it
    buffer_bytes: int = 1 << 20  # bounds a message
    ca_file: str | None = None  # trust these CAs, not the system's

    @cached_property
    def uri(self) -> WebSocketURI:
        return parse_uri(self.url)


class Connection:
    """See above. `now` is a monotonic time in seconds."""

    def __init__(self, endpoint: Endpoint, row: np.void, resolver: Executor, now: float):
        self.endpoint, self.row, self.number = endpoint, row, int(row["row"])
        self.state, self.reason, self.since = RESOLVING, "", now
        self.retry_after_s = 0.0
        self.socket: socket.socket | None = None
        self.tls: TlsSession | None = None
        self.protocol = ClientProtocol(endpoint.uri, max_size=None)
        self.sends = RateLimit(*endpoint.sends)
        self.queue: deque[str] = deque()
        self.received, self.unsent = b"", b""
        self.buffer = np.empty(0, np.uint8)
        self.bytes_seen, self.heard, self.pinged = 0, now, now
        self.host, port = endpoint.uri.host, endpoint.uri.port
        self.lookup = resolver.submit(socket.getaddrinfo, self.host, port, type=socket.SOCK_STREAM)
        self.addresses: list[tuple] = []

    def step(self, now: float) -> None:
        """Do what can be done now; time out what takes too long."""
        try:
            if self.state not in (OPEN, CLOSED):
                limit_s = CLOSE_S if self.state == CLOSING else HANDSHAKE_S
                if now - self.since > limit_s:
                    raise TransportError(f"{self.host} let {self.state} take over {limit_s:g} s")
            if self.state != CLOSED:
                getattr(self, f"_{self.state}")(now)
        except (OSError, TransportError) as error:
            said = f"{self.state} {self.host} failed: {getattr(error, 'strerror', error)}"
            self.end(str(error) if isinstance(error, TransportError) else said)

    def send(self, text: str, now: float) -> None:
        """Send as soon as the venue's limit allows."""
        self.queue.append(text)
        if self.state == OPEN:
            self.step(now)

    def close(self, now: float, reason: str = "closed by us") -> None:
        """Begin the closing handshake, or just end what is not open."""
        if self.state == OPEN:
            self.protocol.send_close(NORMAL_CLOSURE)
            self.reason = reason
            self._become(CLOSING)
            self.since = now
            self.step(now)
        elif self.state != CLOSING:
            self.end(reason)

    def on_event(self, kind: int, frame: bytes, close_code: int, now: float) -> None:
        """Python's part of what the poll found: a control frame, or an end."""
        reason = ""
        if kind == ENDED:
            return self.end(f"{self.host} ended the connection without a close frame")
        if kind == TLS_FAILED:
            return self.end(f"TLS with {self.host} failed: {self.tls and self.tls.reason()}")
        if kind == BREACH:
            self.protocol.fail(close_code)
            reason = f"{self.host} broke the WebSocket protocol: close code {close_code}"
        else:
            self.protocol.receive_data(frame)  # it makes the pong, or the answer to a close frame
            self.protocol.events_received()
            if kind == PING:
                self.sends.take(now)
            elif kind == CLOSE:
                close = self.protocol.close_rcvd or "with a frame that breaks the protocol"
                reason = f"{self.host} closed the connection: {close}"
        self.step(now)
        if reason:
            self.end(reason)

    # ------------------------------------------------------------ the steps of its life

    def _resolving(self, now: float) -> None:
        if self.lookup.done():
            self.addresses = self.lookup.result()
            self._become(CONNECTING)

    def _connecting(self, now: float) -> None:
        family, kind, protocol, _, address = self.addresses[0]
        if self.socket is None:
            self.socket = socket.socket(family, kind, protocol)
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = self.socket.connect_ex(address)
        if error in (0, errno.EISCONN):
            request = self.protocol.connect()
            request.headers.update(self.endpoint.headers)
            self.protocol.send_request(request)
            if self.endpoint.uri.secure:
                self.tls = TlsSession(self.socket.fileno(), self.host, self.endpoint.ca_file)
            self._become(SECURING if self.tls else UPGRADING)
        elif error not in (errno.EINPROGRESS, errno.EALREADY):
            self.socket.close()
            self.socket = None
            del self.addresses[0]
            if not self.addresses:
                raise OSError(error, os.strerror(error))

    def _securing(self, now: float) -> None:
        self._receive()
        if self.tls and self.tls.handshake():
            self._become(UPGRADING)

    def _upgrading(self, now: float) -> None:
        self._flush(now)
        self.received += self._receive()
        head, blank, rest = self.received.partition(b"\r\n\r\n")
        if not blank and len(head) <= HEAD_BYTES_MAX:
            return
        status = head.partition(b"\r\n")[0].decode("latin-1")
        if not blank or not re.match(r"HTTP/1\.1 101( |$)", status):
            if found := re.search(rb"(?i)\r\nretry-after: *(\d{1,6})", head):
                self.retry_after_s = float(found[1])
            raise TransportError(f"{self.host} refused the upgrade: {status[:100]}")
        self.protocol.receive_data(head + blank)
        if wrong := self.protocol.handshake_exc:
            raise TransportError(f"{self.host} answered the upgrade wrongly: {wrong}")
        self._hand_over(rest, now)

    def _hand_over(self, rest: bytes, now: float) -> None:
        """Make the row one that compiled code reads: what came behind the answer is in it."""
        assert self.socket is not None
        row, tls = self.row, self.tls
        self.buffer = np.empty(max(self.endpoint.buffer_bytes, len(rest)), np.uint8)
        self.buffer[: len(rest)] = np.frombuffer(rest, np.uint8)
        row["begin"] = row["joined_bytes"] = row["joined_kind"] = row["messages"] = 0
        row["fd"] = self.socket.fileno()
        row["ssl"], row["bio"] = (tls.ssl, tls.bio) if tls else (0, 0)
        row["buffer"], row["capacity"] = address_of(self.buffer), len(self.buffer)
        row["end"] = row["bytes"] = self.bytes_seen = len(rest)
        row["ts_received"], row["open"] = read_ticks(), 1
        self._become(OPEN)
        self.since = self.heard = self.pinged = now
        self.queue.extendleft(reversed(self.endpoint.hello()))
        self._flush(now)

    def _open(self, now: float) -> None:
        """Send what may be sent, ping, and notice silence."""
        if self.row["bytes"] != self.bytes_seen:
            self.bytes_seen, self.heard = int(self.row["bytes"]), now
        elif now - self.heard > self.endpoint.idle_s:
            raise TransportError(f"{self.host} sent nothing for {self.endpoint.idle_s:g} s")
        if now - self.pinged > self.endpoint.ping_s:
            self.pinged = now
            if self.endpoint.ping_text:
                self.queue.append(self.endpoint.ping_text)
            else:
                self.sends.take(now)
                self.protocol.send_ping(b"")
        self._flush(now)

    # ------------------------------------------------------------ bytes

    def _flush(self, now: float) -> None:
        while self.state == OPEN and self.queue and self.sends.wait_s(now) == 0:
            self.sends.take(now)
            self.protocol.send_text(self.queue.popleft().encode())
        self.unsent += b"".join(self.protocol.data_to_send())
        with contextlib.suppress(BlockingIOError):
            while self.unsent and self.socket:
                write = self.tls.write if self.tls else self.socket.send
                taken = write(self.unsent)
                self.unsent = self.unsent[taken:]
                if taken == 0:
                    return

    _closing = _flush

    def _receive(self) -> bytes:
        """What has come, decrypted if it is time for that; b"" for nothing."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = self.socket.recv(READ_BYTES) if self.socket else b""
            if not data:
                raise TransportError(f"{self.host} ended the connection while {self.state}")
        if self.tls is None:
            return data
        self.tls.receive(data)
        return self.tls.read() if self.state == UPGRADING else b""

    def _become(self, state: str) -> None:
        assert state in LIFE[self.state], f"{self.state} -> {state}"
        self.state = state

    def end(self, reason: str) -> None:
        """Now, and without a word; the first reason stays."""
        if self.state == CLOSED:
            return
        self.reason = self.reason or reason
        self._become(CLOSED)
        self.row["open"] = 0
        if self.tls is not None:
            self.tls.close()
        if self.socket is not None:
            self.socket.close()  # which takes it out of epoll, too
