"""The report of a run: what happened, how fast, what it cost, where it lies.

`gather` reads everything off the run's shared memory while it is still there; the result is plain
data (for `--json` and `report.json`), and `show` prints it. Times are in ns, amounts decimal text.
"""

from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mantra.actors import control, spine
from mantra.actors.actor import Actor
from mantra.backtest.tally import Tally
from mantra.icc import queue_segment
from mantra.messages.decimals import format_decimal
from mantra.telemetry import timers

TICK_TO_TRADE = ("latency", "requests")  # origin -> published
RECORD_BYTES = 64  # a slot: what the compression ratio is taken against


def gather(run: str, actors: list[Actor], models: list[str], tally: Tally, facts: dict) -> dict:
    """The report's data. `facts` holds what shared memory does not: times, problems, places."""
    tally.update()
    rows = control.attach(run, writable=False).rows
    queues: dict[str, dict[str, Any]] = {}
    for name in spine.queue_names(actors):
        found = queue_segment.attach(run, name, writable=False)
        readers = found.consumers[found.consumers["process"] > 0]
        rate, lost = found.count / facts["seconds"], int(readers["lost"].sum())
        queues[name] = {"messages": found.count, "per_second": rate, "lost": lost}
        queues[name]["readers"] = [reader.decode() for reader in readers["name"]]
    times = {a.name: timers.attach(run, a.name).summary(facts["ns_per_tick"]) for a in actors}
    lines = (line for lines in times.values() for line in lines)
    return {
        "run": run,
        **facts,
        "messages": sum(queue["messages"] for queue in queues.values()),
        "lost": sum(queue["lost"] for queue in queues.values()) + tally.lost,
        "queues": queues,
        "tick_to_trade": next((x for x in lines if (x["kind"], x["name"]) == TICK_TO_TRADE), None),
        "times": times,
        "actors": [_actor(row) for row in rows],
        "requests": tally.requests,
        "orders": tally.order_events,
        "reasons": tally.reasons,
        "fills": tally.fills,
        "positions": [_position(tally, key, models) for key in sorted(tally.positions)],
    }


def _actor(row: np.void) -> dict[str, Any]:
    busy = int(row["busy_loops"]) / max(int(row["loops"]), 1)
    facts = {"name": row["name"].decode(), "core": int(row["core"]), "busy": busy}
    return facts | {name: int(row[name]) for name in ("work", "restarts")}


def _position(tally: Tally, key: tuple[int, int], models: list[str]) -> dict[str, Any]:
    model, instrument = key
    position, tables = tally.positions[key], tally.tables
    facts = tables.instruments[instrument]
    quote = tables.assets[facts["quote"]]
    volume_exponent, amount_exponent = int(facts["volume_exponent"]), int(quote["exponent"])
    pnl, fees = tally.pnl(model, instrument), tally.fees_in_quote(model, instrument)
    return {
        "model": models[model],
        "instrument": tables.instrument_name(instrument),
        "quote": quote["name"].decode(),
        "fills": position.fills,
        "maker_fills": position.maker_fills,
        "bought": format_decimal(position.bought, volume_exponent),
        "sold": format_decimal(position.sold, volume_exponent),
        "position": format_decimal(position.volume, volume_exponent),
        "pnl_before_fees": None if pnl is None else format_decimal(pnl, amount_exponent),
        "fees": None if fees is None else format_decimal(fees, amount_exponent),
        "pnl": None if pnl is None or fees is None else format_decimal(pnl - fees, amount_exponent),
    }


def archive_facts(directory: Path, messages: int) -> dict[str, Any]:
    """Size of a recording, and its ratio against 64-byte slots."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    ratio = messages * RECORD_BYTES / size if size else 0.0
    return {"directory": str(directory), "files": len(files), "bytes": size, "ratio": ratio}


# ---------------------------------------------------------------- printing


def show(report: dict, console: Console | None = None) -> None:
    """Print a report for people."""
    console = console or Console()
    console.rule(f"[bold]{report['run']}")
    color = "red" if report["lost"] else "green"
    said = f"{report['ended']} after {report['seconds']:.1f} s, {report['messages']:,} messages"
    console.print(f"{said}, [{color}]{report['lost']:,} lost[/]")
    for problem in report["problems"]:
        console.print(problem, style="red", markup=False)
    console.print(_queue_table(report), _time_table(report), sep="\n")
    requests = ", ".join(f"{count:,} {kind}" for kind, count in report["requests"].items())
    orders = ", ".join(f"{count:,} {event}" for event, count in report["orders"].items() if count)
    console.print(f"requests: {requests}\norders: {orders or 'none'}; {report['fills']:,} fills")
    for title, key in (("venues' reasons", "reasons"), ("not sent", "refused")):
        if report.get(key):
            counts = ", ".join(f"{n:,} {reason}" for reason, n in report[key].items())
            console.print(f"{title}: {counts}")
    console.print(_position_table(report))
    for name, place in report["places"].items():
        console.print(f"{name}: {place}", markup=False, soft_wrap=True)
    if archive := report.get("archive"):
        size = f"{archive['bytes'] / 1e6:.1f} MB in {archive['files']} files"
        size += f", {archive['ratio']:.1f} x smaller than 64-byte records"
        console.print(f"archive: {archive['directory']} ({size})", markup=False, soft_wrap=True)


def _table(*columns: str, title: str) -> Table:
    """A table that fits 80 columns: numbers are never cut, text (the first and last) wraps."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title, table.title_justify = title, "left"
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True, overflow="fold")
    return table


def _queue_table(report: dict) -> Table:
    table = _table("queue", "messages", "per second", "lost", title="messages")
    table.add_column("read by", overflow="fold")
    for name, queue in report["queues"].items():
        counts = (f"{queue['messages']:,}", f"{queue['per_second']:,.0f}", f"{queue['lost']:,}")
        table.add_row(name, *counts, " ".join(queue["readers"]))
    return table


QUANTILES = ("p50", "p90", "p99", "p99.9", "max")


def _time_table(report: dict) -> Table:
    title = "times: business = a step, latency = origin to published; gross of the clock"
    table = _table("actor", "count", *QUANTILES, title=title)
    for actor, lines in report["times"].items():
        if lines:
            table.add_row(f"[bold]{actor}")
        for line in lines:
            _add_times(table, f"  {line['kind']} {line['name']}", line)
    if trade := report["tick_to_trade"]:
        table.add_section()
        table.add_row("[bold]tick to trade")
        _add_times(table, "  origin to request", trade)
    return table


def _add_times(table: Table, what: str, line: dict) -> None:
    durations = (duration(line[f"{quantile}_ns"]) for quantile in QUANTILES)
    table.add_row(what, f"{line['count']:,}", *durations)


def _position_table(report: dict) -> Table:
    """Three lines a position: side by side its amounts do not fit a terminal."""
    columns = ("model\n  instrument", "fills\nas maker", "bought\nsold\nposition")
    table = _table(*columns, "pnl before fees\nfees\npnl", title="positions")
    for line in report["positions"]:
        what = f"{line['model']}\n  {line['instrument']}"
        fills = f"{line['fills']:,}\n{line['maker_fills']:,}"
        volumes = f"{line['bought']}\n{line['sold']}\n{line['position']}"
        amounts = [line[name] for name in ("pnl_before_fees", "fees", "pnl")]
        money = "\n".join("-" if a is None else f"{a} {line['quote']}" for a in amounts)
        table.add_row(what, fills, volumes, money, end_section=True)
    return table


def duration(ns: float) -> str:
    """A time in the unit that suits it, to three digits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            value = ns / size
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return f"{ns:.0f} ns"
