"""A simulated venue: TLS, upgrades, WebSocket, REST; one loop, one thread.

In:        a dialect, a rate, faults, a certificate.
Out:       a port on loopback.
Must not know: what is said there.

All happens in turns: read what came, change the market, send what is due. So a snapshot and the
changes behind it fit, and a client that stalls holds nobody up.

Beside the venue's own paths it answers, as JSON, whatever the faults:

    /_sim/books           the truth. No faults any more, one last change of each symbol, so that all
                          that was lost before shows; then the market stands still
    /_sim/go              the market goes on, and so do faults
    /_sim/calm            no faults any more; what has been done
    /_sim/list?symbol=X   a symbol begins    /_sim/delist?symbol=X  one ends
"""

import contextlib
import importlib
import json
import selectors
import socket
import ssl
import struct
import time
from collections import deque
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from mantra.simulators.dialect import Client
from mantra.simulators.dialects import DIALECTS
from mantra.simulators.faults import CLOSE_CODES, RETRY_AFTER_S, STALL_S, Faults
from mantra.simulators.market import REACH, Change, Market, Symbol

READ_BYTES = 1 << 16
BEAT_S = 1.0
TURN_S = 0.005
UNSENT_MAX = 50_000  # waiting for a client that does not read: then it is cut off
PONG_S = 60.0  # so long the venue waits for one
TRICKLE_BYTES = 48  # a turn, of a slow handshake
SHORT, MEDIUM = 126, 1 << 16  # lengths of frames from which they are written in 2 bytes, in 8
TOO_FAST = "too fast"  # texts of clients above the venue's limit, counted beside the faults


def frame(text: bytes) -> bytes:
    """A whole text frame of a server (RFC 6455, section 5.2)."""
    size = len(text)
    if size < SHORT:
        return struct.pack("!BB", 0x81, size) + text
    if size < MEDIUM:
        return struct.pack("!BBH", 0x81, SHORT, size) + text
    return struct.pack("!BBQ", 0x81, SHORT + 1, size) + text


