"""A simulated venue over sockets, spoken to by a client of another library."""

import contextlib
import itertools
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mantra.simulators.faults import CLOSE_CODES, Faults
from mantra.simulators.process import make_certificate
from mantra.simulators.server import TOO_FAST, SimulatedServer, frame
from tests.simulators.test_dialects import ASKS

SYMBOLS = {
    "binance": ["BTCUSDT", "ETHUSDT"],
    "bitfinex": ["tBTCUSD"],
    "bitstamp": ["btcusd"],
    "coinbase": ["BTC-USD"],
    "kraken": ["BTC/USD"],
}
RATE = 500
WAIT_S = 5.0


@contextmanager
def serving(venue="binance", odds=None, context=None, **options):
    options = {"rate": RATE} | options
    server = SimulatedServer(
        venue, SYMBOLS[venue], faults=Faults(odds or {}, seed=2), context=context, **options
    )
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stopped = True
        thread.join(WAIT_S)
        assert not thread.is_alive()


@contextmanager
def client(server, ca_file=None, compression=None, asks=True):
    url = f"ws{'s' if ca_file else ''}://localhost:{server.port}/"
    trust = ssl.create_default_context(cafile=ca_file) if ca_file else None
    limits = {"open_timeout": WAIT_S, "close_timeout": 0.2}  # it does not read while it closes
    with connect(url, ssl=trust, compression=compression, **limits) as socket:
        if asks:
            name = next(iter(server.market.symbols))
            socket.send(ASKS[server.dialect.name].format(name.lower() if ca_file is None else name))
        yield socket


def numbers(socket, count=30, wait_s=WAIT_S):
    """Ids of so many depth changes of Binance."""
    found = []
    while len(found) < count:
        said = json.loads(socket.recv(wait_s))
        found += [said["data"]["u"]] if "data" in said else []
    return found


def get(server, path):
    url = f"http://localhost:{server.port}{path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=WAIT_S) as answer:
        return json.load(answer)


def test_over_tls_and_only_to_those_who_trust_its_ca(tmp_path):
    ca_file, context = make_certificate(tmp_path)
    with serving(context=context) as server:
        with client(server, ca_file) as socket:
            found = numbers(socket)
            assert found == list(range(found[0], found[0] + 30))
        with pytest.raises(ssl.SSLError), connect(f"wss://localhost:{server.port}/"):
            pass
        wait(lambda: not server.sessions)


