"""Starts are processes of their own, with a cache of their own; one that fails is no result."""

import sys

import pytest

from mantra.bench import startup

# A start that leaves one file more in its cache, and fails where there is none to write to.
LEAVES_A_FILE = """
import os, pathlib
cache = pathlib.Path(os.environ["MANTRA_CACHE"])
(cache / str(len(list(cache.iterdir())))).touch()
"""


def test_a_start_is_timed_with_the_cache_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "COMMAND", (sys.executable, "-c", LEAVES_A_FILE))
    assert 0 < startup.start(str(tmp_path)) < 60
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_a_start_that_fails_is_told_in_its_own_words(tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "COMMAND", (sys.executable, "-c", "raise SystemExit('no core')"))
    with pytest.raises(RuntimeError, match="no core"):
        startup.start(str(tmp_path))


@pytest.mark.parametrize(("quick", "warm"), [(True, 1), (False, startup.WARM_STARTS)])
def test_the_first_start_is_cold_and_the_others_share_its_cache(monkeypatch, quick, warm):
    caches = []

    def start(cache):
        caches.append(cache)
        return 90.0 if len(caches) == 1 else float(len(caches))

    monkeypatch.setattr(startup, "start", start)
    bench = startup.run(quick=quick)
    assert (len(caches), len(set(caches))) == (1 + warm, 1)
    assert bench.results["cold_compile_s"] == 90.0
    assert bench.results["warm_start_s"] == (2.0 if quick else 4.0)
    assert [bar.name for bar in bench.bars] == ["cold_compile_s", "warm_start_s"]
    assert bench.holds


def test_too_slow_a_start_fails_the_bench(monkeypatch):
    monkeypatch.setattr(startup, "start", lambda cache: 5.5)
    assert startup.run(quick=True).exit_code == 1


def test_every_module_of_the_engine_is_loaded_and_no_bench():
    names = startup.engine_modules()
    assert {"mantra.compiled", "mantra.icc.queue", "mantra.messages.records"} <= set(names)
    assert not any(name.startswith("mantra.bench") for name in names)
