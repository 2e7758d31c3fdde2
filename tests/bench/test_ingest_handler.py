"""How the handler is watched from outside."""

import os
import time

import pytest

from mantra.bench.ingest_handler import cpu_s, rss_mb, until


def test_the_cpu_of_a_process_is_its_threads_time():
    before, own = cpu_s(os.getpid()), time.process_time()
    while time.process_time() - own < 0.02:
        pass
    assert cpu_s(os.getpid()) - before == pytest.approx(time.process_time() - own, abs=0.01)


def test_memory_is_in_megabytes():
    assert 10 < rss_mb(os.getpid()) < 10_000


def test_who_waits_too_long_is_told_for_what():
    until(lambda: True, "nothing")
    with pytest.raises(RuntimeError, match="no answer, and not within 0 s"):
        until(lambda: False, "no answer", 0.01)
