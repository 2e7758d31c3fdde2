"""demo, backtest, run, halt, replay."""

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mantra.cli.main import print_json
from mantra.cli.status import is_quiet, live_line
from mantra.config import Config, ConfigError, load_config

CONFIG = click.argument(
    "config", type=click.Path(dir_okay=False, path_type=Path), required=False, default=None
)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")


@click.command("demo")
@JSON
def demo_command(as_json: bool) -> None:
    """Run the built-in example: four models on two simulated venues, and print the report."""
    _run(load_config(None), as_json, None)


@click.command("backtest")
@CONFIG
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Replay this archive instead of the config's source.",
)
@click.option(
    "--model", "model", help="Run this model (built-in name or file) on every instrument."
)
@click.option("--speed", help="max, or a factor: 1 is the recorded pace.")
@click.option("--for", "seconds", type=float, help="Stop after so many seconds.")
@click.option("--no-record", is_flag=True, help="Persist nothing.")
@JSON
def backtest_command(
    config: Path | None,
    data: Path | None,
    model: str | None,
    speed: str | None,
    seconds: float | None,
    no_record: bool,
    as_json: bool,
) -> None:
    """Run models on recorded or simulated market data, in real processes.

    Without CONFIG the built-in example is run; with --data an archive is replayed, its venues
    mocked with ample balances, and --model (default: quoter) quotes on every instrument.
    """
    changes: dict[str, Any] = {}
    if speed is not None:
        changes["source.speed"] = speed if speed == "max" else _number("--speed", speed)
    if no_record:
        changes["recorder.enabled"] = False
    if data is not None and config is None:
        loaded = _config_for(data, model or "quoter", changes)
    else:
        if data is not None:
            # First, as --speed changes what it says.
            changes = {"source": {"kind": "replay", "data": str(data)}} | changes
        loaded = load_config(config, changes)
        if model is not None:
            models = [m.model_copy(update={"model": model}) for m in loaded.models]
            loaded = loaded.model_copy(update={"models": models})
    _run(loaded, as_json, seconds)


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{option} {text!r}: expected 'max' or a number") from None


def _config_for(data: Path, model: str, changes: dict[str, Any]) -> Config:
    from mantra.backtest.default_config import config_for_archive

    return config_for_archive(data, model, changes)


def _run(config: Config, as_json: bool, seconds: float | None) -> None:
    from mantra.backtest.report import show
    from mantra.system import build_system, run_system

    if not as_json:
        click.echo("compiling, or loading what was compiled before …", err=True)
    system = build_system(config)
    until = None if seconds is None else time.monotonic() + seconds
    with live_line(is_quiet(as_json)) as draw:
        report = run_system(system, draw, until)
    text = json.dumps(report, indent=1, default=str)
    (system.directory / "report.json").write_text(text + "\n")
    if as_json:
        click.echo(text)
    else:
        show(report)
    if report["lost"] or report["problems"]:
        raise click.exceptions.Exit(1)


@click.command("run")
@CONFIG
@click.option("--dry", is_flag=True, help="Only show actors, cores, queues, who writes and reads.")
@JSON
def run_command(config: Path | None, dry: bool, as_json: bool) -> None:
    """Show what CONFIG makes of this machine. Live trading is not there yet: use --dry."""
    from mantra.system import build_system, describe_system

    if not dry:
        raise click.UsageError("live trading is not there yet; use --dry, or 'mantra backtest'")
    described = describe_system(build_system(load_config(config), "dry"))
    if as_json:
        print_json(described)
        return
    console = Console()
    cores = Table("core", "idle", "when one dies", "actors, in turn")
    for line in described["cores"]:
        core = "any" if line["core"] is None else str(line["core"])
        cores.add_row(core, line["idle"], line["on_death"], " ".join(line["actors"]))
    queues = Table("queue", "slots", "bytes", "written by", "read by")
    for queue in described["queues"]:
        queues.add_row(
            queue["name"],
            f"{queue['capacity']:,}",
            str(queue["record_bytes"]),
            " ".join(queue["written_by"]),
            " ".join(queue["read_by"]),
        )
    vectors = Table("vector", "rows", "written by")
    for name, vector in described["vectors"].items():
        vectors.add_row(name, str(vector["rows"]), vector["written_by"])
    console.print(cores, queues, vectors, sep="\n")
    console.print("instruments: " + ", ".join(described["instruments"]))


@click.command("halt")
@click.argument("run", required=False)
@click.option("--resume", is_flag=True, help="Let the run go on.")
@JSON
def halt_command(run: str | None, resume: bool, as_json: bool) -> None:
    """Pull the kill switch of RUN (default: the only one that runs): cancel all, send nothing."""
    from mantra.actors import control
    from mantra.icc import shm

    alive = [s.run for s in shm.list_segments() if s.name == control.SEGMENT and s.alive]
    if run is None and len(alive) != 1:
        raise click.UsageError(f"name one of the runs there are: {', '.join(alive) or 'none'}")
    name = run or alive[0]
    control.attach(name).record["halted"] = 0 if resume else 1
    if as_json:
        print_json({"run": name, "halted": not resume})
    else:
        click.echo(f"{name}: {'resumed' if resume else 'halted'}")


@click.command("replay")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--actor", required=True, help="Name of the actor to feed.")
@JSON
def replay_command(run: Path, actor: str, as_json: bool) -> None:
    """Feed what RUN recorded back into one actor, and compare what it sends."""
    from mantra.replay_actor import replay_actor

    result = replay_actor(run, actor)
    if as_json:
        print_json(result)
    else:
        click.echo(result["said"])
    if not result["same"]:
        raise click.exceptions.Exit(1)
