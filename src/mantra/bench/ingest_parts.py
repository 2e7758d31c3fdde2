"""Where the time of a message goes: its parts one by one, in a process of their own, each alone.

In:        a Mix, a certificate.
Out:       µs a message: kernel (epoll_wait and a `recv` a record, without waking up), TLS with one
           record a message, frames, JSON, all the rest of `take_message` (sequences, books,
           checksums, publishing).
Must not know: a running handler.

The same messages as the generator sends, one part after the other: processor caches are warmer
than in a handler that is woken, so what is left over there is theirs, too.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

import numpy as np

from mantra.actors.stepper import Stepper
from mantra.bench.ingest_mix import PICKS, VOICE, Mix
from mantra.bench.ingest_server import RUN, SENDER, WORD, compose, server_context
from mantra.compiled import compiled
from mantra.exchanges import codecs
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data import take
from mantra.market_data.handler import MarketDataHandler
from mantra.transport import foreign, frames
from mantra.transport.frames import CONNECTION, MESSAGE, POLL, parse
from mantra.transport.poll import FOUR, IPPROTO_TCP, MSG_DONTWAIT, READY, TCP_QUICKACK, decrypt
from mantra.transport.tls import TlsSession

ROUND = 20_480  # messages; a multiple of PAIRS
PAIRS = 64  # TCP connections
EPOLL_CTL_ADD, EPOLLIN = 1, 1
ROOM = ROUND * 1024
SEALED_ROOM = ROOM + ROUND * 64


@compiled
def compose_round(run_address, first):
    """The next ROUND messages, one behind the other at `plain` of all senders alike."""
    run = records_at(run_address, 1, RUN)[0]
    senders = records_at(run["senders"], run["count"], SENDER)
    picks = records_at(run["picks"], PICKS, WORD)
    voices = records_at(run["voices"], 1 << 16, VOICE)
    end = np.int64(0)
    for i in range(ROUND):
        instrument = picks[(first + i) % PICKS]
        sender = senders[voices[instrument]["connection"]]
        sender["plain_end"] = end
        compose(run, instrument, first + i)
        end = sender["plain_end"]
    return end


@compiled
def seal_round(ssl, bio, lengths, plain, sealed, sizes):
    """Each message a TLS record of its own."""
    for i in range(ROUND):
        length = records_at(lengths, ROUND, WORD)[i]
        foreign.SSL_write(ssl, plain, length)
        size = foreign.BIO_read(bio, sealed, np.int64(1 << 15))
        records_at(sizes, ROUND, WORD)[i] = size
        plain, sealed = plain + length, sealed + size


@compiled
def thread_ns(clock):
    """CPU of this thread; `clock` is room for a timespec."""
    foreign.clock_gettime(np.int64(time.CLOCK_THREAD_CPUTIME_ID), clock)
    words = records_at(clock, 2, WORD)
    return words[0] * 1_000_000_000 + words[1]


@compiled
def read_round(sockets, epoll, ready, sealed, sizes, scratch):
    """CPU ns of what a turn asks of the kernel, each connection having a record."""
    fds, spent = records_at(sockets, 2 * PAIRS, WORD), np.int64(0)
    found = records_at(ready, PAIRS, READY)
    clock, off, target = scratch, scratch + 64, scratch + 128
    records_at(off, 1, WORD)[0] = 0
    room, none, all_pairs = np.int64(1 << 15), np.int64(0), np.int64(PAIRS)
    for i in range(ROUND // PAIRS):
        for j in range(PAIRS):
            size = records_at(sizes, ROUND, WORD)[i * PAIRS + j]
            foreign.send(fds[j], sealed, size, none)
            sealed += size
        spent -= thread_ns(clock)
        for j in range(foreign.epoll_wait(epoll, ready, all_pairs, none)):
            fd = fds[PAIRS + found[j]["row"]]
            foreign.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, off, FOUR)
            foreign.recv(fd, target, room, np.int64(MSG_DONTWAIT))
        spent += thread_ns(clock)
    return spent


@compiled
def decrypt_round(row_address, sealed, sizes):
    """As the poll does where each read brings one record."""
    row = records_at(row_address, 1, CONNECTION)[0]
    for i in range(ROUND):
        size = records_at(sizes, ROUND, WORD)[i]
        foreign.BIO_write(row["bio"], sealed, size)
        row["end"] = 0
        decrypt(row_address)
        sealed += size


@compiled
def decode_round(feed_address, batch_address):
    """Only what codecs do; how many they refused."""
    feed = records_at(feed_address, 1, take.FEED)[0]
    links = records_at(feed["connections"], frames.ROWS_MAX, take.CONNECTION)
    refused = np.int64(0)
    for i in range(ROUND):
        message = records_at(batch_address, ROUND, MESSAGE)[i]
        link = links[message["connection"]]
        refused += (
            codecs.decode(
                link["codec"],
                message["address"],
                message["length"],
                link["index"],
                np.int64(0),
                feed["records"],
                feed["capacity"],
                feed["decoded"],
            )
            != 0
        )
    return refused


@compiled
def take_round(feed_address, batch_address):
    """Everything; how many messages asked for something, which none should."""
    asked = np.int64(0)
    for i in range(ROUND):
        message = records_at(batch_address, ROUND, MESSAGE)[i]
        asked += (
            take.take_message(
                feed_address,
                np.int64(message["connection"]),
                message["address"],
                message["length"],
                message["ts_received"],
                np.int64(0),
            )
            != 0
        )
    return asked


class Parts:
    """To be run in a process of its own (Worker): it holds all books."""

    def __init__(self, mix: Mix, certificate: str, ca_file: str, actor: MarketDataHandler):
        self.mix, self.certificate, self.ca_file, self.actor = mix, certificate, ca_file, actor

    def measure(self, repeats: int) -> dict[str, list[float]]:
        """us a message, by part."""
        found: dict[str, list[float]] = {}
        with Stepper([self.actor], {"l2": 1 << 16, "trades": 1 << 16}):
            for stream in range(len(self.mix.streams)):
                self.actor._opened(stream, stream, 0.0)
            self._prepare()
            for number in range(repeats + 1):
                for name, us in self._round(number * ROUND + 1).items():
                    found.setdefault(name, []).append(us)
        return {name: values[1:] for name, values in found.items()}

    def _prepare(self) -> None:
        mix, streams = self.mix, len(self.mix.streams)
        self.plain, self.sealed = np.zeros(ROOM, np.uint8), np.zeros(SEALED_ROOM, np.uint8)
        self.sizes, self.lengths = np.zeros(ROUND, WORD), np.zeros(ROUND, WORD)
        self.senders, self.voices = np.zeros(streams, SENDER), mix.voices.copy()
        self.senders["plain"] = address_of(self.plain)
        self.run = np.zeros(1, RUN)
        self.run["count"], self.run["room"] = streams, ROOM
        for name in ("senders", "voices"):
            self.run[name] = address_of(getattr(self, name))
        for name in ("templates", "fields", "picks"):
            self.run[name] = address_of(getattr(mix, name))
        self.poll, self.batch = aligned_zeros(1, POLL), aligned_zeros(ROUND, MESSAGE)
        self.poll["batch"], self.poll["capacity"] = address_of(self.batch), ROUND
        self.rows = aligned_zeros(2, CONNECTION)  # of frames, of TLS
        self.opened = np.zeros(1 << 16, np.uint8)
        self.rows["buffer"] = address_of(self.plain), address_of(self.opened)
        self.rows["capacity"] = len(self.plain), len(self.opened)
        self.rows["open"] = 1
        self._shake_hands()
        self._connect()

    def _connect(self) -> None:
        self.epoll, self.ready = select.epoll(), np.zeros(PAIRS, READY)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            clients = [socket.create_connection(listener.getsockname()) for _ in range(PAIRS)]
            self.kept = [*clients, *(listener.accept()[0] for _ in range(PAIRS))]
        self.fds = np.array([one.fileno() for one in self.kept])
        for number, one in enumerate(self.kept[PAIRS:]):
            event = np.zeros(1, READY)
            event["events"], event["row"] = EPOLLIN, number
            foreign.epoll_ctl(self.epoll.fileno(), EPOLL_CTL_ADD, one.fileno(), address_of(event))

    def _shake_hands(self) -> None:
        ours, theirs = socket.socketpair()
        self.pair = ours, theirs
        self.server = foreign.SSL_new(server_context(self.certificate))
        foreign.SSL_set_fd(self.server, theirs.fileno())
        accepting = threading.Thread(target=foreign.SSL_accept, args=(self.server,))
        accepting.start()
        self.tls = TlsSession(ours.fileno(), "localhost", self.ca_file)
        while not self.tls.handshake():
            self.tls.receive(ours.recv(1 << 16))
        accepting.join()
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.tls.receive(ours.recv(1 << 16))  # session tickets are records, too
        self.bio = foreign.BIO_new(foreign.BIO_s_mem())
        foreign.SSL_set0_wbio(self.server, self.bio)
        self.rows["ssl"][1], self.rows["bio"][1] = self.tls.ssl, self.tls.bio

    def _round(self, first: int) -> dict[str, float]:
        rows, sizes, sealed = address_of(self.rows), address_of(self.sizes), address_of(self.sealed)
        end = compose_round(address_of(self.run), first)
        self.rows["begin"][0], self.rows["end"][0] = 0, end
        self.poll["count"] = 0
        found = {"frames": _us(lambda: parse(address_of(self.poll), rows))}
        starts = self.batch["address"] + self.batch["length"]
        self.lengths[:] = np.diff(starts, prepend=address_of(self.plain))
        picks = self.mix.picks[(first + np.arange(ROUND)) % PICKS]
        self.batch["connection"] = self.mix.voices["connection"][picks]
        seal_round(
            self.server, self.bio, address_of(self.lengths), address_of(self.plain), sealed, sizes
        )
        addresses = [address_of(one) for one in (self.fds, self.ready, self.opened)]
        fds, ready, scratch = addresses
        spent_ns = read_round(fds, self.epoll.fileno(), ready, sealed, sizes, scratch)
        found["kernel"] = spent_ns / 1000 / ROUND
        found["tls"] = _us(lambda: decrypt_round(rows + CONNECTION.itemsize, sealed, sizes))
        feed, batch = self.actor.feed.address, address_of(self.batch)
        bad: list[int] = []
        found["json"] = _us(lambda: bad.append(decode_round(feed, batch)))
        found["books"] = _us(lambda: bad.append(take_round(feed, batch))) - found["json"]
        if any(bad):
            raise RuntimeError(f"bench ingest: {bad} messages were refused, or out of order")
        return found


def _us(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / ROUND * 1e6