class Session:
    """One client's connection: what is to be sent to it, and how."""

    def __init__(self, server: "SimulatedServer", connection: socket.socket):
        self.server, self.socket, self.client = server, connection, Client()
        deflate = [ServerPerMessageDeflateFactory()] if server.deflate else None
        self.protocol = ServerProtocol(max_size=1 << 20, extensions=deflate)
        self.texts: deque[tuple[bytes, bytes, bool]] = deque()  # text, its frame, of a book
        self.pieces: deque[bytes] = deque()  # each is handed to the kernel by itself
        self.held: bytes | None = None  # comes after the next
        self.due = self.spent_at = time.monotonic()
        self.spent = 0.0  # texts of the client: what the venue's limit has not forgiven yet
        self.pinged = self.ponged = self.due
        self.ending = self.silent = self.slow = self.ended = False
        self.tls: ssl.SSLObject | None = None
        self.secured = server.context is None
        if server.context is not None:
            self.arrived, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = server.context.wrap_bio(self.arrived, self.leaving, server_side=True)
            self.slow = server.faults.hits("slow-tls")

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.server.leave(self)
            self.socket.close()

    # ------------------------------------------------------------ reading

    def read(self, now: float) -> None:
        """Take what has come: the handshake, the upgrade, texts, control frames."""
        try:
            data = self.socket.recv(READ_BYTES)
            if not data:
                return self.end()
            self.protocol.receive_data(self._decrypt(data) if self.tls else data)
        except BlockingIOError:
            return
        except OSError:  # ssl.SSLError is one
            return self.end()
        for event in self.protocol.events_received():
            self._on_event(event, now)
        self._write(b"".join(self.protocol.data_to_send()))
        self.ending |= self.protocol.close_expected()

    def _decrypt(self, data: bytes) -> bytes:
        assert self.tls is not None
        self.arrived.write(data)
        plain = []
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.secured:
                self.tls.do_handshake()
                self.secured = True
            while some := self.tls.read(READ_BYTES):
                plain.append(some)
        if said := self.leaving.read():
            step = TRICKLE_BYTES if self.slow and not self.secured else len(said)
            self.pieces.extend(said[at : at + step] for at in range(0, len(said), step))
        return b"".join(plain)

    def _on_event(self, event: Event, now: float) -> None:
        if self.ending:
            return
        if isinstance(event, Request):
            return self._on_request(event)
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY) and self._may_send(now):
            for text in self.server.dialect.answer(self.client, bytes(event.data).decode()):
                self.put(text, '"snapshot"' in text or text[0] == "[")  # Bitfinex' are arrays
        elif event.opcode == Opcode.PONG:
            self.ponged = now

    def _may_send(self, now: float) -> bool:
        """Whether the client keeps to the venue's limit; else it is told, or cut off.

        Two windows are forgiven: the limit is the client's clock's, and either side may be late.
        """
        limit, seconds = self.server.sends
        self.spent = max(0.0, self.spent - (now - self.spent_at) * limit / seconds) + 1
        self.spent_at = now
        if self.spent <= 2 * limit:
            return True
        self.server.faults.done[TOO_FAST] += 1
        if words := self.server.dialect.too_fast:
            self.put(self.server.dialect.complain({}, words), False)
        else:
            self.protocol.send_close(1008, "Too many requests")
            self.ending = True
        return False

    def _on_request(self, request: Request) -> None:
        refused = not request.path.startswith("/_sim/") and self.server.faults.hits("refuse")
        if refused:
            response = self.protocol.reject(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests\n")
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        elif request.headers.get("Upgrade", "").lower() == "websocket":
            response = self.protocol.accept(request)
        else:
            body = self.server.rest(request.path)
            status = HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK
            response = self.protocol.reject(status, (body or b"").decode())
        self.protocol.send_response(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            for text in self.server.dialect.greet(self.client):
                self.put(text, False)

    # ------------------------------------------------------------ sending

    def put(self, text: str, book: bool) -> None:
        """Send on this turn, or when it can be."""
        raw = text.encode()
        self.texts.append((raw, frame(raw), book))

    def flush(self, now: float) -> None:
        """Send what is put, with the faults that are drawn; as much as the kernel takes."""
        if now < self.due:
            return
        while self.texts and now >= self.due and not self.ending:
            self._take_text(now)
        if len(self.texts) + len(self.pieces) > UNSENT_MAX:
            return self.end()
        try:
            while self.pieces:
                sent = self.socket.send(self.pieces[0])
                if sent < len(self.pieces[0]):
                    self.pieces[0] = self.pieces[0][sent:]
                    return
                self.pieces.popleft()
                if self.slow and not self.secured:
                    return
        except BlockingIOError:
            return
        except OSError:
            return self.end()
        if self.ending:
            self.end()

    def _take_text(self, now: float) -> None:
        """The next text; when there are no faults and no compression all there are, in a record."""
        faults = self.server.faults
        if self.silent:
            return self.texts.clear()
        if self.held is None and not self.protocol.extensions and not faults.active:
            self._write(b"".join(framed for _, framed, _ in self.texts))
            return self.texts.clear()
        raw, _, book = self.texts.popleft()
        fault = faults.draw(book)
        if fault == "reorder" and self.held is None:
            self.held = raw
            return
        self._send(raw, fault, now)
        if self.held is not None:
            raw, self.held = self.held, None
            self._send(raw, "", now)

    def _send(self, raw: bytes, fault: str, now: float) -> None:
        faults = self.server.faults
        if self.ending or self.protocol.state is not State.OPEN:
            return
        if fault == "stall":
            self.due = now + STALL_S
        elif fault == "half-open":
            self.silent = True
        elif fault == "close":
            self.protocol.send_close(faults.dice.choice(CLOSE_CODES))
            self.ending = True
        elif fault == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.pieces.clear()
            self.ending = True
            return
        if fault != "close":
            for piece in faults.damaged(fault, raw):
                self.protocol.send_text(piece)
        data = b"".join(self.protocol.data_to_send())
        step = 1 if fault == "split" else len(data) or 1
        for at in range(0, len(data), step):
            self._write(data[at : at + step])

    def ping(self, now: float) -> None:
        """The venue's pings; a client that answers none is cut off."""
        every = self.server.dialect.ping_s
        if every and now - self.pinged > every and self.protocol.state is State.OPEN:
            if self.ponged < self.pinged and now - self.ponged > every + PONG_S:
                return self.end()
            self.pinged = now
            self.protocol.send_ping(str(int(now)).encode())
            self._write(b"".join(self.protocol.data_to_send()))

    def _write(self, data: bytes) -> None:
        if self.silent or self.ended or not data:
            return
        if self.tls:
            self.tls.write(data)
            data = self.leaving.read()
        self.pieces.append(data)


class SimulatedServer:
    """`rate` changes a second; no `context`: plain TCP. Raises KeyError for no venue."""

    def __init__(
        self,
        venue: str,
        symbols: list[str],
        rate: float,
        faults: Faults | None = None,
        context: ssl.SSLContext | None = None,
        port: int = 0,
        seed: int = 1,
        reach: int = REACH,
        deflate: bool = False,
    ):
        dialect = DIALECTS[venue]
        self.market = Market(symbols, seed, reach, dialect.deep)
        self.dialect = dialect(self.market)
        self.sends = importlib.import_module(f"mantra.exchanges.{venue}.subscriptions").RULES.sends
        self.rate, self.faults = rate, faults or Faults({})
        self.context, self.deflate = context, deflate
        self.sessions: dict[Client, Session] = {}
        self.frozen = self.stopped = False
        self.made = self.told = 0  # changes; messages
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until `stopped` is set."""
        last = beat = time.monotonic()
        due = 0.0
        while not self.stopped:
            ready = self.selector.select(TURN_S)
            now = time.monotonic()
            for key, _ in ready:
                if key.data is None:
                    self._accept()
                else:
                    key.data.read(now)
            due, last = due + (0 if self.frozen else (now - last) * self.rate), now
            while due >= 1 and self.market.changing:
                due -= 1
                self.change()
            if now - beat >= BEAT_S:
                beat = now
                for session in tuple(self.sessions.values()):
                    session.ping(now)
                    if session.protocol.state is State.OPEN:
                        for text in self.dialect.beat(session.client):
                            session.put(text, False)
            for session in tuple(self.sessions.values()):
                session.flush(now)
        for session in tuple(self.sessions.values()):
            session.end()
        self.selector.close()
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self.listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                session = Session(self, connection)
                self.sessions[session.client] = session
                self.selector.register(connection, selectors.EVENT_READ, session)

    def leave(self, session: Session) -> None:
        del self.sessions[session.client]
        self.dialect.leave(session.client)
        self.selector.unregister(session.socket)

    def change(self, symbol: Symbol | None = None) -> None:
        """Change the market, and put what there is to say to those who want it."""
        dialect = self.dialect
        change: Change = self.market.change(symbol)
        self.made += 1
        for topic, body in dialect.say(change):
            book = topic.channel == dialect.book_channel
            raw = body.encode()
            shared = raw, frame(raw), book
            for client in dialect.followers[topic]:
                self.told += 1
                if dialect.numbers_messages:
                    self.sessions[client].put(dialect.frame(client, topic, body), book)
                else:
                    self.sessions[client].texts.append(shared)

    def rest(self, path: str) -> bytes | None:
        """The answer to a GET."""
        url = urlsplit(path)
        if not path.startswith("/_sim/"):
            return self.dialect.rest(path)
        what = url.path.removeprefix("/_sim/")
        names = parse_qs(url.query).get("symbol", [])
        if what == "books":
            self.faults.calm = self.frozen = True
            for symbol in self.market.changing:
                self.change(symbol)
            answer: object = {
                one.name: [list(side.items()) for side in one.sides] for one in self.market.changing
            }
        elif what == "go":
            self.faults.calm = self.frozen = False
            answer = None
        elif what == "calm":
            self.faults.calm = True
            answer = {"done": self.faults.done, "books": self.faults.books}
        elif what in ("list", "delist") and names:
            for name in names:
                (self.market.begin if what == "list" else self.market.end)(name)
            answer = names
        else:
            return None
        return json.dumps(answer).encode()
