"""doctor, shm, bench."""

import importlib

import click
from rich.console import Console
from rich.table import Table

from mantra.cli.main import print_json

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")


@click.command("doctor")
@JSON
def doctor_command(as_json: bool) -> None:
    """Say what about this machine costs latency, and what to do."""
    from mantra.doctor import findings as examine
    from mantra.machine import machine_facts

    facts, findings = machine_facts(), examine()
    if as_json:
        print_json({"machine": facts, "findings": [finding._asdict() for finding in findings]})
        return
    console = Console()
    for name, fact in facts.items():
        console.print(f"[bold]{name}[/]: {fact}", highlight=False)
    table = Table("what", "is", "costs", "do")
    for finding in findings:
        table.add_row(finding.what, finding.state, finding.cost, finding.advice)
    console.print(table)


@click.group("shm")
def shm_command() -> None:
    """List and clean shared memory."""


@shm_command.command("ls")
@JSON
def shm_ls(as_json: bool) -> None:
    """All segments of all runs, those of dead runs included."""
    from mantra.icc import shm

    segments = list(shm.list_segments())
    if as_json:
        rows = [
            {"run": s.run, "name": s.name, "bytes": s.size, "pid": s.creator, "alive": s.alive}
            for s in segments
        ]
        print_json({"segments": rows})
        return
    table = Table("run", "segment", "bytes", "creator")
    for s in segments:
        table.add_row(s.run, s.name, f"{s.size:,}", f"{s.creator}{'' if s.alive else ' (dead)'}")
    Console().print(table if segments else "no segments")


@shm_command.command("clean")
@click.argument("run", required=False)
@JSON
def shm_clean(run: str | None, as_json: bool) -> None:
    """Remove segments whose creator is dead (of RUN, or of all runs)."""
    from mantra.icc import shm

    removed = shm.clean(run)
    size = sum(s.size for s in removed)
    if as_json:
        print_json({"removed": len(removed), "bytes": size})
    else:
        click.echo(f"removed {len(removed)} segments, {size:,} bytes")


@click.command("bench")
@click.argument("name", required=False)
@click.option("--quick", is_flag=True, help="Tiny sizes: shows that it runs, not how fast.")
@JSON
def bench_command(name: str | None, quick: bool, as_json: bool) -> None:
    """Run the bench NAME; without NAME list them. Exit code 1 when a bar does not hold."""
    from mantra.bench.harness import BENCHES

    if name is None:
        if as_json:
            print_json({"benches": BENCHES})
            return
        for known, module in BENCHES.items():
            click.echo(f"{known:10} {module}")
        return
    if name not in BENCHES:
        raise click.UsageError(f"no bench {name!r}; there are: {', '.join(BENCHES)}")
    bench = importlib.import_module(BENCHES[name]).run(quick=quick)
    bench.print(json=as_json)
    raise click.exceptions.Exit(bench.exit_code)
