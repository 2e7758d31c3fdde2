"""capture: what it refuses; and whole ones of simulated venues, with deaths in the middle."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mantra.archive import ArchiveReader
from mantra.archive import verify as verify_archive
from mantra.compiled import CACHE
from mantra.icc.shm import list_segments
from mantra.market_data.handler import MarketDataHandler
from mantra.simulators import rest
from mantra.simulators.process import VenueProcess

MAIN = "from mantra.cli import main; main()"
PATIENCE_S = 30.0
VENUES = ("binance", "kraken")


def test_one_has_to_say_what(mantra):
    ended = mantra("capture")
    assert ended.code == 2
    assert "say what to capture: a CONFIG, --venue NAME, or --all" in ended.err


def test_a_config_says_all_of_it(mantra, tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("[venues.kraken]\n")
    ended = mantra("capture", config, "--venue", "binance")
    assert ended.code == 2
    assert "what is captured is in CONFIG" in ended.err


def test_a_venue_that_cannot_be_reached_is_said_in_one_line(mantra, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("mantra.transport.rest.TRIES", 1)
    config = tmp_path / "mine.toml"
    config.write_text('[venues.kraken]\nurl = "ws://localhost:9/"\nrest = "http://localhost:9"\n')
    ended = mantra("capture", config)
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if line.startswith("mantra: ")]
    assert "kraken" in line
    assert "localhost" in line


@pytest.fixture
def venues(tmp_path):
    """Two simulated venues, and the config that captures them."""
    MarketDataHandler.step.compile()  # takes longer than a test's patience
    made = {name: VenueProcess(name, rest.symbols(name, 3), 200) for name in VENUES}
    lines = ["[capture]", f'directory = "{tmp_path}/captures"', "raw = true", "checks_s = 0.5"]
    for name, venue in made.items():
        lines += [f"[venues.{name}]", f'url = "{venue.url}"', f'rest = "{venue.rest}"']
        lines += [f'ca_file = "{venue.ca_file}"']
    (tmp_path / "mine.toml").write_text("\n".join([*lines, "[recorder]", "flush_s = 0.5"]))
    yield made
    for venue in made.values():
        venue.__exit__()


class Running:
    """A capture as a user starts it."""

    def __init__(self, folder, *options):
        self.folder = folder
        environment = os.environ | {
            "XDG_CACHE_HOME": str(folder),  # listings
            "MANTRA_CACHE": str(CACHE.parent.parent),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "capture", str(folder / "mine.toml"), "--json", *options],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    @property
    def directory(self):
        return next((self.folder / "captures").iterdir())

    def until(self, condition):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end
            assert self.process.poll() is None
            time.sleep(0.05)

    def rows(self) -> int:
        folder = self.folder / "captures"
        found = list(folder.glob("*/archive")) if folder.exists() else []
        return ArchiveReader(found[0]).rows("l2") if found and any(found[0].glob("l2.*")) else 0

    def children(self) -> list[int]:
        """The handler's process and the recorder's, as the kernel lists them."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()]

    def end(self) -> dict:
        """The report, after Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        return json.loads(out)


@pytest.fixture
def begin(venues, tmp_path):
    """Starts captures of the two; whatever happens to the test, they end with it."""
    begun = []

    def start(*options):
        begun.append(Running(tmp_path, *options))
        return begun[-1]

    yield start
    for running in begun:
        running.process.kill()
        running.process.wait()


@pytest.mark.needs_jit
@pytest.mark.processes
def test_a_capture_to_its_end(begin):
    running = begin("--for", "4")
    out, _ = running.process.communicate(timeout=2 * PATIENCE_S)
    report = json.loads(out)
    assert (running.process.returncode, report["lost"], report["problems"]) == (0, 0, [])
    for venue in report["venues"]:
        assert venue["connections"] == venue["streams"] == 1
        assert venue["phases"] == {"live": 3}
        assert (venue["gaps"], venue["refused"], venue["drifts"], venue["raw_dropped"]) == (0,) * 4
        assert venue["levels"] > 500
    assert (running.directory / "log.txt").exists()
    archive = running.directory / "archive"
    assert verify_archive(archive).ok
    assert ArchiveReader(archive).rows("l2") == sum(v["levels"] for v in report["venues"])
    counted = json.loads((running.directory / "instruments.json").read_text())
    assert len(counted) == 6
    assert all(of["phase"] == "live" for of in counted.values())
    for name in VENUES:
        (raw,) = (running.directory / "raw").glob(f"{name}.*.gz")
        with gzip.open(raw, "rt") as lines:
            frames = sum(" #" in line[:21] for line in lines)
        (told,) = [venue for venue in report["venues"] if venue["venue"] == name]
        assert frames == told["messages"] + 1  # its end
    assert not [s for s in list_segments() if s.run == report["run"]]


@pytest.mark.needs_jit
@pytest.mark.processes
def test_what_is_killed_starts_again(begin):
    running = begin()
    running.until(lambda: running.rows() > 500)
    for victim in running.children():
        os.kill(victim, signal.SIGKILL)
        before = running.rows()
        running.until(lambda before=before: running.rows() > before + 200)
    report = running.end()
    assert len(report["problems"]) == 2
    assert all("restarted (1 of" in problem for problem in report["problems"])
    assert [venue["phases"] for venue in report["venues"]] == [{"live": 3}] * 2
    assert verify_archive(running.directory / "archive").ok


@pytest.mark.needs_jit
@pytest.mark.processes
def test_a_killed_capture_keeps_all_but_its_last_moments(begin):
    running = begin()
    running.until(lambda: running.rows() > 500)
    running.until(lambda: all(any(running.directory.glob(f"raw/{name}.*.gz")) for name in VENUES))
    children, before = running.children(), running.rows()
    os.kill(running.process.pid, signal.SIGKILL)
    for child in children:
        os.kill(child, signal.SIGKILL)
    running.process.wait()
    reader = ArchiveReader(running.directory / "archive")
    assert reader.rows("l2") >= before
    assert len(reader.read("l2")) == reader.rows("l2")
    raw = running.directory / "raw"
    for name in VENUES:
        with gzip.open(next(raw.glob(f"{name}.*.gz")), "rt") as lines:
            assert sum(1 for _ in lines) > 50
    assert json.loads((raw / "tables.json").read_text())["instruments"]
    for segment in list_segments():
        if segment.run == running.directory.name:
            segment.path.unlink()
