"""A server process for all tests of the room, and the certificates it shows."""

import ctypes
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme

from mantra.transport.connection import Endpoint
from mantra.transport.pool import Pool

SERVER = Path(__file__).with_name("server.py")
DAY = datetime.timedelta(days=1)
CERTIFICATES = ("good", "expired", "not_yet", "wrong_host", "untrusted", "self_signed")


def write_certificates(folder: Path) -> list[Path]:
    """One PEM file of key and chain for each of CERTIFICATES; ca.pem for the client."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    now = datetime.datetime.now(datetime.UTC)
    issued = {
        "good": ca.issue_cert("localhost"),
        "expired": ca.issue_cert("localhost", not_before=now - 9 * DAY, not_after=now - DAY),
        "not_yet": ca.issue_cert("localhost", not_before=now + DAY, not_after=now + 9 * DAY),
        "wrong_host": ca.issue_cert("elsewhere.example"),
        "untrusted": other.issue_cert("localhost"),
    }
    for name, leaf in issued.items():
        leaf.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    other.private_key_pem.write_to_path(folder / "self_signed.pem")
    other.cert_pem.write_to_path(folder / "self_signed.pem", append=True)
    return [folder / f"{name}.pem" for name in CERTIFICATES]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Addresses by name: ws, the certificates' names, http, https; and `ca`, the file to trust."""
    folder = tmp_path_factory.mktemp("certificates")
    command = [sys.executable, str(SERVER), *map(str, write_certificates(folder))]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    ports = json.loads(process.stdout.readline())
    schemes = ("ws", *["wss"] * len(CERTIFICATES), "http", "https")
    names = ("ws", *CERTIFICATES, "http", "https")
    urls = {
        name: f"{scheme}://localhost:{port}"
        for name, scheme, port in zip(names, schemes, ports, strict=True)
    }
    yield SimpleNamespace(**urls, ca=str(folder / "ca.pem"))
    process.stdin.close()
    process.wait(5)
    process.stdout.close()


class Client:
    """A pool whose time is its own: as the machine's, and further when a test skips some."""

    def __init__(self, **settings):
        self.pool = Pool(**settings)
        self.skipped_s = 0.0
        self.got: list[tuple[int, int, bytes]] = []  # stream, kind, payload
        self.said: list[tuple[str, int, str]] = []  # what, stream, reason

    def now(self) -> float:
        return time.monotonic() + self.skipped_s

    def open(self, url: str, **settings) -> int:
        return self.pool.open(Endpoint(url, **settings), self.now())

    def do(self, number: int, **command) -> None:
        assert self.pool.send(number, json.dumps(command), self.now())

    def step(self) -> None:
        for message in self.pool.step(self.now(), 2):
            payload = ctypes.string_at(int(message["address"]), int(message["length"]))
            self.got.append((int(message["stream"]), int(message["kind"]), payload))
        while self.pool.happened:
            what, number, _, reason = self.pool.happened.popleft()
            self.said.append((what, number, reason))

    def until(self, condition, seconds: float = 10.0):
        """Step until the condition holds; what it says."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {seconds} s; said {self.said[-5:]}"
            self.step()
        return found

    def until_said(self, what: str, times: int = 1) -> str:
        """Step until it happened so often; the last reason."""
        found = self.until(
            lambda: (
                (lines := [line for line in self.said if line[0] == what])[times - 1 :] and lines
            )
        )
        return found[times - 1][2]

    def texts(self) -> list[str]:
        return [payload.decode() for _, kind, payload in self.got if kind == 1]


@pytest.fixture
def client():
    made = Client()
    yield made
    made.pool.shut()