def wait(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_slow_handshake_is_slow(tmp_path):
    ca_file, context = make_certificate(tmp_path)
    took = []
    for odds in ({}, {"slow-tls": 1.0}):
        with serving(context=context, odds=odds) as server:
            began = time.monotonic()
            with client(server, ca_file) as socket:
                took.append(time.monotonic() - began)
                assert numbers(socket, 3)
            assert server.faults.done["slow-tls"] == len(odds)
    assert took[1] > took[0] + 0.05


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_are_compressed_for_those_who_offer_it(compression):
    with serving(deflate=True) as server, client(server, compression=compression) as socket:
        assert bool(socket.protocol.extensions) == (compression is not None)
        found = numbers(socket)
        assert found == list(range(found[0], found[0] + 30))


@pytest.mark.parametrize(
    ("fault", "odds", "steps"),
    [
        ("drop", 0.3, {1, 2}),
        ("duplicate", 0.3, {0, 1}),
        ("reorder", 0.3, {-1, 2}),
        ("split", 0.3, {1}),
        ("stall", 0.05, {1}),
    ],
)
def test_what_comes_is_what_the_fault_says(fault, odds, steps):
    with serving(odds={fault: odds}) as server, client(server) as socket:
        found = numbers(socket, 40)
        assert {b - a for a, b in itertools.pairwise(found)} >= steps
        assert server.faults.done[fault] >= 1
        get(server, "/_sim/calm")
        found = numbers(socket, 40)[20:]
        assert {b - a for a, b in itertools.pairwise(found)} == {1}


@pytest.mark.parametrize("fault", ["corrupt", "cut"])
def test_damaged_texts_are_no_json(fault):
    with serving(odds={fault: 1.0}) as server, client(server) as socket:
        text = socket.recv(WAIT_S)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize("fault", ["close", "reset", "half-open"])
def test_connections_end_as_the_fault_says(fault):
    with serving(odds={fault: 0.2}) as server, client(server) as socket:
        if fault == "half-open":
            with pytest.raises(TimeoutError):
                numbers(socket, 1_000, 0.3)
            assert len(server.sessions) == 1
            return
        with pytest.raises(ConnectionClosed) as closed:
            numbers(socket, 1_000)
        assert (closed.value.rcvd is None) == (fault == "reset")
        if closed.value.rcvd:
            assert closed.value.rcvd.code in CLOSE_CODES
        wait(lambda: not server.sessions)


def test_requests_and_upgrades_are_refused_for_their_rate():
    with serving(odds={"refuse": 1.0}) as server:
        with pytest.raises(InvalidStatus) as refused, client(server):
            pass
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "1"
        with pytest.raises(urllib.error.HTTPError) as answer:
            get(server, "/api/v3/exchangeInfo")
        assert (answer.value.code, answer.value.headers["Retry-After"]) == (429, "1")
        assert get(server, "/_sim/calm")["done"]["refuse"] == 2
        assert get(server, "/api/v3/exchangeInfo")["symbols"]
        with pytest.raises(urllib.error.HTTPError):
            get(server, "/nothing")


@pytest.mark.parametrize(
    ("venue", "said"),
    [
        ("binance", ""),
        ("bitfinex", "rate limit"),
        ("bitstamp", "rate limit"),
        ("coinbase", "rate limit"),
        ("kraken", "Exceeded msg rate"),
    ],
)
def test_who_sends_too_fast_is_told_or_cut_off(venue, said):
    with serving(venue, rate=0) as server, client(server, asks=False) as socket:
        with contextlib.suppress(ConnectionClosed):  # it may be cut off before it has sent all
            for _ in range(3 * server.sends[0]):
                socket.send('{"method":"ping","event":"ping","params":[],"id":1}')
        if said:
            while said not in socket.recv(WAIT_S):
                pass
        else:
            with pytest.raises(ConnectionClosed, match=r"1008|no close frame"):  # or a reset
                numbers(socket)
        assert server.faults.done[TOO_FAST] >= 1


def test_the_market_stands_still_for_the_truth_and_goes_on():
    with serving(odds={"drop": 0.5}) as server, client(server) as socket:
        numbers(socket)
        books = get(server, "/_sim/books")
        assert set(books) == set(SYMBOLS["binance"])
        made = server.made
        last = server.market.symbols["BTCUSDT"].changes
        while numbers(socket, 1) != [last]:  # it comes for sure, whatever the odds
            pass
        assert server.made == made
        assert books["BTCUSDT"] == [list(map(list, side.items())) for side in truth(server)]
        get(server, "/_sim/go")
        wait(lambda: server.made > made)


def truth(server):
    return server.market.symbols["BTCUSDT"].sides


def test_symbols_begin_and_end():
    with serving(rate=50) as server, client(server, asks=False) as socket:
        get(server, "/_sim/list?symbol=NEWUSDT")
        get(server, "/_sim/delist?symbol=BTCUSDT")
        listed = {
            one["symbol"]: one["status"] for one in get(server, "/api/v3/exchangeInfo")["symbols"]
        }
        assert listed == {"BTCUSDT": "BREAK", "ETHUSDT": "TRADING", "NEWUSDT": "TRADING"}
        socket.send(ASKS["binance"].format("newusdt"))
        assert len(numbers(socket, 3)) == 3
        assert set(get(server, "/_sim/books")) == {"ETHUSDT", "NEWUSDT"}


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_the_librarys(size):
    from websockets.frames import Frame, Opcode

    text = b"x" * size
    assert frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
