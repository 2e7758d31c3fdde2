"""doctor, shm, bench."""

import importlib

import click
from rich.console import Console

from mantra.cli.main import JSON, answer
from mantra.cli.status import table


@click.command("doctor")
@JSON
def doctor_command(as_json: bool) -> None:
    """Say what about this machine costs latency, and what to do."""
    from mantra.doctor import findings as examine
    from mantra.machine import machine_facts

    facts, findings = machine_facts(), [finding._asdict() for finding in examine()]

    def show() -> None:
        console = Console()
        for name, fact in facts.items():
            console.print(f"[bold]{name}[/]: {fact}", highlight=False)
        console.print(table(findings, "what | is=state | costs=cost | do=advice"))

    answer(as_json, {"machine": facts, "findings": findings}, show)


@click.group("shm")
def shm_command() -> None:
    """List and clean shared memory."""


@shm_command.command("ls")
@JSON
def shm_ls(as_json: bool) -> None:
    """All segments of all runs, those of dead runs included."""
    from mantra.icc import shm

    rows = [
        {"run": s.run, "name": s.name, "bytes": s.size, "pid": s.creator, "alive": s.alive}
        for s in shm.list_segments()
    ]

    def show() -> None:
        pids = (f"{row['pid']}{'' if row['alive'] else ' (dead)'}" for row in rows)
        made = [row | {"creator": pid} for row, pid in zip(rows, pids, strict=True)]
        columns = "run | segment=name | bytes | creator"
        Console().print(table(made, columns) if rows else "no segments")

    answer(as_json, {"segments": rows}, show)


@shm_command.command("clean")
@click.argument("run", required=False)
@JSON
def shm_clean(run: str | None, as_json: bool) -> None:
    """Remove segments whose creator is dead (of RUN, or of all runs)."""
    from mantra.icc import shm

    removed = shm.clean(run)
    size = sum(s.size for s in removed)
    said = f"removed {len(removed)} segments, {size:,} bytes"
    answer(as_json, {"removed": len(removed), "bytes": size}, lambda: click.echo(said))


@click.command("bench")
@click.argument("name", required=False)
@click.option("--quick", is_flag=True, help="Tiny sizes: shows that it runs, not how fast.")
@JSON
def bench_command(name: str | None, quick: bool, as_json: bool) -> None:
    """Run the bench NAME; without NAME list them. Exit code 1 when a bar does not hold."""
    from mantra.bench.harness import BENCHES

    if name is None:
        known = "\n".join(f"{known:10} {module}" for known, module in BENCHES.items())
        return answer(as_json, {"benches": BENCHES}, lambda: click.echo(known))
    if name not in BENCHES:
        raise click.UsageError(f"no bench {name!r}; there are: {', '.join(BENCHES)}")
    bench = importlib.import_module(BENCHES[name]).run(quick=quick)
    bench.print(json=as_json)
    raise click.exceptions.Exit(bench.exit_code)
