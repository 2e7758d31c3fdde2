"""demo, backtest, run, halt, replay."""

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mantra.cli.main import CONFIG, FOLDER, JSON, answer
from mantra.cli.status import live_line, table
from mantra.config import Config, ConfigError, load_config


@click.command("demo")
@JSON
def demo_command(as_json: bool) -> None:
    """Run the built-in example: four models on two simulated venues, and print the report."""
    _run(load_config(None), as_json, None)


@click.command("backtest")
@CONFIG
@click.option("--data", type=FOLDER, help="Replay this archive instead of the config's source.")
@click.option("--model", help="Run this model (built-in name or file) on every instrument.")
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
        from mantra.backtest.default_config import config_for_archive

        loaded = config_for_archive(data, model or "quoter", changes)
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


def _run(config: Config, as_json: bool, seconds: float | None) -> None:
    from mantra.backtest.report import show
    from mantra.system import build_system, run_system

    if not as_json:
        click.echo("compiling, or loading what was compiled before …", err=True)
    system = build_system(config)
    until = None if seconds is None else time.monotonic() + seconds
    with live_line(as_json) as draw:
        report = run_system(system, draw, until)
    text = json.dumps(report, indent=1, default=str)
    (system.directory / "report.json").write_text(text + "\n")
    answer(as_json, report, lambda: show(report), bool(report["lost"] or report["problems"]))


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
    answer(as_json, described, lambda: _show_system(described))


def _show_system(described: dict[str, Any]) -> None:
    cores = [
        line | {"core": "any" if line["core"] is None else line["core"]}
        for line in described["cores"]
    ]
    queue_columns = "queue=name | slots=capacity | bytes=record_bytes | written_by | read_by"
    vectors = [{"name": name, **facts} for name, facts in described["vectors"].items()]
    Console().print(
        table(cores, "core | idle | when one dies=on_death | actors, in turn=actors"),
        table(described["queues"], queue_columns),
        table(vectors, "vector=name | rows | written_by"),
        "instruments: " + ", ".join(described["instruments"]),
        sep="\n",
    )


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
    said = f"{name}: {'resumed' if resume else 'halted'}"
    answer(as_json, {"run": name, "halted": not resume}, lambda: click.echo(said))


@click.command("replay")
@click.argument("run", type=FOLDER)
@click.option("--actor", required=True, help="Name of the actor to feed.")
@JSON
def replay_command(run: Path, actor: str, as_json: bool) -> None:
    """Feed what RUN recorded back into one actor, and compare what it sends."""
    from mantra.replay_actor import replay_actor

    result = replay_actor(run, actor)
    answer(as_json, result, lambda: click.echo(result["said"]), not result["same"])
