"""Runs in real processes that several tests look at: made once, kept till the session ends."""

from dataclasses import dataclass
from pathlib import Path

from mantra.archive import ArchiveReader
from mantra.config import Config, load_config
from mantra.messages.tables import Tables
from mantra.system import build_system, run_system

MESSAGES = 40_000
RATE = 40_000
_made: dict[str, "Run"] = {}


@dataclass
class Run:
    """A run that is over: where it was recorded, and what it reported."""

    directory: Path
    report: dict
    config: Config
    tables: Tables

    def rows(self, stream):
        reader = ArchiveReader(self.directory / "archive")
        return reader.read(stream) if stream in reader.streams else []


def run_config(config):
    system = build_system(config)
    report = run_system(system)
    return Run(system.directory, report, config, system.tables)


def example_run(tmp_path_factory):
    """The example's four models on two venues, with fewer messages."""
    if "example" not in _made:
        changes = {
            "run.directory": str(tmp_path_factory.mktemp("example")),
            "source.messages": MESSAGES,
            "source.rate": RATE,
        }
        _made["example"] = run_config(load_config(None, changes))
    return _made["example"]
