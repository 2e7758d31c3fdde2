"""One connection, from its host's name to its end. A new attempt is a new Connection.

In:        an Endpoint, a row of the poll, the time at each step.
Out:       the row opened for compiled reads; `state`, and at the end `reason`, a sentence.
Must not know: other connections, when to try again (pool.py).

Until it is open, a thread of its own makes it, step by step, and may wait: names are looked up,
certificates are checked (some ms of CPU), a venue's token is fetched for `hello`. The thread that
reads markets looks in now and then whether it is done, and never waits.

Then compiled code reads. Control frames go as they are to the `websockets` library, which answers
them; it also makes the upgrade and all frames that are sent.

    dialing (connecting, securing, upgrading) -> open -> closing -> closed;   closed from anywhere
"""

import contextlib
import ctypes
import re
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from websockets.client import ClientProtocol
from websockets.extensions import permessage_deflate as deflate
from websockets.uri import WebSocketURI, parse_uri

from mantra.icc.memory import address_of
from mantra.telemetry.clock import read_ticks
from mantra.transport.frames import BREACH, CLOSE, ENDED, PING, TLS_FAILED
from mantra.transport.inflate import Inflater
from mantra.transport.limits import RateLimit
from mantra.transport.tls import READ_BYTES, TlsSession, TransportError

DIALING, OPEN, CLOSING, CLOSED = "dialing", "open", "closing", "closed"
LIFE = {DIALING: (OPEN, CLOSED), OPEN: (CLOSING, CLOSED), CLOSING: (CLOSED,), CLOSED: ()}

HANDSHAKE_S = 10.0  # from the name to open
CLOSE_S = 2.0  # for the other side's close frame
HEAD_BYTES_MAX = 32_768  # of the answer to the upgrade
NORMAL_CLOSURE = 1000


