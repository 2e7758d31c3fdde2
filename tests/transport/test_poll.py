"""The poll over socket pairs: what a turn reads, hands out, leaves, and tells Python."""

import ctypes
import random
import select
import socket
import struct
import time

import numpy as np
import pytest

from mantra.icc.memory import address_of
from mantra.telemetry.clock import read_ticks
from mantra.transport import foreign
from mantra.transport.frames import (
    BINARY,
    BREACH,
    ENDED,
    PING,
    TEXT,
    TLS_FAILED,
    compact,
    join,
    parse,
    put,
    refuse,
)
from mantra.transport.poll import READY, decrypt, gather, poll, receive, resume, visit
from mantra.transport.pool import Pool
from mantra.transport.tls import TlsSession
from tests.transport.naive import frame, messages

IMMEDIATELY = np.int64(0)


class Bench:
    """Connections that are socket pairs, read by a real poll."""

    def __init__(self, count: int = 1, capacity: int = 4096, batch: int = 64):
        self.pool = Pool()
        self.pool.record["capacity"] = batch
        self.pairs = [socket.socketpair() for _ in range(count)]
        self.buffers = [np.zeros(capacity, np.uint8) for _ in range(count)]
        for number, ((ours, _), buffer) in enumerate(zip(self.pairs, self.buffers, strict=True)):
            row, event = self.pool.rows[number], np.zeros(1, READY)
            row["fd"], row["stream"], row["open"] = ours.fileno(), 100 + number, 1
            row["buffer"], row["capacity"] = address_of(buffer), capacity
            event["events"], event["row"] = select.EPOLLIN, number
            foreign.epoll_ctl(self.pool.epoll.fileno(), 1, ours.fileno(), address_of(event))

    def send(self, number: int, data: bytes) -> None:
        self.pairs[number][1].sendall(data)

    def turn(self) -> list[tuple[int, int, bytes | int]]:
        """One poll, Python's part skipped: (row, kind, payload or close code)."""
        count = poll(self.pool.address, IMMEDIATELY)
        found = []
        for message in self.pool.batch[: max(count, 0)]:
            kind, length = int(message["kind"]), int(message["length"])
            payload = ctypes.string_at(int(message["address"]), length) if kind < 16 else length
            assert message["stream"] == 100 + message["connection"]
            found.append((int(message["connection"]), kind, payload))
        self.pool.record["events"] = 0
        return found

    def turns(self, most: int = 10_000) -> list[tuple[int, int, bytes | int]]:
        """Turns until there is nothing left to find."""
        found = []
        for _ in range(most):
            some = self.turn()
            if not some and not self.pool.record["unfinished"][0]:
                return found
            found += some
        raise AssertionError("it never ends")

    def end(self) -> None:
        for pair in self.pairs:
            for one in pair:
                one.close()
        self.pool.shut()


@pytest.fixture
def bench(request):
    made = Bench(**getattr(request, "param", {}))
    yield made
    made.end()


@pytest.mark.parametrize("bench", [{"count": 5}], indirect=True)
def test_where_turns_gather_messages_of_all_that_are_ready_come_in_one_batch(bench):
    bench.pool.record["gather_ns"] = 1
    for number in range(5):
        bench.send(number, frame(TEXT, b"a%d" % number) + frame(BINARY, b"b"))
    found = bench.turn()
    assert sorted(found) == sorted(
        (number, kind, payload)
        for number in range(5)
        for kind, payload in ((TEXT, b"a%d" % number), (BINARY, b"b"))
    )
    assert bench.turn() == []


@pytest.mark.parametrize("bench", [{"count": 5, "batch": 4}], indirect=True)
def test_nobody_sleeps_while_something_is_ready_that_had_no_room(bench):
    bench.pool.record["gather_ns"] = 5_000_000_000
    for number in range(5):
        bench.send(number, frame(TEXT, b"a") + frame(BINARY, b"b"))
    began = time.monotonic()
    found = bench.turn() + bench.turn() + bench.turn()
    assert len(found) == 10
    assert time.monotonic() - began < 4


