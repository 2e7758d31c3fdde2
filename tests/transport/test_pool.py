"""Streams against a real server, in another process, over real sockets."""

import random

import pytest

from mantra.transport import pool as pool_module
from mantra.transport.connection import Endpoint
from tests.transport.conftest import Client
from tests.transport.server import is_binary, message

SIZES = [0, 1, 25, 125, 126, 127, 1000, 65_535, 65_536, 70_000]


@pytest.mark.parametrize("name", ["ws", "good"])
def test_thousands_of_messages_of_all_sizes_arrive_whole_and_in_order(server, client, name):
    draw = random.Random(1)
    sizes = SIZES + [int(10 ** draw.uniform(0, 4.5)) for _ in range(1500)] + SIZES
    number = client.open(getattr(server, name), ca_file=server.ca, buffer_bytes=100_000)
    client.until_said("open")
    client.do(number, do="sizes", sizes=sizes)
    client.until(lambda: len(client.got) == len(sizes), 30)
    for index, (stream, kind, payload) in enumerate(client.got):
        assert (stream, kind) == (number, 2 if is_binary(index) else 1)
        assert payload == message(index, sizes[index])
    row = client.pool.rows[client.pool.streams[number].connections[0].number]
    assert row["messages"] == len(sizes)


@pytest.mark.parametrize("name", ["ws", "good"])
def test_many_streams_at_once(server, client, name):
    sizes = [50] * 40
    numbers = [
        client.open(getattr(server, name), ca_file=server.ca, attempts=(99, 1.0)) for _ in range(30)
    ]
    client.until(lambda: len(client.said) == len(numbers), 20)
    assert {what for what, _, _ in client.said} == {"open"}
    for number in numbers:
        client.do(number, do="sizes", sizes=sizes)
    client.until(lambda: len(client.got) == len(numbers) * len(sizes), 20)
    for number in numbers:
        mine = [payload for stream, _, payload in client.got if stream == number]
        assert mine == [message(index, size) for index, size in enumerate(sizes)]


def test_hello_is_sent_on_each_new_connection_and_what_was_queued_after_it(server, client):
    hello = ['{"do": "echo", "text": "subscribed"}']
    number = client.open(server.ws, hello=lambda: hello)
    client.step()
    client.do(number, do="echo", text="queued while connecting")
    client.until(lambda: len(client.texts()) == 2)
    assert client.texts() == ["subscribed", "queued while connecting"]
    client.do(number, do="drop")
    client.until_said("closed")
    client.until(lambda: len(client.texts()) == 3)
    assert client.texts()[2] == "subscribed"


def test_a_stream_that_ended_is_made_again_after_a_back_off_with_jitter(server):
    client = Client(random=lambda: 1.0)
    number = client.open(server.ws)
    client.until_said("open")
    client.do(number, do="close", code=1012, reason="maintenance")
    assert (
        client.until_said("closed")
        == "localhost closed the connection: 1012 (service restart) maintenance"
    )
    assert client.pool.streams[number].due == pytest.approx(client.now() + 1.0, abs=0.2)
    for _ in range(20):
        client.step()
    assert client.said[-1][0] == "closed"
    client.skipped_s += 1.0
    client.until_said("open", 2)
    client.pool.shut()


def test_a_connection_is_replaced_before_its_end(server, client):
    number = client.open(server.ws, lifetime_s=100.0, idle_s=1000.0)
    client.until_said("open")
    client.skipped_s = 99.0
    client.step()
    assert len(client.pool.streams[number].connections) == 1
    client.skipped_s = 101.0
    client.until_said("open", 2)
    old, new = client.pool.streams[number].connections
    assert (old.state, new.state) == ("open", "open")
    old.send('{"do": "echo", "text": "old"}', client.now())
    client.do(number, do="echo", text="new")
    client.until(lambda: len(client.texts()) == 2)  # both carry messages
    client.skipped_s += pool_module.OVERLAP_S
    assert client.until_said("closed") == "replaced"
    assert client.pool.streams[number].connections == [new]


def test_attempts_are_limited_for_a_host_over_all_its_streams(server, client):
    for _ in range(5):
        client.open(server.ws, attempts=(3, 60.0))
    client.until_said("open", 3)
    for _ in range(100):
        client.step()
    assert len(client.said) == 3
    client.skipped_s = 61.0
    client.until_said("open", 5)


def test_a_closed_stream_stays_closed_and_its_row_is_free_again(server, client):
    number = client.open(server.good, ca_file=server.ca)
    client.until_said("open")
    free = len(client.pool.free)
    client.pool.close(number, client.now())
    assert client.until_said("closed") == "closed by us"
    client.skipped_s = 100.0
    for _ in range(50):
        client.step()
    assert len(client.pool.free) == free + 1
    assert [what for what, _, _ in client.said] == ["open", "closed"]


def test_where_nobody_listens_it_is_tried_again_and_again_ever_later(client):
    client.open("ws://127.0.0.1:9", attempts=(1000, 1.0))
    for times in range(1, 5):
        assert "refused" in client.until_said("closed", times)
        assert client.pool.streams[0].failures == times
        client.skipped_s += 60


def test_a_server_that_says_when_to_come_back_is_obeyed(server, client):
    client.open(server.ws + "/busy")
    assert "429" in client.until_said("closed")
    client.skipped_s += 6.0
    for _ in range(50):
        client.step()
    assert len(client.said) == 1
    client.skipped_s += 1.1
    client.until_said("closed", 2)


def test_timers_of_many_streams_are_looked_at_a_few_a_turn(monkeypatch):
    pool, seen = pool_module.Pool(), []
    monkeypatch.setattr(pool, "_advance", lambda stream, now: seen.append(stream.number))
    for _ in range(10):
        pool.open(Endpoint("ws://localhost/"), 0.0)
    pool.turn(0.0)
    assert sorted(seen) == list(range(10))  # those that are new do not wait for their turn
    seen.clear()
    for number in range(1, 4):
        pool.turn(number * pool_module.TURN_S)
        assert len(seen) <= number * pool_module.TURN_STREAMS
    pool.turn(4 * pool_module.TURN_S)
    assert set(seen) == set(range(10))
    pool.shut()
