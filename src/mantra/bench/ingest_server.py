"""The generator of the ingest bench: a process that serves TLS WebSockets and sends at a set rate.

In:        a Mix, a certificate, orders through `Worker`: accept, send, end.
Out:       messages, each with its numbers written in; when each left; how many a TLS record.
Must not know: who receives.

Messages are due at times of a Poisson process. All that are due go out at once: one, and then its
TLS record is its own, as long as the generator keeps up; several of a connection, in one record of
at most 16 KB, when it is behind or is asked for more than anybody takes. A connection whose
receiver is behind holds up all those behind it in the order, so that shares stay what they are.

A record is first encrypted into memory; stamps are taken after that, right before and right behind
`send`: what is measured from the first holds the kernel's part of the way, but not the generator's
own work. The bytes become readable between the two.
"""

import base64
import hashlib
import mmap
import re
import socket
from typing import Any

import numpy as np

from mantra.bench.ingest_mix import FIELD, PICKS, TEMPLATE, VOICE, Mix
from mantra.compiled import compiled
from mantra.icc.atomics import cpu_pause
from mantra.icc.memory import address_of, record_type, records_at
from mantra.telemetry.clock import Calibration, read_ticks
from mantra.telemetry.tsc import read_tsc
from mantra.transport import foreign

DECLARED = """
    send l ipli,  BIO_read i ppi,  SSL_accept i p,  SSL_set_fd i pi,  SSL_set0_wbio i pp,
    TLS_server_method l,  SSL_CTX_use_certificate_chain_file i pp,
    SSL_CTX_use_PrivateKey_file i ppi,  SSL_CTX_set_num_tickets i pl
"""
for _entry in DECLARED.split(","):
    foreign.declare(*_entry.split())

WORD, BYTE = np.dtype("i8"), np.dtype("u1")
RECORD_MAX, SEALED_MAX = 1 << 14, (1 << 14) + 512  # of a TLS record, before and after
TURN_MAX = 4096  # messages between two rounds of sending
STAMPS = 1 << 21  # messages whose departure is known
MSG_DONTWAIT_NOSIGNAL = np.int64(0x4040)
SSL_FILETYPE_PEM = 1
PATIENCE_S = 60.0  # for the next client
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
NUMBER, PREVIOUS, ID, SEQUENCE = range(1, 5)  # what is written at a mark

DEPARTURE = record_type("i8 leaves gone")  # of a message, as in SENDER
# A connection: plain frames that wait to be encrypted, what is encrypted and not yet sent.
# leaves gone    ticks right before and behind the last `send`
SENDER = record_type("i8 fd ssl bio plain plain_end sealed begin end sequence leaves gone")
# sent       messages so far: the next one's id; first: of this order
# records    TLS records; blocked: rounds in which somebody could take no more
# room       for a connection's frames that wait
# offsets    ticks at which the PICKS messages of a period are due
RUN = record_type(
    "i8 senders count templates fields voices picks offsets period start stop room stamps "
    "first sent records blocked idle"
)


def shared(count: int, dtype: np.dtype) -> np.ndarray:
    """Zeroed records that children see too."""
    return np.frombuffer(mmap.mmap(-1, count * dtype.itemsize), dtype)


@compiled
def compose(run, number, id):
    """Append the instrument's next message to its connection's frames; False: it has no room."""
    voice = records_at(run["voices"], number + 1, VOICE)[number]
    sender = records_at(run["senders"], run["count"], SENDER)[voice["connection"]]
    which = voice["cycle"] + voice["position"]
    template = records_at(run["templates"], which + 1, TEMPLATE)[which]
    if sender["plain_end"] + template["length"] > run["room"]:
        return False
    voice["position"] = (voice["position"] + 1) % voice["texts"]
    target = sender["plain"] + sender["plain_end"]
    foreign.memmove(target, template["text"], template["length"])
    fields = records_at(run["fields"], template["field"] + template["fields"], FIELD)
    for at in range(template["field"], template["field"] + template["fields"]):
        field = fields[at]
        kind, value, last = field["kind"], id, field["at"] + field["width"] - 1
        if kind == NUMBER:
            value = voice["number"]
        elif kind == PREVIOUS:
            value, voice["last"] = voice["last"] + 1, id
        elif kind == SEQUENCE:
            value = sender["sequence"]
            sender["sequence"] = value + 1
        digits = records_at(target + field["at"], field["width"], BYTE)
        for i in range(field["width"]):
            digits[last - field["at"] - i] = 48 + value % 10
            value //= 10
        if kind != NUMBER:
            digits[0] = 49  # no number begins with a zero
    sender["plain_end"] += template["length"]
    return True


