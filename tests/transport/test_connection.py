"""One connection's life: its table, its ends, its limits; the other side in another process."""

import contextlib
import re
import socket

import pytest
from websockets.utils import accept_key

from mantra.transport import connection as module
from mantra.transport.connection import CLOSED, LIFE, OPEN, Connection
from mantra.transport.poll import poll
from tests.transport.naive import frame


def raw(client, number: int, data: bytes, **how) -> None:
    client.do(number, do="raw", hex=data.hex(), **how)


def test_life_is_a_table_without_dead_ends():
    assert set(LIFE) == {state for after in LIFE.values() for state in after} | {"dialing"}
    for state, after in LIFE.items():
        assert after == () if state == CLOSED else CLOSED in after
        assert state not in after
        assert state == CLOSED or hasattr(Connection, f"_{state}")


@pytest.mark.parametrize("name", ["ws", "good"])
def test_a_message_split_at_every_byte(server, client, name):
    number = client.open(getattr(server, name), ca_file=server.ca)
    client.until_said("open")
    story = frame(1, b"fr", last=False) + frame(9, b"hey") + frame(0, b"agments") + frame(2, b"x")
    raw(client, number, story, chunk=1)
    client.until(lambda: len(client.got) == 2)
    assert [payload for _, _, payload in client.got] == [b"fragments", b"x"]


@pytest.mark.parametrize("name", ["ws", "good"])
def test_pings_are_answered(server, client, name):
    number = client.open(getattr(server, name), ca_file=server.ca)
    client.until_said("open")
    client.do(number, do="ping")
    client.until(lambda: client.texts())
    assert client.texts() == ["pong True"]


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (1000, "", "localhost closed the connection: 1000 (OK)"),
        (1001, "going away", "localhost closed the connection: 1001 (going away) going away"),
        (4009, "unauthorised", "localhost closed the connection: 4009 (private use) unauthorised"),
    ],
)
def test_close_codes_are_said(server, client, code, reason, said):
    number = client.open(server.good, ca_file=server.ca)
    client.until_said("open")
    client.do(number, do="close", code=code, reason=reason)
    assert client.until_said("closed") == said


def test_a_close_frame_while_texts_wait(server, client):
    number = client.open(server.good, ca_file=server.ca, sends=(1, 5.0))
    client.until_said("open")
    client.do(number, do="close", code=1008, reason="")
    client.do(number, do="echo", text="this waits for the limit")
    while not client.pool.record["events"][0]:
        poll(client.pool.address, 2)
    client.skipped_s = 6.0  # with the close frame here, the text might go
    client.pool.turn(client.now())
    assert "1008" in client.until_said("closed")


