"""A simulated venue in a process of its own: `python -m tests.simulators.process '<JSON>'`.

Prints its port, serves until its standard input ends.
"""

import contextlib
import json
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.simulators.faults import Faults
from tests.simulators.server import SimulatedServer

ROOT = Path(__file__).parents[2]


class VenueProcess:
    """Starts one, and asks it for the truth. A context manager."""

    def __init__(self, venue: str, symbols: list[str], rate: float, faults=None, certificate=""):
        facts = {"venue": venue, "symbols": symbols, "rate": rate, "faults": faults or {}}
        facts["certificate"] = str(certificate)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulators.process", json.dumps(facts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.port = int(self.process.stdout.readline())
        self.secure = bool(certificate)

    def __enter__(self) -> "VenueProcess":
        return self

    def __exit__(self, *exception) -> None:
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()

    def url(self, scheme: str) -> str:
        return f"{scheme}{'s' if self.secure else ''}://localhost:{self.port}"

    def _ask(self, path: str):
        context = ssl._create_unverified_context() if self.secure else None
        with urllib.request.urlopen(self.url("http") + path, context=context) as answer:
            return json.load(answer)

    def books(self) -> dict[str, list[dict[int, int]]]:
        """The truth; the market stands still from here on."""
        return {
            name: [dict(side) for side in sides] for name, sides in self._ask("/_sim/books").items()
        }

    def calm(self) -> dict[str, int]:
        """End all faults; how many there were of each."""
        return self._ask("/_sim/calm")


def main() -> None:
    facts = json.loads(sys.argv[1])
    faults = Faults(facts.pop("faults"))
    server = SimulatedServer(**facts, faults=faults)
    server.start()
    print(server.port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
