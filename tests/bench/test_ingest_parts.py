"""The parts, tiny: every message is decoded, joins its book, and holds its checksum."""

import numpy as np
import pytest

from mantra.bench import ingest_parts
from mantra.bench.icc_peers import Worker
from mantra.bench.ingest import certify
from mantra.bench.ingest_handler import Ingest
from mantra.bench.ingest_mix import Mix
from tests.exchanges import recorded


@pytest.mark.processes
@pytest.mark.needs_jit
def test_every_part_takes_time_and_refuses_nothing(monkeypatch, tmp_path):
    recorded.path("cryptofeed")
    monkeypatch.setenv("MANTRA_DATA", str(recorded.ROOT))
    monkeypatch.setattr(ingest_parts, "ROUNDS", 1)
    mix, (certificate, ca_file) = Mix(part=100), certify(tmp_path)
    actor = Ingest(mix, "wss://localhost", ca_file)
    worker = Worker(0, ingest_parts.Parts(mix, certificate, ca_file, actor))
    try:
        worker.ask("measure")
        found = worker.answer(300)
    finally:
        worker.end()
    assert set(found) == {"kernel", "tls", "frames", "json", "books"}
    assert all(np.isfinite(values).all() and values[0] > 0 for values in found.values())
