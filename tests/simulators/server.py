"""A simulated venue as a process: TLS, upgrades, REST; two threads a client.

In:        a dialect, a rate, faults, a certificate.
Out:       a port on loopback.
Must not know: what is said there.

The market changes under one lock, in which every client's texts are made: so a snapshot and the
changes behind it fit. Sending is another thread a client, so that one that stalls holds nobody up.

Beside the venue's own paths it answers `/_sim/books`: the truth, as JSON, the market standing
still from then on; `/_sim/faults`: what has been done; `/_sim/calm`: the same, and nothing more is.
"""

import contextlib
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

from websockets.frames import Opcode
from websockets.server import ServerProtocol

from tests.simulators.dialects import DIALECTS, Client, Dialect
from tests.simulators.faults import CLOSE_CODES, STALL_S, Faults
from tests.simulators.market import Market

READ_BYTES = 1 << 16
BEAT_S = 1.0
TURN_S = 0.005
UNSENT_MAX = 20_000  # texts waiting for a client that does not read: then it is cut off
END = ""


class Session:
    """One client: what it wants, what is still to be sent to it."""

    def __init__(self, server: "SimulatedServer", connection: socket.socket):
        self.server, self.connection = server, connection
        self.protocol = ServerProtocol(max_size=1 << 20)
        self.client = Client()
        self.texts: queue.Queue[str] = queue.Queue(UNSENT_MAX)
        self.lock = threading.Lock()  # of the protocol and the socket's sending side
        self.open, self.silent = False, False

    def put(self, texts: Iterator[str]) -> None:
        """Send later; called under the market's lock."""
        for text in texts:
            with contextlib.suppress(queue.Full):
                self.texts.put_nowait(text)

    def run(self) -> None:
        """Read until the end: the upgrade, texts, control frames."""
        with contextlib.suppress(OSError), self.connection:
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
            while data := self.connection.recv(READ_BYTES):
                with self.lock:
                    self.protocol.receive_data(data)
                    events = self.protocol.events_received()
                    for event in events:
                        self._on_event(event)
                    if not self.silent:
                        self._flush()
                if self.protocol.close_expected():
                    break
        self.server.leave(self)

    def _on_event(self, event) -> None:
        if hasattr(event, "path"):
            self._on_request(event)
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY):
            with self.server.lock:
                self.put(self.server.dialect.answer(self.client, event.data.decode()))

    def _on_request(self, request) -> None:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self.protocol.send_response(self.protocol.accept(request))
            self.open = True
            self.server.join(self)
            return
        body = self.server.rest(request.path)
        status = HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK
        self.protocol.send_response(self.protocol.reject(status, (body or b"").decode()))

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.connection.sendall(data)

    # ------------------------------------------------------------ sending

    def send_all(self) -> None:
        """Send what is put, with the faults that are drawn, until the end."""
        held: bytes | None = None
        with contextlib.suppress(OSError):
            while (text := self.texts.get()) != END:
                raw, fault = text.encode(), self.server.faults.draw()
                if fault == "reorder" and held is None:
                    held = raw
                    continue
                self._send(raw, fault)
                if held is not None:
                    self._send(held, "")
                    held = None
                if fault in ("close", "reset"):
                    break
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, raw: bytes, fault: str) -> None:
        if fault == "stall":
            time.sleep(STALL_S)
        if fault == "half-open":
            self.silent = True
        if self.silent or fault == "reset":
            return
        with self.lock:
            if fault == "close":
                self.protocol.send_close(self.server.faults.dice.choice(CLOSE_CODES[::2]))
            else:
                for piece in self.server.faults.damaged(fault, raw):
                    self.protocol.send_text(piece)
            data = b"".join(self.protocol.data_to_send())
            step = 1 if fault == "split" else len(data) or 1
            for at in range(0, len(data), step):
                self.connection.sendall(data[at : at + step])


class SimulatedServer:
    """`rate` changes a second; `certificate` is a PEM file of key and chain, "": plain TCP."""

    def __init__(
        self,
        venue: str,
        symbols: list[str],
        rate: float,
        faults: Faults | None = None,
        certificate: str = "",
        seed: int = 1,
        port: int = 0,
    ):
        self.market = Market(symbols, seed)
        self.dialect: Dialect = DIALECTS[venue](self.market)
        self.rate, self.faults = rate, faults or Faults({})
        self.lock = threading.RLock()
        self.sessions: set[Session] = set()
        self.frozen = self.stopped = False
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.listener = context.wrap_socket(
                self.listener, server_side=True, do_handshake_on_connect=False
            )
        self.port = self.listener.getsockname()[1]

    def rest(self, path: str) -> bytes | None:
        with self.lock:
            if path == "/_sim/books":
                self.frozen = True
                symbols = self.market.symbols.values()
                return json.dumps(
                    {one.name: [list(side.items()) for side in one.sides] for one in symbols}
                ).encode()
            if path == "/_sim/calm":
                self.faults.odds = {}
                return json.dumps(self.faults.done).encode()
            if path == "/_sim/faults":
                return json.dumps(self.faults.done).encode()
            return self.dialect.rest(path)

    def join(self, session: Session) -> None:
        with self.lock:
            self.sessions.add(session)
            session.put(self.dialect.greet(session.client))
        threading.Thread(target=session.send_all, daemon=True).start()

    def leave(self, session: Session) -> None:
        with self.lock:
            self.sessions.discard(session)
        with contextlib.suppress(queue.Full):
            session.texts.put_nowait(END)

    def start(self) -> None:
        """Serve and change in threads of this process."""
        for work in (self._accept, self._change):
            threading.Thread(target=work, daemon=True).start()

    def stop(self) -> None:
        self.stopped = True
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self.stopped:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=Session(self, connection).run, daemon=True).start()

    def _change(self) -> None:
        """Changes at the rate, in small bundles; heartbeats."""
        began, made, beat = time.monotonic(), 0, time.monotonic()
        while not self.stopped:
            now = time.monotonic()
            with self.lock:
                due = 0 if self.frozen else int((now - began) * self.rate) - made
                for _ in range(due):
                    change = self.market.change()
                    for session in self.sessions:
                        session.put(self.dialect.tell(session.client, change))
                made += due
                if now - beat >= BEAT_S:
                    beat = now
                    for session in self.sessions:
                        session.put(self.dialect.beat(session.client))
            time.sleep(TURN_S)
