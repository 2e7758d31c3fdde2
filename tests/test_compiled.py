"""One policy: what is compiled is cached under a hash of all sources, and called by address."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mantra import compiled as policy
from mantra.compiled import (
    CACHE,
    CACHES_KEPT,
    JIT,
    cache_directory,
    cache_root,
    call_step,
    compiled,
    duty_cycle,
    fill_cache,
    source_hash,
)
from mantra.icc.memory import address_of, aligned_zeros, records_at

WORD = np.dtype("i8")


@compiled
def triple(number):
    return number * 3


@duty_cycle
def step_add(context_address):
    """Adds 5."""
    numbers = records_at(context_address, 1, WORD)
    numbers[0] += 5
    return numbers[0]


@duty_cycle
def step_nothing(context_address):
    return 0


@compiled
def call_twice(step_address, context_address):
    return call_step(step_address, context_address) + call_step(step_address, context_address)


def test_a_compiled_function_is_called_like_any_other():
    assert triple(14) == 42
    assert (hasattr(triple, "signatures")) == JIT


def test_a_duty_cycle_is_called_directly_or_by_its_address():
    context = aligned_zeros(1, WORD)
    assert step_add(address_of(context)) == 5
    assert call_step.__name__ == "call_step"
    assert call_twice(step_add.address, address_of(context)) == 10 + 15
    assert context[0] == 15
    assert (step_add.__name__, step_add.__doc__) == ("step_add", "Adds 5.")
    assert step_add.address == step_add.address


@pytest.mark.needs_jit
def test_what_was_compiled_is_known_to_be_cached():
    assert step_nothing.address != 0
    assert step_nothing.is_cached()
    assert duty_cycle(step_nothing.py_func).is_cached()  # by the mark the compiler left


@pytest.mark.needs_jit
def test_filling_the_cache_compiles_in_other_processes_what_is_not_there(monkeypatch):
    forked = []
    monkeypatch.setattr(
        policy,
        "_fork_compile",
        lambda step: forked.append(step) or os.spawnlp(os.P_NOWAIT, "true", "true"),
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    news = [duty_cycle(lambda address, n=n: n) for n in range(3)]
    for number, step in enumerate(news):
        step.__name__ = f"never_compiled_{os.getpid()}_{number}"
    step_nothing.compile()
    fill_cache([news[0], step_nothing, news[1], news[0], news[2]])
    assert forked == news
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    fill_cache(news)
    assert forked == news


def test_the_cache_goes_where_the_user_says(monkeypatch):
    monkeypatch.setenv("MANTRA_CACHE", "/some/where")
    assert cache_root() == Path("/some/where")
    monkeypatch.delenv("MANTRA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/users")
    assert cache_root() == Path("/users/mantra")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "mantra"


def test_old_caches_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("MANTRA_CACHE", str(tmp_path))
    for age in range(CACHES_KEPT + 3):
        old = tmp_path / "compiled" / f"old-{age}"
        old.mkdir(parents=True)
        os.utime(old, (1000 - age, 1000 - age))
    directory = cache_directory()
    assert directory.name == source_hash()
    kept = {path.name for path in (tmp_path / "compiled").iterdir()}
    assert kept == {directory.name, *(f"old-{age}" for age in range(CACHES_KEPT - 1))}


def test_where_the_home_cannot_be_written_a_temporary_directory_is_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MANTRA_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(policy.tempfile, "gettempdir", lambda: str(tmp_path))
    directory = cache_directory()
    assert directory == tmp_path / f"mantra-compiled-{os.getuid()}" / source_hash()
    assert directory.is_dir()


def test_an_edit_of_any_source_makes_another_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(policy, "PACKAGE", tmp_path)
    (tmp_path / "room").mkdir()
    seen = [source_hash()]
    for name, text in (("a.py", "x"), ("a.py", "y"), ("room/b.py", "y"), ("c.txt", "z")):
        (tmp_path / name).write_text(text)
        seen.append(source_hash())
    assert len(set(seen)) == 4
    assert seen[3] == seen[4]  # the text file is no source


def test_without_the_compiler_it_is_plain_python():
    code = "from mantra.compiled import compiled, duty_cycle, JIT; f = lambda x: x + 1\n"
    code += "assert not JIT and compiled(f) is f and duty_cycle(f)(1) == 2"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "MANTRA_CACHE": str(CACHE.parent.parent)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
