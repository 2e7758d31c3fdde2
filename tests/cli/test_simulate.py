"""`mantra simulate` as a user starts it: what it prints is what a client needs, and it ends."""

import json
import signal
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from websockets.sync.client import connect

from mantra.cli.simulate import FAULT_HELP, VENUES
from mantra.simulators.dialects import DIALECTS
from mantra.simulators.faults import FAULTS

COMMAND = (sys.executable, "-c", "from mantra.cli import main; main()", "simulate")
ASK = '{"method":"subscribe","params":{"channel":"book","symbol":["ADA/USD"],"depth":10}}'


def start(*options):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *options], text=True, **pipes)


@pytest.mark.processes
def test_it_prints_the_lines_a_config_needs_and_serves_until_told_to_stop():
    with start("kraken", "--symbols", "ADA/USD,BTC/USD", "--rate", "200") as process:
        head = process.stdout.readline()
        assert "2 symbols" in head
        said = tomllib.loads("".join(process.stdout.readline() for _ in range(4)))
        place = said["venues"]["kraken"]
        assert place["rest"].startswith("https://localhost:")
        trust = ssl.create_default_context(cafile=place["ca_file"])
        with connect(place["url"], ssl=trust, close_timeout=0.2) as socket:
            socket.send(ASK)
            said = [json.loads(socket.recv(5)) for _ in range(5)]
        assert said[0]["channel"] == "status"
        assert said[1]["success"]
        assert [one["type"] for one in said[2:]] == ["snapshot", "update", "update"]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert not Path(place["ca_file"]).exists()


@pytest.mark.processes
def test_without_tls_as_json_until_its_input_ends():
    options = ("--no-tls", "--json", "--instruments", "1500", "--port", "0", "--seed", "4")
    with start("binance", *options) as process:
        said = json.loads(process.stdout.readline())
        assert (said["venue"], len(said["symbols"]), said["ca_file"]) == ("binance", 1500, None)
        with connect(said["url"], close_timeout=0.2) as socket:
            socket.send('{"method":"SUBSCRIBE","params":[],"id":1}')
            assert json.loads(socket.recv(5)) == {"result": None, "id": 1}
        process.stdin.close()
        assert process.wait(5) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mtgox"], "'mtgox' is not one of 'binance'"),
        (["kraken", "--fault", "fire=1"], "no fault ['fire']; there are: drop, "),
        (["kraken", "--fault", "drop"], "could not convert"),
        (["kraken", "--fault", "drop=2"], "odds are from 0 to 1"),
    ],
)
def test_what_there_is_not_is_said(mantra, arguments, said):
    ended = mantra("simulate", *arguments)
    assert ended.code == 2
    assert said in ended.err


def test_every_venue_can_be_simulated_and_every_fault_is_named():
    assert sorted(VENUES) == sorted(DIALECTS)
    assert all(name in FAULT_HELP for name in FAULTS)
