"""Results, bars and repeats; what cannot be measured is refused, not passed."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from mantra.bench import harness
from mantra.bench.harness import Bench, interleaved, median_of, percentiles, shown


@pytest.fixture
def bench():
    return Bench("test")


def test_a_number_is_kept_under_its_name(bench):
    assert bench.result("one_way_p50_ns", np.int64(70)) == 70
    assert type(bench.results["one_way_p50_ns"]) is int


def test_repeats_give_their_median_and_show_their_ends(bench):
    assert bench.result("write_ns", [9.0, 30.0, 8.0]) == 9.0
    assert bench.result("read_ns", np.array([3, 1, 2])) == 2
    assert bench.spread == {"write_ns": (8.0, 30.0), "read_ns": (1, 3)}


@pytest.mark.parametrize("key", ["", "one-way", "P50", "9_lives", "a b"])
def test_a_key_is_a_flat_name(bench, key):
    with pytest.raises(ValueError, match="no flat name"):
        bench.result(key, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, math.nan], []])
def test_what_was_not_measured_is_no_result(bench, value):
    with pytest.raises(ValueError, match="bench test"):
        bench.result("x", value)


def test_a_result_is_given_once(bench):
    bench.result("x", 1)
    with pytest.raises(ValueError, match="there already"):
        bench.result("x", 2)


@pytest.mark.parametrize(
    ("op", "below", "equal", "above"),
    [
        (">=", False, True, True),
        ("<=", True, True, False),
        ("==", False, True, False),
        ("<", True, False, False),
        (">", False, False, True),
    ],
)
def test_each_operator_means_what_it_says(bench, op, below, equal, above):
    for name, value in (("below", 9), ("equal", 10), ("above", 11)):
        bench.result(name, value)
    assert [bench.bar(name, op, 10) for name in bench.results] == [below, equal, above]


def test_a_bar_on_nothing_is_an_error(bench):
    with pytest.raises(KeyError, match="no such result"):
        bench.bar("lost", "==", 0)


def test_one_bar_that_does_not_hold_fails_the_bench(bench):
    bench.result("fast_ns", 10)
    bench.result("slow_ns", 99)
    assert bench.bar("fast_ns", "<=", 20)
    assert (bench.holds, bench.exit_code) == (True, 0)
    assert not bench.bar("slow_ns", "<=", np.float64(20))
    assert (bench.holds, bench.exit_code) == (False, 1)


def test_json_is_one_object_with_all_of_it(bench, capsys):
    bench.result("write_ns", np.array([8.5, 9.5]))
    bench.bar("write_ns", "<=", 30, why="the issue's bar")
    bench.note("one core was busy")
    bench.print(json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["bench"] == "test"
    assert told["machine"]["cores"] >= 1
    assert told["results"] == {"write_ns": 9.0}
    assert told["spread"] == {"write_ns": [8.5, 9.5]}
    bar = {"name": "write_ns", "value": 9.0, "op": "<=", "bar": 30, "holds": True}
    assert told["bars"] == [bar | {"why": "the issue's bar"}]
    assert told["notes"] == ["one core was busy"]


def test_the_table_shows_results_bars_and_notes(bench, capsys):
    bench.result("write_ns", [8, 9, 31])
    bench.bar("write_ns", "<=", 3, why="[as asked]")
    bench.note("quiet [machine]")
    bench.print()
    text = capsys.readouterr().out
    for word in ("write_ns", "8 – 31", "<= 3", "NO", "[as asked]", "quiet [machine]"):
        assert word in text


def test_functions_take_turns():
    calls = []

    def recorded(name):
        calls.append(name)
        return len(calls)

    values = interleaved({name: lambda name=name: recorded(name) for name in "abc"}, repeats=2)
    assert calls == list("abcabc")
    assert values == {"a": [1, 4], "b": [2, 5], "c": [3, 6]}


def test_median_is_of_what_the_calls_return():
    values = iter([5.0, 1.0, 3.0])
    assert median_of(lambda: next(values), repeats=3) == 3.0


def test_percentiles_are_samples_by_nearest_rank():
    samples = np.arange(1, 1001)[::-1]
    assert percentiles(samples) == {"p50": 500, "p90": 900, "p99": 990, "p999": 999}
    assert percentiles(np.array([7]), (0, 100)) == {"p0": 7, "p100": 7}


def test_percentiles_of_nothing_are_refused():
    with pytest.raises(ValueError, match="nothing was measured"):
        percentiles(np.array([]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12.3456, "12.35"),
        (0.00123456, "0.001235"),
        (3e7, "30,000,000"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_are_shown_with_four_digits_that_matter(value, text):
    assert shown(value) == text


def test_an_unknown_bench_is_told_the_known_ones():
    with pytest.raises(KeyError, match="icc, book, codec, ingest, pipeline, startup"):
        harness.run_bench("speed")


def test_a_bench_runs_by_name(monkeypatch):
    monkeypatch.setitem(harness.BENCHES, "fake", "tests.bench.fake_bench")
    assert harness.run_bench("fake", quick=True, cores=3).results == {"quick": 1, "cores": 3}


def test_the_harness_does_not_load_the_compiler():
    code = "import sys, mantra.bench.harness; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
