"""The group of commands. A command's module is imported when the command is used.

Errors a user can do something about end as one line on standard error and exit code 2; exit code 1
says that the program ran and found something wrong: a bar that does not hold, a damaged archive.
"""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mantra import __version__

# Each command: its module here, and what it does.
COMMANDS = {
    "demo": ("runs", "Run the built-in example and print its report."),
    "backtest": ("runs", "Run models on recorded or simulated data, in real processes."),
    "run": ("runs", "Show what a config makes of this machine (--dry)."),
    "halt": ("runs", "Pull the kill switch of a run: cancel all, send nothing."),
    "replay": ("runs", "Feed a recorded run's inputs back into one actor and compare."),
    "instruments": ("instruments", "List what trades spot on five venues: tick, lot, status."),
    "import": ("data", "Read recorded WebSocket captures into an archive."),
    "capture": ("capture", "Record market data of venues, until Ctrl-C."),
    "archive": ("data", "List, print and verify archives."),
    "simulate": ("simulate", "Serve a simulated venue, on loopback, over TLS."),
    "doctor": ("machine", "Say what about this machine costs latency, and what to do."),
    "shm": ("machine", "List and clean shared memory."),
    "bench": ("machine", "Measure, beside the alternatives; exit 1 when a bar does not hold."),
}
USER_ERRORS: tuple[str, ...] = ("ConfigError", "ModelError", "ArchiveError", "CaptureError")
USER_ERRORS += ("SegmentError", "ListingError")
VENUES = ("binance", "bitfinex", "bitstamp", "coinbase", "kraken")  # the table's: not loaded here

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
CONFIG = click.argument("config", type=click.Path(dir_okay=False, path_type=Path), required=False)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Commands(click.Group):
    """Knows its commands by name, and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"mantra.cli.{COMMANDS[name][0]}")
        return getattr(module, f"{name}_command")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Mantra: a low-latency, multi-core trading engine in Python."""


def answer(as_json: bool, data: Any, show: Callable[[], object], bad: bool = False) -> None:
    """Print `data` as one JSON object, or have it shown; exit code 1 if it is bad."""
    if as_json:
        click.echo(json.dumps(data, indent=1, default=str))
    else:
        show()
    if bad:
        raise click.exceptions.Exit(1)


def main() -> None:
    """Entry point: errors of the user's making become one line, without a traceback."""
    try:
        # It returns the code of an Exit.
        sys.exit(commands(prog_name="mantra", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if type(error).__name__ not in USER_ERRORS:
            raise
        click.echo(f"mantra: {error}", err=True)
        sys.exit(2)
