"""The pipeline bench, tiny: it runs the whole engine, loses nothing, prints what it promises."""

import pytest

from mantra.bench import pipeline
from mantra.config import Config

KEYS = {"msgs_per_s", "lost", "overseer_step_p50_ns"} | {
    f"tick_to_trade_{p}_ns" for p in ("p50", "p99", "p999")
}


@pytest.mark.processes
@pytest.mark.needs_jit
def test_a_quick_run_has_every_key_and_loses_nothing():
    bench = pipeline.run(quick=True)
    assert {key + suffix for key in KEYS for suffix in ("", "_recorded")} <= set(bench.results)
    assert bench.results["lost"] == 0
    assert bench.results["requests_per_s"] > 0
    assert 0 < bench.results["tick_to_trade_p50_ns"] <= bench.results["tick_to_trade_p999_ns"]
    held_against = {bar.name for bar in bench.bars}
    assert {"msgs_per_s", "tick_to_trade_p99_ns_recorded", "tracking_cost_ns"} <= held_against


def test_the_config_puts_the_venue_and_the_traders_on_lines_of_their_own(tmp_path):
    for recorded in (False, True):
        config = pipeline.pipeline_config(str(tmp_path), 1000, 10, recorded)
        assert isinstance(config, Config)
        assert [line.actors[0] for line in config.cores][:2] == ["feed", "quoter"]
        assert config.recorder.enabled == recorded == (len(config.cores) == 3)


@pytest.mark.needs_jit
def test_a_clock_read_takes_some_nanoseconds():
    assert 1 < pipeline.clock_read_ns() < 10_000