@compiled
def flush(sender):
    """Send what is encrypted; whether all of it went."""
    if sender["begin"] < sender["end"]:
        sender["leaves"] = read_tsc()
        size = sender["end"] - sender["begin"]
        sealed = sender["sealed"] + sender["begin"]
        went = foreign.send(sender["fd"], sealed, size, MSG_DONTWAIT_NOSIGNAL)
        sender["gone"] = read_tsc()
        sender["begin"] += max(went, 0)
    return sender["begin"] == sender["end"]


@compiled
def seal(sender):
    """Encrypt the frames that wait, as one record."""
    foreign.SSL_write(sender["ssl"], sender["plain"], sender["plain_end"])
    sealed = np.int64(SEALED_MAX)
    sender["begin"], sender["plain_end"] = 0, 0
    sender["end"] = foreign.BIO_read(sender["bio"], sender["sealed"], sealed)


@compiled
def send_due(run_address):
    """Send until `stop`."""
    run = records_at(run_address, 1, RUN)[0]
    senders = records_at(run["senders"], run["count"], SENDER)
    picks = records_at(run["picks"], PICKS, WORD)
    offsets = records_at(run["offsets"], PICKS, WORD)
    stamps = records_at(run["stamps"], STAMPS, DEPARTURE)
    voices = records_at(run["voices"], 1 << 16, VOICE)
    now = read_tsc()
    while now < run["stop"]:
        id, first, blocked = run["sent"], run["sent"], False
        while id < first + TURN_MAX:
            at = id - run["first"]
            if run["start"] + at // PICKS * run["period"] + offsets[at % PICKS] > now:
                break
            sender = senders[voices[picks[at % PICKS]]["connection"]]
            blocked = sender["begin"] < sender["end"]
            if blocked or not compose(run, picks[at % PICKS], id):
                break
            id += 1
        if id == first and not blocked:
            cpu_pause()
            before, now = now, read_tsc()
            run["idle"] += now - before
            continue
        for i in range(run["count"]):
            if senders[i]["plain_end"] > 0:
                seal(senders[i])
                run["records"] += 1
            flush(senders[i])
        for i in range(first, id):
            sender = senders[voices[picks[(i - run["first"]) % PICKS]]["connection"]]
            stamps[i % STAMPS]["leaves"] = sender["leaves"]
            stamps[i % STAMPS]["gone"] = sender["gone"]
        run["sent"], now = id, read_tsc()
        run["blocked"] += blocked


def server_context(certificate: str) -> int:
    """An SSL_CTX that shows the certificate of a file which also has its key."""
    context, path = foreign.SSL_CTX_new(foreign.TLS_server_method()), certificate.encode()
    # A client that reads and writes in two threads (websockets.sync) sometimes loses its request to
    # a session ticket: before 3.13 Python's TLS sockets have no lock.
    foreign.SSL_CTX_set_num_tickets(context, 0)
    foreign.SSL_CTX_use_certificate_chain_file(context, path)
    foreign.SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM)
    return context


