"""What all tests share: the suite runs twice, as machine code and uncompiled."""

import os
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

from mantra.actors import spine

_runs = count()

PLAIN_ROOMS = ("cli", "simulators", "tools")

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")

# An example may be the one that compiles: no test is about how long it takes.
settings.register_profile("mantra", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mantra")


def pytest_collection_modifyitems(items):
    if JIT:
        return
    skip = pytest.mark.skip(reason="needs machine code; this is the NUMBA_DISABLE_JIT=1 run")
    same = pytest.mark.skip(reason="nothing compiled is in it: the run with machine code has it")
    for item in items:
        if "needs_jit" in item.keywords:
            item.add_marker(skip)
        elif item.path.parent.name in PLAIN_ROOMS:
            item.add_marker(same)


@pytest.fixture
def run():
    """A run's name of the test's own; its shared memory is removed afterwards."""
    name = f"test-{os.getpid()}-{next(_runs)}"
    yield name
    spine.unlink(name)