BREACHES = {
    "garbage": (b"\xff\xfe\xfd\xfc" * 10, "1002"),
    "a masked frame": (b"\x81\x83\0\0\0\0abc", "1002"),
    "too much": (b"\x82\x7f" + (1 << 40).to_bytes(8, "big"), "1009"),
    "a close frame of one byte": (b"\x88\x01a", "breaks the protocol"),
    "a close code that is none": (b"\x88\x02\x00\x01", "breaks the protocol"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_breaches_end_the_connection(server, client, name):
    data, said = BREACHES[name]
    number = client.open(server.good, ca_file=server.ca)
    client.until_said("open")
    raw(client, number, data)
    assert said in client.until_said("closed")


@pytest.mark.parametrize("name", ["ws", "good"])
def test_an_end_without_a_close_frame(server, client, name):
    number = client.open(getattr(server, name), ca_file=server.ca)
    client.until_said("open")
    client.do(number, do="drop")
    assert "ended the connection without a close frame" in client.until_said("closed")


def test_a_half_open_connection_is_noticed_by_its_silence(server, client):
    client.open(server.ws, idle_s=45.0, ping_s=1e9)
    client.until_said("open")
    client.skipped_s = 44.0
    client.step()
    assert client.said[-1][0] == "open"
    client.skipped_s = 46.0
    assert client.until_said("closed") == "localhost sent nothing for 45 s"


def test_pongs_keep_a_quiet_connection(server, client):
    number = client.open(server.ws, idle_s=45.0, ping_s=15.0)
    client.until_said("open")
    row = client.pool.rows[client.pool.streams[number].connections[0].number]
    for _ in range(20):
        client.skipped_s += 16.0
        before = int(row["bytes"])
        client.until(lambda before=before: row["bytes"] > before)
    assert [what for what, _, _ in client.said] == ["open"]


def test_a_venues_own_ping_is_sent_instead(server, client):
    client.open(server.ws, ping_s=15.0, ping_text='{"do": "echo", "text": "alive"}')
    client.until_said("open")
    client.skipped_s = 16.0
    client.until(lambda: client.texts() == ["alive"])


def test_no_more_is_sent_than_the_venue_allows(server, client):
    number = client.open(server.ws, sends=(3, 1.0), idle_s=1e9, ping_s=1e9)
    client.until_said("open")
    for index in range(8):
        client.do(number, do="echo", text=str(index))
    client.until(lambda: len(client.texts()) == 3)
    for _ in range(20):
        client.step()
    assert len(client.texts()) == 3
    client.skipped_s += 1.0
    client.until(lambda: len(client.texts()) == 6)
    client.skipped_s += 1.0
    client.until(lambda: len(client.texts()) == 8)
    assert client.texts() == [str(index) for index in range(8)]


def test_much_is_sent_though_the_other_side_is_slow(server, client):
    number = client.open(server.good, ca_file=server.ca, sends=(100, 1.0), buffer_bytes=1 << 23)
    client.until_said("open")
    for letter in "abcd":
        client.do(number, do="echo", text=letter * 1_000_000)
    client.until(lambda: len(client.texts()) == 4, 20)
    assert [text[0] + str(len(text)) for text in client.texts()] == [
        f"{letter}1000000" for letter in "abcd"
    ]


@pytest.mark.parametrize(("scheme", "state"), [("wss", "securing"), ("ws", "upgrading")])
def test_a_handshake_that_takes_too_long(client, scheme, state):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client.open(f"{scheme}://127.0.0.1:{mute.getsockname()[1]}")
        client.until(lambda: client.pool.at and client.pool.at[0][1].stage == state)
        client.skipped_s = module.HANDSHAKE_S + 0.1
        assert client.until_said("closed") == f"127.0.0.1 let {state} take over 10 s"


ANSWERS = {
    "another protocol": (b"SSH-2.0-OpenSSH\r\n\r\n", "refused the upgrade: SSH-2.0-OpenSSH"),
    "a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
        "refused the upgrade: HTTP/1.1 302",
    ),
    "no accept key": (
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "answered the upgrade wrongly: missing Sec-WebSocket-Accept header",
    ),
    "headers without end": (
        b"HTTP/1.1 101 x\r\n" + b"a: b\r\n" * 10_000,
        "refused the upgrade: HTTP/1.1 101 x",
    ),
    "nothing, then an end": (b"", "ended the connection while upgrading"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_upgrade(client, name):
    answer, said = ANSWERS[name]
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        client.open(f"ws://127.0.0.1:{listener.getsockname()[1]}")
        client.step()
        peer = stack.enter_context(listener.accept()[0])
        peer.recv(4096)
        peer.sendall(answer)
        peer.close()
        assert said in client.until_said("closed")


def test_frames_that_come_with_the_answer_are_not_lost(server, client):
    number = client.open(server.ws, hello=lambda: ['{"do": "echo", "text": "first"}'] * 3)
    client.until(lambda: len(client.texts()) == 3)
    assert client.pool.streams[number].connections[0].state == OPEN


def test_our_headers_are_sent(server, client):
    client.open(server.ws + "/header", headers={"X-Key": "secret"})
    assert "refused the upgrade: HTTP/1.1 200 secret" in client.until_said("closed")


def test_a_name_that_is_none_is_said(client):
    client.open("wss://no-such-host.invalid")
    assert client.until_said("closed", 1).startswith("connecting no-such-host.invalid failed: ")


def test_closing_waits_for_the_other_side_but_not_for_ever(client):
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        number = client.open(f"ws://127.0.0.1:{listener.getsockname()[1]}")
        client.step()
        peer = stack.enter_context(listener.accept()[0])
        key = re.search(r"Sec-WebSocket-Key: (\S+)", peer.recv(4096).decode())[1]
        answer = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer += f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
        peer.sendall(answer.encode() + frame(1, b"at once"))
        client.until_said("open")
        client.until(lambda: client.texts() == ["at once"])
        client.pool.close(number, client.now())
        client.step()
        assert client.pool.streams[number].connections[0].state == "closing"
        peer.sendall(frame(1, b"late"))
        client.until(lambda: client.texts() == ["at once", "late"])
        client.skipped_s = module.CLOSE_S + 0.1
        assert client.until_said("closed") == "closed by us"


def test_a_hello_that_fails_is_said_and_tried_again(server, client):
    client.open(server.ws, hello=lambda: int("x"))
    said = "upgrading localhost failed: invalid literal for int() with base 10: 'x'"
    assert client.until_said("closed") == said
    client.skipped_s = 60.0
    client.until_said("closed", 2)


def test_what_is_given_up_while_it_is_made_is_released_by_the_thread_that_makes_it(client):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        number = client.open(f"wss://127.0.0.1:{mute.getsockname()[1]}")
        client.until(lambda: client.pool.at and client.pool.at[0][1].stage == "securing")
        connection = client.pool.streams[number].connections[0]
        client.pool.close(number, client.now())
        client.until_said("closed")
        client.until(lambda: connection.dial.done() and connection.socket.fileno() == -1)
        assert connection.tls.ssl == 0
