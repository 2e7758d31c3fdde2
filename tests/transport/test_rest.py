"""Requests to a real server: what is tried again and what is not, limits, certificates."""

import itertools

import pytest

from mantra.transport.limits import RateLimit
from mantra.transport.rest import TRIES, RestClient
from mantra.transport.tls import TransportError

_names = itertools.count()


class Times:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        if seconds:
            self.slept.append(seconds)


def make(url, times, ca_file="", limit=(1000, 1.0)):
    return RestClient(url, RateLimit(*limit), ca_file, times)


@pytest.fixture
def times(monkeypatch):
    monkeypatch.setattr("random.random", lambda: 1.0)
    return Times()


def path(status, count):
    """The server's answer to this path is `status`, `count` times."""
    return f"/{status}/{count}/{next(_names)}"


def test_an_answer(server, times):
    rest = make(server.http, times)
    answer = rest.request("POST", path(404, 1), headers={"X": "y"}, body=b"body")
    assert (answer.status, answer.data) == (404, b"POST 1 body")
    assert times.slept == []


@pytest.mark.parametrize("status", [429, 418])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refusal_is_tried_again_when_the_server_says(server, times, status, method):
    rest = make(server.http, times)
    answer = rest.request(method, path(status, 2))
    assert (answer.status, answer.data) == (200, f"{method} 3 ".encode())
    assert times.slept == [3.0, 3.0]


def test_a_refusal_is_the_answer_in_the_end_and_the_host_is_left_alone(server, times):
    rest = make(server.http, times)
    assert rest.request("GET", path(429, 99)).status == 429
    assert times.slept == [3.0] * (TRIES - 1)
    assert rest.limit.wait_s(times.now) == 3.0


def test_a_servers_failure_is_tried_again_where_that_does_no_harm(server, times):
    rest = make(server.http, times)
    assert rest.request("GET", path(503, 2)).status == 200
    assert times.slept == [1.0, 2.0]
    assert rest.request("POST", path(503, 2)).status == 503
    assert rest.request("DELETE", path(500, 99)).status == 500


def test_a_lost_connection_is_tried_again_where_that_does_no_harm(server, times):
    rest = make(server.http, times)
    assert rest.request("GET", path("drop", 2)).data == b"GET 3 "
    with pytest.raises(TransportError, match=r"POST http://localhost:\d+/drop.* failed: "):
        rest.request("POST", path("drop", 1))


def test_nobody_there(times):
    with pytest.raises(TransportError, match=r"GET http://127.0.0.1:9/x failed: .*refused"):
        make("http://127.0.0.1:9", times).request("GET", "/x")
    assert len(times.slept) == TRIES - 1


def test_weights_are_kept(server, times):
    rest = make(server.http, times, limit=(10, 60.0))
    for _ in range(4):
        rest.request("GET", path(200, 1), weight=5)
    assert times.now == 160.0


def test_certificates_are_checked(server, times):
    assert make(server.https, times, server.ca).request("GET", path(200, 1)).status == 200
    for url, ca_file, said in (
        (server.https, "", "certificate verify failed"),
        (server.https.replace("localhost", "127.0.0.1"), server.ca, "IP address mismatch"),
        (server.expired.replace("wss", "https"), server.ca, "certificate has expired"),
    ):
        with pytest.raises(TransportError, match=said):
            make(url, times, ca_file).request("GET", "/")
    assert times.slept == []
