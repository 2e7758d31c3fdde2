"""The ingest bench, tiny: everything runs, every key is there, nothing is refused or broken."""

from pathlib import Path

import pytest

from mantra.bench import ingest

KEYS = """
    cpu_us_per_msg_35k cpu_us_per_msg_200k cpu_us_per_msg_saturated msgs_per_s_saturated
    levels_per_s rss_mb latency_p50_us latency_p99_us latency_read_p50_us kernel_us_per_msg
    tls_us_per_msg frames_us_per_msg json_us_per_msg books_us_per_msg binance_cpu_us_per_msg_35k
"""


@pytest.mark.processes
@pytest.mark.needs_jit
def test_a_quick_run_has_every_key_and_breaks_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("MANTRA_DATA", str(tmp_path / "none"))
    bench = ingest.run(quick=True)
    assert set(KEYS.split()) <= set(bench.results)
    assert all(bench.results[key] > 0 for key in KEYS.split() if not key.startswith("books"))
    for name in ("broken", "refused", "unknown"):
        assert bench.results[name] == 0
    for name in ingest.PEERS:
        missing = any(name in note for note in bench.notes)
        assert missing or bench.results[f"{name}_cpu_us_per_msg"] > 0
    held_against = {bar.name for bar in bench.bars}
    assert {"cpu_us_per_msg_35k", "msgs_per_s_saturated", "latency_p99_us"} <= held_against


def test_a_peer_that_is_not_installed_is_left_out_and_said_so(monkeypatch):
    monkeypatch.setattr(ingest, "find_spec", lambda name: None)
    bench = ingest.run(quick=True)
    assert (bench.results, bench.bars) == ({}, [])
    assert any("cryptofeed is not installed" in note for note in bench.notes)


def test_certificates_are_files(tmp_path):
    for path in ingest.certify(tmp_path):
        assert "BEGIN CERTIFICATE" in Path(path).read_text()