class Generator:
    """In the process of its own: made before the fork, so that its port is known."""

    def __init__(self, mix: Mix, certificate: str):
        self.mix, self.certificate = mix, certificate
        self.stamps = shared(STAMPS, DEPARTURE)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.stream_of = {
            int(voice["number"]): int(voice["connection"])
            for voice, of in zip(mix.voices, mix.tables.instruments["venue"], strict=True)
            if of == 0
        }

    def accept(self, count: int) -> str:
        """Serve `count` connections, told apart by the path or its first symbol; what is wrong."""
        self.context = server_context(self.certificate)
        streams = len(self.mix.streams)
        self.rate = float(Calibration().fix["ticks_per_second"])
        self.buffers = np.zeros((streams, RECORD_MAX + SEALED_MAX), BYTE)
        self.senders = np.zeros(streams, SENDER)
        self.sockets: list[socket.socket] = []
        self.senders["plain"] = address_of(self.buffers) + np.arange(streams) * len(self.buffers[0])
        self.senders["sealed"] = self.senders["plain"] + RECORD_MAX
        self.voices = self.mix.voices.copy()
        self.run = np.zeros(1, RUN)
        self.run["count"], self.run["room"] = streams, RECORD_MAX
        self.run["sent"] = 1  # ids begin behind those of the bases
        for name in ("senders", "stamps", "voices"):
            self.run[name] = address_of(getattr(self, name))
        for name in ("templates", "fields", "picks"):
            self.run[name] = address_of(getattr(self.mix, name))
        self.listener.settimeout(PATIENCE_S)
        try:
            while len(self.sockets) < count:
                self._accept()
        except OSError as error:
            return f"{len(self.sockets)} of {count} connections came: {error}"
        return ""

    def _accept(self) -> None:
        connected, _ = self.listener.accept()
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ssl = foreign.SSL_new(self.context)
        foreign.SSL_set_fd(ssl, connected.fileno())
        connected.settimeout(None)
        foreign.SSL_accept(ssl)  # what fails here fails below
        buffer, request = np.zeros(1 << 14, np.uint8), b""
        while b"\r\n\r\n" not in request:
            got = foreign.SSL_read(ssl, address_of(buffer), len(buffer))
            if got <= 0:
                raise OSError("a client went away during the handshake")
            request += buffer[:got].tobytes()
        symbol = re.search(rb"x(\d{5})usdt", request.partition(b"\r\n")[0])
        path = re.match(rb"GET /(\d+)", request)
        number = self.stream_of[int(symbol[1])] if symbol else int(path[1]) if path else 0
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
        digest = base64.b64encode(hashlib.sha1((key[1] if key else b"") + GUID).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        answer += b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + digest + b"\r\n\r\n"
        foreign.SSL_write(ssl, answer, len(answer))
        bio = foreign.BIO_new(foreign.BIO_s_mem())
        foreign.SSL_set0_wbio(ssl, bio)
        sender = self.senders[number]
        sender["fd"], sender["ssl"], sender["bio"] = connected.fileno(), ssl, bio
        self.sockets.append(connected)

    def send(self, rate: float, seconds: float) -> dict[str, Any]:
        """Send `rate` messages a second, 0: as many as are taken. What came of it."""
        run, period_s = self.run[0], PICKS / rate if rate else 0.0
        due = np.sort(np.random.default_rng(int(run["sent"])).random(PICKS)) * period_s
        self.offsets = (due * self.rate).astype(np.int64)
        run["offsets"], run["period"] = address_of(self.offsets), int(period_s * self.rate)
        run["records"] = run["blocked"] = run["idle"] = 0
        run["first"], run["start"] = run["sent"], read_ticks()
        run["stop"] = run["start"] + int(seconds * self.rate)
        send_due(address_of(self.run))
        took = (read_ticks() - int(run["start"])) / self.rate
        sent = int(run["sent"] - run["first"])
        return {
            "seconds": took,
            "messages": sent,
            "messages_per_record": sent / max(int(run["records"]), 1),
            "idle": int(run["idle"]) / self.rate / took,
            "blocked": int(run["blocked"]),
        }

    def end(self) -> None:
        """Drop all connections."""
        for sender in self.senders[self.senders["ssl"] != 0]:
            foreign.SSL_free(sender["ssl"])
        for connected in self.sockets:
            connected.close()
