"""A simulated venue in a process of its own, `mantra simulate`, and the certificate it shows.

In:        what `mantra simulate` takes.
Out:       where the venue is; the truth, and what was done.
Must not know: what is said there.
"""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HOST = "localhost"
COMMAND = (sys.executable, "-c", "from mantra.cli import main; main()", "simulate")
STOP_S = 5.0


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A new CA, as a file in `folder`, and a server's context with a leaf of it for HOST."""
    import trustme  # half a second, which who serves plain TCP does not wait for

    authority, ca_file = trustme.CA(), folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "127.0.0.1").configure_cert(context)
    return ca_file, context


class VenueProcess:
    """Starts one, and asks it for the truth. A context manager.

    Raises RuntimeError when it does not start: what it says is on standard error.
    """

    def __init__(
        self,
        venue: str,
        symbols: Sequence[str],
        rate: float,
        faults: Mapping[str, float] | None = None,
        *options: str,
    ):
        odds = [f"--fault={name}={odd}" for name, odd in (faults or {}).items()]
        facts = ["--symbols", ",".join(symbols), "--rate", str(rate)]
        self.process = subprocess.Popen(
            [*COMMAND, venue, "--json", *facts, *odds, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._said: dict[str, Any] | None = None

    def _fact(self, name: str) -> Any:
        """What it printed at its start; waited for when first asked, so that several may start."""
        if self._said is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"a simulated venue did not start: {self.process.wait(STOP_S)}")
            self._said = json.loads(line)
            context = ssl.create_default_context(cafile=self._said["ca_file"])
            self._http = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
        return self._said[name]

    @property
    def url(self) -> str:
        """Of the WebSocket."""
        return self._fact("url")

    @property
    def rest(self) -> str:
        """Scheme and host of REST."""
        return self._fact("rest")

    @property
    def ca_file(self) -> str | None:
        return self._fact("ca_file")

    def __enter__(self) -> "VenueProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(STOP_S)
        self.process.stdout.close()

    def ask(self, what: str) -> Any:
        """The answer to one of the simulator's own requests; they are in server.py."""
        base = self.rest
        with self._http.open(f"{base}/_sim/{what}") as answer:
            return json.load(answer)

    def books(self) -> dict[str, list[dict[int, int]]]:
        """The truth, price -> volume by side in units of the last decimal; all stands still now."""
        return {name: [dict(side) for side in sides] for name, sides in self.ask("books").items()}

    def go(self) -> None:
        """The market goes on, and so do the faults."""
        self.ask("go")

    def calm(self) -> dict[str, dict[str, int]]:
        """End all faults; how many there were of each: `done`, and of those `books`' messages."""
        return self.ask("calm")

    def list_symbol(self, symbol: str) -> None:
        """A new instrument begins."""
        self.ask(f"list?symbol={symbol}")

    def delist_symbol(self, symbol: str) -> None:
        """An instrument ends."""
        self.ask(f"delist?symbol={symbol}")
