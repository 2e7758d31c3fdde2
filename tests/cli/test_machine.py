"""doctor, shm and bench say what they find, as text or one object, and exit as they should."""

import os
import subprocess
import sys

import pytest

from mantra.actors.stepper import Stepper
from mantra.bench import harness
from mantra.icc import shm

DIES = "import sys; from mantra.icc import shm; shm.create(sys.argv[1], 'left', 4096, 7)"


def test_doctor_says_facts_and_findings(mantra):
    ended = mantra("doctor", "--json")
    assert ended.code == 0
    assert set(ended.json) == {"machine", "findings"}
    assert all(set(f) >= {"what", "state", "cost", "advice"} for f in ended.json["findings"])
    text = mantra("doctor")
    assert text.code == 0
    for name in ended.json["machine"]:
        assert f"{name}: " in text.out


def segments(ended, run):
    return [row for row in ended.json["segments"] if row["run"] == run]


def test_segments_of_the_living_are_listed_and_kept(mantra):
    with Stepper([]) as stepper:
        rows = segments(mantra("shm", "ls", "--json"), stepper.run)
        assert {"control", "l2", "events"} <= {row["name"] for row in rows}
        assert all(row["alive"] and row["pid"] == os.getpid() for row in rows)
        assert stepper.run in mantra("shm", "ls").out
        assert mantra("shm", "clean", stepper.run, "--json").json == {"removed": 0, "bytes": 0}
        assert len(segments(mantra("shm", "ls", "--json"), stepper.run)) == len(rows)


def test_segments_of_the_dead_are_removed(mantra, run):
    subprocess.run([sys.executable, "-c", DIES, run], check=True)
    (row,) = segments(mantra("shm", "ls", "--json"), run)
    assert (row["name"], row["alive"]) == ("left", False)
    assert mantra("shm", "clean", run, "--json").json == {"removed": 1, "bytes": row["bytes"]}
    assert mantra("shm", "clean", run).out == "removed 0 segments, 0 bytes\n"
    assert not [s for s in shm.list_segments() if s.run == run]


def test_benches_are_listed(mantra):
    assert mantra("bench", "--json").json == {"benches": harness.BENCHES}
    assert [line.split()[0] for line in mantra("bench").out.splitlines()] == list(harness.BENCHES)
    ended = mantra("bench", "nothing")
    assert ended.code == 2
    assert "no bench 'nothing'; there are: " in ended.err


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (3.0, 1)])
def test_a_bar_that_does_not_hold_is_exit_code_1(mantra, monkeypatch, value, code):
    class Fake:
        exit_code = code

        def print(self, json):
            print("{}" if json else "text")

    module = type("Module", (), {"run": staticmethod(lambda quick: Fake())})
    monkeypatch.setitem(harness.BENCHES, "fake", "fake_module")
    monkeypatch.setitem(sys.modules, "fake_module", module)
    assert (mantra("bench", "fake").code, mantra("bench", "fake", "--json").json) == (code, {})
