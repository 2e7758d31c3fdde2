"""What all tests share: the suite runs twice, as machine code and uncompiled."""

import os

import pytest

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def pytest_collection_modifyitems(items):
    if JIT:
        return
    skip = pytest.mark.skip(reason="needs machine code; this is the NUMBA_DISABLE_JIT=1 run")
    for item in items:
        if "needs_jit" in item.keywords:
            item.add_marker(skip)
