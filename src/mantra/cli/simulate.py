"""simulate."""

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from mantra.cli.main import VENUES

if TYPE_CHECKING:
    from mantra.simulators.server import SimulatedServer

EVERY_S = 1.0
FAULT_HELP = (
    "drop=0.001 loses one message in a thousand. Also: duplicate, reorder, corrupt, cut, stall, "
    "half-open, close, reset, split; of connections and requests: refuse, slow-tls."
)


@click.command("simulate")
@click.argument("venue", type=click.Choice(VENUES))
@click.option("--port", default=0, show_default="any", help="On 127.0.0.1.")
@click.option("--symbols", help="As the venue writes them: BTCUSDT,ETHUSDT.")
@click.option("--instruments", type=click.IntRange(1, 5_000), default=10, show_default=True)
@click.option("--rate", type=click.FloatRange(0), default=100.0, help="Changes a second (100).")
@click.option("--reach", type=click.IntRange(1), default=60, help="Ticks a change is deep (60).")
@click.option("--seed", default=1, help="The same seed is the same market (1).")
@click.option("--fault", "faults", multiple=True, metavar="NAME=ODDS", help=FAULT_HELP)
@click.option("--deflate", is_flag=True, help="Compress for those who offer permessage-deflate.")
@click.option("--no-tls", is_flag=True, help="Plain ws:// and http://.")
@click.option("--json", "as_json", is_flag=True, help="Say where it is as one JSON object.")
def simulate_command(
    venue: str,
    port: int,
    symbols: str | None,
    instruments: int,
    rate: float,
    reach: int,
    seed: int,
    faults: tuple[str, ...],
    deflate: bool,
    no_tls: bool,
    as_json: bool,
) -> None:
    """Serve a simulated VENUE until Ctrl-C, or the end of standard input.

    Its WebSocket and REST are spoken on loopback, over TLS, by a certificate of a CA made for this
    run. Books change as --seed says; what goes wrong is what --fault asks for.
    """
    from mantra.simulators import rest
    from mantra.simulators.faults import Faults
    from mantra.simulators.process import HOST, make_certificate
    from mantra.simulators.server import SimulatedServer

    names = symbols.split(",") if symbols else rest.symbols(venue, instruments)
    with tempfile.TemporaryDirectory(prefix="mantra-simulate-") as folder:
        ca_file, context = (None, None) if no_tls else make_certificate(Path(folder))
        try:
            odds = {name: float(odd) for name, _, odd in (one.partition("=") for one in faults)}
            dice = Faults(odds, seed)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--fault") from None
        try:
            server = SimulatedServer(venue, names, rate, dice, context, port, seed, reach, deflate)
        except OSError as error:
            raise click.ClickException(f"port {port}: {error.strerror}") from None
        secure = "" if no_tls else "s"
        facts = {
            "url": f"ws{secure}://{HOST}:{server.port}/",
            "rest": f"http{secure}://{HOST}:{server.port}",
            "ca_file": ca_file and str(ca_file),
        }
        if as_json:
            click.echo(json.dumps({"venue": venue, **facts, "symbols": names}))
        else:
            click.echo(f"# {venue}, {len(names)} symbols: {names[0]} … Ctrl-C ends it")
            click.echo(f"[venues.{venue}]")
            for name, fact in facts.items():
                if fact:
                    click.echo(f'{name} = "{fact}"')
        sys.stdout.flush()
        _serve(server)


def _serve(server: "SimulatedServer") -> None:
    """Serve in a thread, until something says that it is enough."""

    def stop(*_: object) -> None:
        server.stopped = True

    def wait_for_the_end() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be held at the end
            pass
        stop()

    serving = threading.Thread(target=server.serve)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if not sys.stdin.isatty():
        threading.Thread(target=wait_for_the_end, daemon=True).start()
    serving.start()
    console, told = Console(stderr=True), 0
    while serving.is_alive():
        serving.join(EVERY_S)
        if console.is_terminal:
            rate, told = (server.told - told) / EVERY_S, server.told
            done = ", ".join(f"{count:,} {name}" for name, count in server.faults.done.items())
            said = f"{len(server.sessions)} clients, {rate:,.0f} messages/s  {done}"
            console.print(said, end="\r", highlight=False)
    if not server.stopped:  # it broke
        raise click.exceptions.Exit(1)
