"""The command is quick to explain itself, and its errors are one line and an exit code."""

import importlib
import subprocess
import sys

import click
import pytest

from mantra import __version__
from mantra.archive import ArchiveError
from mantra.backtest.captures import CaptureError
from mantra.cli.main import COMMANDS, USER_ERRORS
from mantra.config import ConfigError
from mantra.icc.shm import SegmentError
from mantra.models.contract import ModelError

cli = importlib.import_module("mantra.cli.main")  # The package has a function of this name.

HEAVY = """
import sys
from mantra.cli import main
sys.argv = ["mantra", *sys.argv[1:]]
try:
    main()
finally:
    print([name for name in ("numba", "numpy", "llvmlite") if name in sys.modules])
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_loads_no_compiler(arguments):
    command = [sys.executable, "-c", HEAVY, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(mantra):
    ended = mantra("--help")
    assert ended.code == 0
    assert all(f"  {name} " in ended.out for name in COMMANDS)
    assert mantra("--version").out.strip().endswith(__version__)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(mantra, name):
    ended = mantra(name, "--help")
    assert ended.code == 0
    assert f"Usage: mantra {name}" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(
    "arguments", [["fly"], ["shm", "fly"], ["run", "--fly"], ["halt", "a", "b"]]
)
def test_what_is_no_command_ends_with_code_2(mantra, arguments):
    ended = mantra(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Error: " in ended.err


def fails_with(monkeypatch, error):
    @click.command("demo")
    def failing():
        raise error

    group = click.Group("mantra", {"demo": failing})
    monkeypatch.setattr(cli, "commands", group)


@pytest.mark.parametrize(
    "kind", [ArchiveError, CaptureError, ConfigError, ModelError, SegmentError], ids=str
)
def test_errors_of_the_users_making_are_one_line_and_code_2(mantra, monkeypatch, kind):
    assert kind.__name__ in USER_ERRORS
    fails_with(monkeypatch, kind("it is not so"))
    ended = mantra("demo")
    assert (ended.code, ended.out, ended.err) == (2, "", "mantra: it is not so\n")


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (click.exceptions.Exit(1), 1, ""),
        (click.exceptions.Exit(0), 0, ""),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
    ],
)
def test_other_ends_have_their_codes(mantra, monkeypatch, error, code, err):
    fails_with(monkeypatch, error)
    ended = mantra("demo")
    assert (ended.code, ended.err.lstrip("\n")) == (code, err)


def test_errors_of_our_making_are_not_hidden(monkeypatch):
    fails_with(monkeypatch, ZeroDivisionError("ours"))
    monkeypatch.setattr(sys, "argv", ["mantra", "demo"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
