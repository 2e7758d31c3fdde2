"""Cold compile and warm start of the whole engine: `mantra bench startup`.

In:        every module of the package; `mantra.system.warm_up`, which compiles what the actors of
           the example config run, or loads it from the cache.
Out:       cold_compile_s   a process that starts with an empty cache, until all is compiled
           warm_start_s     the next ones, until all is loaded
Must not know: what is compiled.

Each start is a process of its own (`python -m mantra.bench.startup`), timed from outside, so the
interpreter, the imports and the compiler's own start are in it: what a user waits for.
"""

import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from types import ModuleType

import mantra
from mantra.bench.harness import Bench

COLD_MAX_S = 100
WARM_MAX_S = 5
WARM_STARTS = 5
COMMAND = (sys.executable, "-m", "mantra.bench.startup")


def run(quick: bool = False) -> Bench:
    """One cold start, and then warm ones: a single one if `quick`."""
    bench = Bench("startup")
    with tempfile.TemporaryDirectory(prefix="mantra-startup-") as cache:
        bench.result("cold_compile_s", start(cache))
        bench.result("warm_start_s", [start(cache) for _ in range(1 if quick else WARM_STARTS)])
    bench.bar("cold_compile_s", "<=", COLD_MAX_S, "once an edit or an installation")
    bench.bar("warm_start_s", "<=", WARM_MAX_S, "at every start")
    return bench


def start(cache: str) -> float:
    """Seconds a process takes to have the whole engine ready, with its cache at `cache`."""
    before = time.perf_counter()
    done = subprocess.run(
        COMMAND, env=os.environ | {"MANTRA_CACHE": cache}, capture_output=True, check=False
    )
    seconds = time.perf_counter() - before
    if done.returncode:
        raise RuntimeError(f"bench startup: the engine did not start:\n{done.stderr.decode()}")
    return seconds


def engine_modules() -> dict[str, ModuleType]:
    """Every module of the package by its name, imported; benches and programs' mains apart."""
    modules = {}
    for found in pkgutil.walk_packages(mantra.__path__, "mantra."):
        if found.name.split(".")[1] != "bench" and not found.name.endswith("__main__"):
            modules[found.name] = importlib.import_module(found.name)
    return modules


if __name__ == "__main__":
    engine_modules()["mantra.system"].warm_up()