def test_what_was_read_is_acknowledged_later(bench):
    """The kernel's own way, tcp(7): at once as long as the connection is young."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        row, event = bench.pool.rows[0], np.zeros(1, READY)
        event["events"] = select.EPOLLIN
        row["fd"] = ours.fileno()
        epoll = bench.pool.epoll.fileno()
        foreign.epoll_ctl(epoll, 1, ours.fileno(), address_of(event))
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
        theirs.sendall(frame(TEXT, b"a"))
        assert bench.turns() == [(0, TEXT, b"a")]
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 0


@pytest.mark.parametrize("bench", [{"count": 5}], indirect=True)
def test_where_they_do_not_each_connection_has_a_turn_of_its_own(bench):
    for number in range(5):
        bench.send(number, frame(TEXT, b"a") + frame(BINARY, b"b"))
    found = [bench.turn() for _ in range(5)]
    assert sorted(turn[0][0] for turn in found) == list(range(5))
    assert all(len(turn) == 2 and turn[0][0] == turn[1][0] for turn in found)
    assert bench.turn() == []


def test_the_stamp_is_taken_after_the_bytes_were_sent_and_before_they_are_handed_out(bench):
    before = read_ticks()
    bench.send(0, frame(TEXT, b"x") * 3)
    sent = read_ticks()
    bench.turn()
    after = read_ticks()
    stamps = bench.pool.batch["ts_received"][:3]
    assert before < sent < stamps[0] < after
    assert len(set(stamps)) == 1


@pytest.mark.parametrize("bench", [{"count": 3, "batch": 4}], indirect=True)
def test_a_full_batch_leaves_the_rest_to_later_turns_and_starves_nobody(bench):
    for number in range(3):
        bench.send(number, b"".join(frame(TEXT, b"%d" % i) for i in range(50)))
    turns = [bench.turn() for _ in range(38)]
    assert all(len(turn) == 4 for turn in turns[:37])
    for number in range(3):
        mine = [payload for turn in turns for row, _, payload in turn if row == number]
        assert mine == [b"%d" % i for i in range(50)]
    assert bench.turn() == []
    assert bench.pool.record["unfinished"] == 0


def test_a_batch_is_kept_until_python_has_had_its_turn(bench):
    bench.send(0, frame(PING, b"p") + frame(TEXT, b"t"))
    assert poll(bench.pool.address, IMMEDIATELY) == 1
    assert poll(bench.pool.address, IMMEDIATELY) == -1
    assert bench.pool.batch["kind"][0] == PING
    bench.pool.record["events"] = 0
    assert bench.turn() == [(0, TEXT, b"t")]


@pytest.mark.parametrize("bench", [{"capacity": 256}], indirect=True)
def test_a_small_buffer_holds_the_sender_back_and_loses_nothing(bench):
    sent = b"".join(frame(TEXT, bytes([65 + i % 26]) * (i % 250)) for i in range(3000))
    theirs, found, at = bench.pairs[0][1], [], 0
    theirs.setblocking(False)
    while at < len(sent):
        try:
            at += theirs.send(sent[at : at + 5000])
        except BlockingIOError:
            found += bench.turn()
    found += bench.turns()
    assert [(kind, payload) for _, kind, payload in found] == messages(sent, 256)


def test_bytes_of_many_sizes_at_random_moments(bench):
    draw = random.Random(3)
    sent = b"".join(frame(BINARY, b"." * draw.randrange(3000)) for _ in range(300))
    found, at = [], 0
    while at < len(sent):
        length = int(10 ** draw.uniform(0, 4))
        bench.send(0, sent[at : at + length])
        at += length
        found += bench.turn()
    found += bench.turns()
    assert [(kind, payload) for _, kind, payload in found] == messages(sent, 4096)
    assert bench.pool.rows["bytes"][0] == len(sent)
    assert bench.pool.rows["messages"][0] == 300


def test_an_end_comes_after_what_was_sent_before_it(bench):
    bench.send(0, frame(TEXT, b"last words") + b"\x81\x05hal")
    bench.pairs[0][1].close()
    assert bench.turns() == [(0, TEXT, b"last words"), (0, ENDED, 0)]


def test_a_reset_is_an_end():
    bench = Bench()
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    event = np.zeros(1, READY)
    event["events"] = select.EPOLLIN
    foreign.epoll_ctl(bench.pool.epoll.fileno(), 1, ours.fileno(), address_of(event))
    bench.pool.rows["fd"][0] = ours.fileno()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    assert bench.turns() == [(0, ENDED, 0)]
    ours.close()
    listener.close()
    bench.end()


def test_a_breach_is_told_once_and_nothing_after_it(bench):
    bench.send(0, frame(TEXT, b"a") + b"\xff\x00" + frame(TEXT, b"b"))
    assert bench.turn() == [(0, TEXT, b"a"), (0, BREACH, 1002)]
    bench.send(0, frame(TEXT, b"c"))
    assert bench.turn() == []


def test_a_row_that_python_closed_is_not_read_though_it_had_more():
    bench = Bench(count=2, batch=2)
    bench.send(0, frame(TEXT, b"x") * 10)
    assert len(bench.turn()) == 2
    bench.pool.rows["open"][0] = 0
    bench.send(1, frame(TEXT, b"y"))
    assert bench.turns() == [(1, TEXT, b"y")]
    assert bench.pool.record["unfinished"] == 0
    bench.end()


def test_a_forged_record_ends_the_connection(bench, server):
    port = int(server.good.rsplit(":", 1)[1])
    connected = socket.create_connection(("127.0.0.1", port))
    session = TlsSession(connected.fileno(), "localhost", server.ca)
    while not session.handshake():
        session.receive(connected.recv(4096))
    row = bench.pool.rows[0]
    row["ssl"], row["bio"] = session.ssl, session.bio
    bench.send(0, b"\x17\x03\x03\x00\x20" + b"forged, and of the right length!")
    assert bench.turns() == [(0, TLS_FAILED, 0)]
    assert "bad" in session.reason() or "mac" in session.reason()
    session.close()
    connected.close()


def test_waiting_ends_when_something_comes(bench):
    bench.send(0, frame(TEXT, b"x"))
    assert poll(bench.pool.address, np.int64(10_000)) == 1
    assert poll(bench.pool.address, np.int64(1)) == 0


def test_epolls_record_is_the_systems():
    with select.epoll() as epoll:
        one, other = socket.socketpair()
        event = np.zeros(2, READY)
        event["events"], event["row"] = select.EPOLLIN, 77
        foreign.epoll_ctl(epoll.fileno(), 1, one.fileno(), address_of(event))
        other.send(b"x")
        assert epoll.poll(0) == [(77, select.EPOLLIN)]
        one.close()
        other.close()


@pytest.mark.needs_jit
def test_each_function_is_compiled_once(bench):
    bench.send(0, frame(TEXT, b"a", last=False) + frame(0, b"b") + frame(PING))
    assert bench.turns() == [(0, TEXT, b"ab"), (0, PING, frame(PING))]
    for function in (poll, resume, visit, receive, decrypt, put, parse, join, compact, refuse):
        assert len(function.signatures) <= 1, function  # 0: loaded with its caller


def test_turns_that_gather_begin_so_long_apart():
    bench = Bench(2)
    bench.pool.record["gather_ns"] = 30_000_000
    bench.turn()
    began = time.monotonic()
    for number in (0, 1):
        bench.send(number, frame(TEXT, b"early"))
    assert [payload for *_, payload in bench.turn()] == [b"early"] * 2
    assert time.monotonic() - began > 0.025


def test_a_turn_that_is_late_does_not_wait_again():
    pool = Pool()
    pool.record["gather_ns"] = 200_000_000
    pool.record["due"] = time.monotonic_ns() - 1_000_000_000
    began = time.monotonic()
    gather(pool.address)
    assert time.monotonic() - began < 0.15
    assert pool.record["due"] >= time.monotonic_ns()