@dataclass(frozen=True)
class Endpoint:
    """Where to connect, and what the venue allows and asks for there."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    hello: Callable[[], Sequence[str]] = tuple  # first texts of each connection; may wait
    sends: tuple[int, float] = (5, 1.0)  # messages in seconds, pings and pongs included
    attempts: tuple[int, float] = (20, 60.0)  # connections in seconds, from here to its host
    ping_s: float = 15.0
    ping_text: str = ""  # a venue's own ping message, instead of a ping frame
    idle_s: float = 45.0  # without a byte: the connection is dead
    lifetime_s: float = 23.5 * 3600  # then it is replaced, before the venue cuts it
    buffer_bytes: int = 1 << 20  # bounds a message
    deflate: bool = False  # offer permessage-deflate (RFC 7692)
    ca_file: str | None = None  # trust these CAs, not the system's

    @cached_property
    def uri(self) -> WebSocketURI:
        return parse_uri(self.url)


class Connection:
    """See above. `now` is a monotonic time in seconds."""

    def __init__(self, endpoint: Endpoint, row: np.void, dialers: Executor, now: float):
        self.endpoint, self.row, self.number = endpoint, row, int(row["row"])
        self.host, self.state, self.stage = endpoint.uri.host, DIALING, "connecting"
        self.reason, self.retry_after_s, self.since = "", 0.0, now
        self.socket: socket.socket | None = None
        self.tls: TlsSession | None = None
        offers = deflate.enable_client_permessage_deflate(None) if endpoint.deflate else None
        self.protocol = ClientProtocol(endpoint.uri, extensions=offers, max_size=None)
        self.inflater: Inflater | None = None
        self.sends = RateLimit(*endpoint.sends)
        self.queue: deque[str] = deque()
        self.unsent, self.buffer = b"", np.empty(0, np.uint8)
        self.bytes_seen, self.heard, self.pinged = 0, now, now
        self.dial = dialers.submit(self._dial)

    def step(self, now: float) -> None:
        """Do what can be done now."""
        try:
            if self.state != CLOSED:
                getattr(self, f"_{self.state}")(now)
        except OSError as error:
            self.end(f"{self.host} is gone: {error.strerror or error}")
        except TransportError as error:
            self.end(str(error))

    def send(self, text: str, now: float) -> None:
        """Send as soon as the venue's limit allows."""
        self.queue.append(text)
        if self.state == OPEN:
            self.step(now)

    @property
    def is_busy(self) -> bool:
        """Whether there is something to do in the next turn."""
        return self.state != OPEN or bool(self.queue or self.unsent)

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

    def on_event(self, event: np.void, now: float) -> None:
        """Python's part of what the poll found: a control frame, or an end."""
        kind, length, reason = int(event["kind"]), int(event["length"]), ""
        if kind == ENDED:
            return self.end(f"{self.host} ended the connection without a close frame")
        if kind == TLS_FAILED:
            return self.end(f"TLS with {self.host} failed: {self.tls and self.tls.reason()}")
        if kind == BREACH:
            self.protocol.fail(length)
            reason = f"{self.host} broke the WebSocket protocol: close code {length}"
        else:
            # It makes the pong, or the answer to a close frame.
            self.protocol.receive_data(ctypes.string_at(int(event["address"]), length))
            self.protocol.events_received()
            if kind == PING:
                self.sends.take(now)
            elif kind == CLOSE:
                close = self.protocol.close_rcvd or "with a frame that breaks the protocol"
                reason = f"{self.host} closed the connection: {close}"
        if reason and self.state == OPEN:
            self._become(CLOSING)  # nothing may follow the close frame: texts that wait stay here
            self.since = now
        self.step(now)
        if reason:
            self.end(reason)

    # ------------------------------------------------------------ the steps of its life

    def _dial(self) -> tuple[bytes, Sequence[str]]:
        """In its own thread: what came behind the answer to the upgrade, and the first texts."""
        uri, answer = self.endpoint.uri, b""
        self.socket = socket.create_connection((uri.host, uri.port), HANDSHAKE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if uri.secure:
            self.stage = "securing"
            self.tls = TlsSession(self.socket.fileno(), uri.host, self.endpoint.ca_file)
            while not self.tls.handshake():
                self.tls.receive(self._receive(self.socket))
        self.stage = "upgrading"
        request = self.protocol.connect()
        request.headers.update(self.endpoint.headers)
        self.protocol.send_request(request)
        self._flush(self.since)
        while b"\r\n\r\n" not in answer and len(answer) <= HEAD_BYTES_MAX:
            if self.tls is None:
                answer += self._receive(self.socket)
            elif some := self.tls.read():
                answer += some
            else:
                self.tls.receive(self._receive(self.socket))
        head, blank, rest = answer.partition(b"\r\n\r\n")
        status = head.partition(b"\r\n")[0].decode("latin-1")
        if not blank or not re.match(r"HTTP/1\.1 101( |$)", status):
            if found := re.search(rb"(?i)\r\nretry-after: *(\d{1,6})", head):
                self.retry_after_s = float(found[1])
            raise TransportError(f"{self.host} refused the upgrade: {status[:100]}")
        self.protocol.receive_data(head + blank)
        if wrong := self.protocol.handshake_exc:
            raise TransportError(f"{self.host} answered the upgrade wrongly: {wrong}")
        self.socket.setblocking(False)
        return rest, self.endpoint.hello()

    def _receive(self, connected: socket.socket) -> bytes:
        if data := connected.recv(READ_BYTES):
            return data
        raise TransportError(f"{self.host} ended the connection while {self.stage}")

    def _dialing(self, now: float) -> None:
        if self.dial.done():
            error = self.dial.exception()
            if error and not isinstance(error, TransportError):
                why = getattr(error, "strerror", None) or error
                raise TransportError(f"{self.stage} {self.host} failed: {why}") from error
            self._hand_over(*self.dial.result(), now)
        elif now - self.since > HANDSHAKE_S:
            raise TransportError(f"{self.host} let {self.stage} take over {HANDSHAKE_S:g} s")

    def _hand_over(self, rest: bytes, hello: Sequence[str], now: float) -> None:
        """Make the row one that compiled code reads: what came behind the answer is in it."""
        assert self.socket is not None
        row, tls = self.row, self.tls
        self.buffer = np.empty(max(self.endpoint.buffer_bytes, len(rest)), np.uint8)
        self.buffer[: len(rest)] = np.frombuffer(rest, np.uint8)
        row["begin"] = row["joined_bytes"] = row["joined_kind"] = row["messages"] = 0
        row["fd"] = self.socket.fileno()
        row["ssl"], row["bio"] = (tls.ssl, tls.bio) if tls else (0, 0)
        row["buffer"], row["capacity"] = address_of(self.buffer), len(self.buffer)
        row["inflater"] = 0
        for agreed in self.protocol.extensions:
            assert isinstance(agreed, deflate.PerMessageDeflate), "nothing else was offered"
            self.inflater = Inflater(len(self.buffer), agreed.remote_no_context_takeover)
            row["inflater"] = self.inflater.address
        row["end"] = row["bytes"] = self.bytes_seen = len(rest)
        row["ts_received"], row["open"] = read_ticks(), 1
        self._become(OPEN)
        self.since = self.heard = self.pinged = now
        self.queue.extendleft(reversed(hello))
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

    def _closing(self, now: float) -> None:
        if now - self.since > CLOSE_S:
            self.end(self.reason)
        else:
            self._flush(now)

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
        with contextlib.suppress(OSError):
            if self.socket and not self.dial.done():
                self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that dials
        self.dial.cancel()
        self.dial.add_done_callback(self._release)

    def _release(self, _: object) -> None:
        """When no thread dials any more: here, or at its end there."""
        if self.inflater is not None:
            self.inflater.close()
        if self.tls is not None:
            self.tls.close()
        if self.socket is not None:
            self.socket.close()  # which takes it out of epoll, too
