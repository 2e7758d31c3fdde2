"""capture."""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live

from mantra.cli.main import CONFIG, JSON, answer
from mantra.cli.status import table

if TYPE_CHECKING:
    from mantra.actors.supervisor import Supervisor
    from mantra.capture import Capture
    from mantra.market_data.status import Status

EVERY_S, LINE_S = 1.0, 30.0  # between two looks: on a terminal, and where lines are kept
GIGABYTE = 1e9
# mending: broken, a new base is on its way; waiting: for the first
COLUMNS = "venue | conn.=connected | live=live_of | mending | waiting | msg/s=rate | gaps | drifts"
COLUMNS += " | refused | lag ms=lag"
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


@click.command("capture")
@CONFIG
@click.option("--venue", "venues", multiple=True, help="Everything that trades there; repeatable.")
@click.option("--all", "every", is_flag=True, help="Everything that trades, on all five venues.")
@click.option("--quote", "quotes", multiple=True, help="Only these quote assets; repeatable.")
@click.option("--raw", is_flag=True, help="Keep the frames as they came, too.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for captures (captures).")
@click.option("--for", "seconds", type=float, help="Stop after so many seconds.")
@click.option("--dry", is_flag=True, help="Only show what would be captured.")
@JSON
def capture_command(
    config: Path | None,
    venues: tuple[str, ...],
    every: bool,
    quotes: tuple[str, ...],
    raw: bool,
    out: str | None,
    seconds: float | None,
    dry: bool,
    as_json: bool,
) -> None:
    """Record market data of venues: books, trades, what went wrong, until Ctrl-C.

    CONFIG says what and where; without one, --venue or --all. Every book is followed by its venue's
    own rules; one that breaks says so in the archive, and is mended.
    """
    from mantra.capture import build_capture, run_capture
    from mantra.config import load_capture
    from mantra.market_data.venues import VENUES
    from mantra.system import new_run_name

    chosen = tuple(VENUES) if every else venues
    if config is None and not chosen:
        raise click.UsageError("say what to capture: a CONFIG, --venue NAME, or --all")
    if config and (quotes or chosen):
        raise click.UsageError("what is captured is in CONFIG: no --venue, --all, --quote with it")
    changes: dict[str, Any] = {f"venues.{name}.quotes": list(quotes) for name in chosen}
    changes |= {"capture.raw": True} if raw else {}
    changes |= {"capture.directory": out} if out else {}
    loaded = load_capture(config, changes)
    if not as_json:
        click.echo("asking the venues what they list …", err=True)
    capture = build_capture(loaded, new_run_name())
    if dry:
        return _show_plan(capture, as_json)
    capture.directory.mkdir(parents=True, exist_ok=True)
    log = capture.directory / "log.txt"  # on the terminal it would tear the table
    logging.basicConfig(filename=log, format=LOG_FORMAT, level=logging.INFO)
    if not as_json:
        click.echo(f"log: {log}\ncompiling, or loading what was compiled before …", err=True)
    with live_table(capture, as_json) as draw:
        report = run_capture(capture, draw, seconds or float("inf"))
    answer(as_json, report, lambda: _show(report), bool(report["lost"] or report["problems"]))


def _show_plan(capture: "Capture", as_json: bool) -> None:
    rows = [
        {"venue": venue, "stream": number, "instruments": len(symbols), "symbols": symbols}
        for number, (venue, symbols) in enumerate(capture.handler.streams)
    ]
    made = table(rows, "venue | stream | instruments")
    answer(as_json, {"streams": rows}, lambda: Console().print(made))


def _row(venue: dict[str, Any], rate: float) -> dict[str, Any]:
    """What is shown of a venue."""
    phases = venue["phases"]
    live = phases.get("live", 0) + phases.get("bridging", 0)
    return venue | {
        "connected": f"{venue['connections']}/{venue['streams']}",
        "live": live,
        "live_of": f"{live:,}/{venue['instruments']:,}",
        "mending": phases.get("gap", 0) + phases.get("resyncing", 0),
        "waiting": phases.get("subscribing", 0) + phases.get("waiting", 0),
        "rate": round(rate),
        "lag": venue["lag_us"] / 1000,
    }


def _line(sums: dict, capture: "Capture", supervisor: "Supervisor", since_s: float) -> str:
    """All venues in one line, and the disk."""
    free = shutil.disk_usage(capture.directory).free / GIGABYTE
    full = ", FULL: raw frames wait" if sums["raw_full"] else ""
    return (
        f"{since_s:,.0f} s: {sums['connections']}/{sums['streams']} connections, "
        f"{sums['live']:,} of {sums['instruments']:,} live, {sums['rate']:,} msg/s, "
        f"{supervisor.messages():,} records, {supervisor.lost():,} lost, {sums['gaps']:,} gaps; "
        f"{free:,.1f} GB free{full}"
    )


@contextmanager
def live_table(
    capture: "Capture", quiet: bool
) -> Iterator[Callable[["Supervisor", "Status"], None]]:
    """A function to call as often as one likes; it draws a table, or writes a line now and then."""
    console = Console(stderr=True)
    every_s = EVERY_S if console.is_terminal else LINE_S
    began = drawn = time.monotonic()
    before: dict[str, tuple[int, int]] = {}  # messages, and when: as the handler said it
    rates: dict[str, float] = {}
    listed, tables = 0, capture.tables
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def draw(supervisor: "Supervisor", status: "Status") -> None:
            nonlocal drawn, listed, tables
            now = time.monotonic()
            if quiet or now - drawn < every_s:
                return
            venues = status.venues(tables)
            if (found := sum(venue["listed"] for venue in venues)) != listed:
                listed, tables = found, type(tables).attach(capture.run)
            for name, count, ms in ((of["venue"], of["messages"], of["at_ms"]) for of in venues):
                old, old_ms = before.setdefault(name, (count, ms))
                if ms > old_ms:
                    rates[name], before[name] = (count - old) / (ms - old_ms) * 1e3, (count, ms)
            rows, drawn = [_row(of, rates.get(of["venue"], 0)) for of in venues], now
            keys = ("connections", "streams", "live", "instruments", "rate", "gaps", "raw_full")
            sums = {key: sum(row[key] for row in rows) for key in keys}
            line = _line(sums, capture, supervisor, now - began)
            if console.is_terminal:
                live.update(Group(table(rows, COLUMNS, SIMPLE), line), refresh=True)
            else:
                click.echo(line, err=True)

        yield draw


def _show(report: dict[str, Any]) -> None:
    console = Console()
    rows = [_row(venue, venue["messages"] / report["seconds"]) for venue in report["venues"]]
    console.print(table(rows, COLUMNS, SIMPLE))
    archive = report["archive"]
    console.print(
        f"{report['ended']} after {report['seconds']:,.1f} s: {report['messages']:,} records, "
        f"{report['lost']:,} lost; {archive['bytes']:,} bytes, {archive['ratio']:.1f} x smaller "
        f"than in memory, in {report['directory']}"
    )
    for problem in report["problems"]:
        console.print(problem, style="red", markup=False)
