"""demo, backtest, run and halt: what they pass on, what they print, how they end."""

import json
import os
import subprocess
import sys

import pytest

from mantra import system
from mantra.actors.stepper import Stepper
from mantra.archive import ArchiveReader
from mantra.archive import verify as verify_archive
from mantra.cli import runs
from mantra.config import load_config
from mantra.icc import shm
from mantra.icc.shm import list_segments

CONFIG = """
[run]
directory = "{directory}"

[source]
kind = "simulated"
rate = 50_000
messages = 20_000

[[venues]]
name = "sim-a"
balances = {{ BTC = "20", USDT = "2000000" }}

[[models]]
name = "quoter"
model = "quoter"
instruments = ["BTC-USDT@sim-a"]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(CONFIG.format(directory=tmp_path / "runs"))
    return path


# ---------------------------------------------------------------- run --dry, halt


def test_a_dry_run_shows_cores_queues_and_vectors(mantra, config):
    described = mantra("run", config, "--dry", "--json").json
    assert set(described) == {"run", "cores", "queues", "vectors", "instruments"}
    assert described["vectors"]["cache-quoter"]["rows"] == 4
    text = mantra("run", config, "--dry").out
    for word in ("feed", "overseer", "cache-quoter", "BTC-USDT@sim-a", "65,536"):
        assert word in text
    assert mantra("run", config).code == 2


@pytest.mark.parametrize("command", [("run", "--dry"), ("backtest",)])
def test_a_wrong_config_is_exit_code_2_and_one_line(mantra, config, command):
    config.write_text(config.read_text().replace("quoter", "quotter"))
    ended = mantra(command[0], config, *command[1:])
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == (
        "mantra: models[0]: no model 'quotter': neither built in nor a file"
    )
    config.write_text(config.read_text().replace("rate", "rat"))
    ended = mantra(command[0], config, *command[1:])
    assert ended.code == 2
    assert ended.err == f"mantra: {config}: source.rat = 50000: there is no such key\n"
    assert mantra(command[0], config.parent / "none.toml", *command[1:]).code == 2


def test_a_run_is_halted_and_resumed(mantra):
    with Stepper([]) as stepper:
        run = stepper.run
        assert mantra("halt", run, "--json").json == {"run": run, "halted": True}
        assert stepper.control.record["halted"] == 1
        assert mantra("halt", run, "--resume").out == f"{run}: resumed\n"
        assert stepper.control.record["halted"] == 0


def test_the_only_run_need_not_be_named(mantra, monkeypatch):
    def seen(*names):
        segments = [s for s in list_segments() if s.run in names]
        monkeypatch.setattr(shm, "list_segments", lambda: segments)

    with Stepper([]) as one, Stepper([]) as other:
        seen(one.run)
        assert mantra("halt").code == 0
        assert (one.control.record["halted"], other.control.record["halted"]) == (1, 0)
        seen(one.run, other.run)
        ended = mantra("halt")
        assert ended.code == 2
        assert f"name one of the runs there are: {one.run}, {other.run}" in ended.err
        seen()
        assert "name one of the runs there are: none" in mantra("halt").err
        monkeypatch.undo()


def test_a_run_that_is_not_there_cannot_be_halted(mantra):
    ended = mantra("halt", "no-such-run")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "is run 'no-such-run' up?" in ended.err


# ---------------------------------------------------------------- backtest's options


@pytest.fixture
def started(monkeypatch):
    """The configs that would have been run."""
    configs = []
    monkeypatch.setattr(runs, "_run", lambda config, as_json, seconds: configs.append(config))
    return configs


def test_options_change_the_config(mantra, config, started, tmp_path):
    mantra("backtest", config, "--no-record", "--model", "imbalance")
    mantra("backtest", config, "--data", tmp_path, "--speed", "max")
    mantra("backtest", config, "--data", tmp_path, "--speed", "2.5")
    mantra("backtest")
    mantra("demo")
    first, second, third, *examples = started
    assert (first.recorder.enabled, first.models[0].model) == (False, "imbalance")
    assert (second.source.kind, second.source.data, second.source.speed) == (
        "replay",
        tmp_path,
        "max",
    )
    assert third.source.speed == 2.5
    assert examples == [load_config(None)] * 2


def test_a_speed_that_is_none(mantra, config, started, tmp_path):
    ended = mantra("backtest", config, "--data", tmp_path, "--speed", "fast")
    assert (ended.code, ended.err) == (2, "mantra: --speed 'fast': expected 'max' or a number\n")
    assert mantra("backtest", config, "--data", tmp_path, "--speed", "-1").code == 2
    assert not started


@pytest.mark.parametrize(("lost", "problems", "code"), [(0, [], 0), (3, [], 1), (0, ["died"], 1)])
def test_a_run_that_lost_something_is_exit_code_1(
    mantra, monkeypatch, config, tmp_path, lost, problems, code
):
    report = {"run": "one", "lost": lost, "problems": problems}

    def run_system(made, each_look, until):
        made.directory.mkdir(parents=True)
        return report

    monkeypatch.setattr(system, "run_system", run_system)
    ended = mantra("backtest", config, "--json")
    assert (ended.code, ended.json) == (code, report)
    (written,) = (tmp_path / "runs").glob("*/report.json")
    assert json.loads(written.read_text()) == report


# ---------------------------------------------------------------- one whole run

MAIN = "from mantra.cli import main; main()"


@pytest.mark.needs_jit
@pytest.mark.processes
def test_a_backtest_runs_from_config_to_report(config, tmp_path, mantra):
    command = [sys.executable, "-c", MAIN, "backtest", str(config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["lost"], report["problems"]) == (0, [])
    assert report["ended"] == "end of data"
    for key in ("run", "messages", "queues", "times", "requests", "fills", "positions", "archive"):
        assert key in report
    queues = report["queues"]
    assert queues["l2"]["messages"] + queues["trades"]["messages"] >= 20_000
    assert report["requests"]["new"] > 0
    assert report["orders"]["accepted"] > 0
    assert report["tick_to_trade"]["count"] == sum(report["requests"].values())
    directory = tmp_path / "runs" / report["run"]
    assert json.loads((directory / "report.json").read_text()) == report
    assert not [s for s in list_segments() if s.run == report["run"]]
    assert verify_archive(directory / "archive").ok
    reader = ArchiveReader(directory / "archive")
    for name, queue in queues.items():
        if queue["messages"]:
            assert reader.rows(name) == queue["messages"]
    assert mantra("archive", "verify", directory / "archive").code == 0
