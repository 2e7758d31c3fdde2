"""The generator over TLS: whoever connects gets whole messages whose numbers go on."""

import json
import ssl
from contextlib import ExitStack, suppress

import numpy as np
import pytest
from websockets.sync.client import connect

from mantra.bench.icc_peers import Worker
from mantra.bench.ingest import certify
from mantra.bench.ingest_mix import Mix
from mantra.bench.ingest_server import RUN, Generator, send_due, shared
from mantra.icc.memory import address_of

pytestmark = pytest.mark.processes

RATE, SECONDS = 400, 0.5


@pytest.fixture
def heard(monkeypatch, tmp_path):
    """(what `send` says, messages by venue in the order of arrival)."""
    monkeypatch.setenv("MANTRA_DATA", str(tmp_path / "none"))
    certificate, ca_file = certify(tmp_path)
    mix = Mix(part=500)
    generator = Generator(mix, certificate)
    send_due(address_of(np.zeros(1, RUN)))  # compiled before anybody waits
    worker = Worker(0, generator)
    try:
        worker.ask("accept", len(mix.streams))
        context = ssl.create_default_context(cafile=ca_file)
        urls = [f"wss://localhost:{generator.port}/{n}" for n in range(len(mix.streams))]
        with ExitStack() as stack:
            made = [connect(url, ssl=context, compression=None) for url in urls]
            clients = [stack.enter_context(one) for one in made]
            assert worker.answer() == ""
            worker.ask("send", RATE, SECONDS)
            sent = worker.answer(60)
            found = {venue: [] for venue, _ in mix.streams}
            for client, (venue, _) in zip(clients, mix.streams, strict=True):
                with suppress(TimeoutError):
                    while True:
                        found[venue].append(json.loads(client.recv(timeout=0.3)))
            worker.ask("end")
            worker.answer()
        yield sent, found, generator.stamps.copy()
    finally:
        worker.end()


def test_all_that_is_sent_arrives_with_its_numbers(heard):
    sent, found, stamps = heard
    assert sum(map(len, found.values())) == sent["messages"] > 0
    assert sent["messages_per_record"] >= 1
    mine = stamps[1 : sent["messages"] + 1]
    assert np.all((mine["leaves"] > 0) & (mine["gone"] > mine["leaves"]))
    last = {}
    for message in found["binance"]:
        data = message["data"]
        if data["e"] == "depthUpdate":
            assert data["U"] == last.get(data["s"], 10**10) + 1 <= data["u"]
            last[data["s"]] = data["u"]
    numbers = [message["sequence_num"] for message in found["coinbase"]]
    assert numbers == list(range(10**10, 10**10 + len(numbers)))


def test_shared_memory_is_zero_at_first():
    assert shared(3, np.dtype("i8")).tolist() == [0, 0, 0]
