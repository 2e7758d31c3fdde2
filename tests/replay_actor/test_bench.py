"""One actor, its inputs in the test's hand."""

import numpy as np
import pytest

from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.seqlock_vector import try_read_row
from mantra.messages.records import IDEAL_ORDER, PUBLISHER_BITS
from mantra.models.model_actor import TIMER_L2
from mantra.replay_actor.bench import FEED_MAX, Bench
from mantra.replay_actor.recording import Recording
from tests.recorded_runs import example_run

pytestmark = [pytest.mark.needs_jit, pytest.mark.processes]

INPUTS = ("l2", "trades", "fills")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return example_run(tmp_path_factory)


def test_what_the_actor_sends_is_kept_and_stamped_by_the_clock_that_was_set(run):
    recording = Recording(run.directory, "quoter-btc-a")
    rows = recording.rows("l2")[:FEED_MAX]
    now = int(rows["ts_origin"].max()) + 1000
    inputs = {name: recording.rows(name) for name in INPUTS}
    with Bench(recording, inputs, ("ideals",), {}) as bench:
        bench.feed("l2", FEED_MAX)
        bench.step_until_idle(now)
        assert bench.fed == {"l2": len(rows), "trades": 0, "fills": 0}
        assert bench.done(TIMER_L2) > 0
    sent = bench.sent["ideals"]
    assert len(sent) > 0
    assert set(sent["ts_origin"] + (sent["published"] >> PUBLISHER_BITS)) == {now}
    assert set(sent["ts_origin"]) <= set(rows["ts_origin"])


def test_ideal_orders_go_to_the_cache_of_their_model(run):
    recording = Recording(run.directory, "overseer")
    rows = np.zeros(3, IDEAL_ORDER)
    rows["model"], rows["row"], rows["price"] = [1, 0, 1], [2, 0, 2], [5, 6, 7]
    inputs = ("orders", "fills", "balances", "events", "trades")
    inputs = {name: recording.rows(name) for name in inputs}
    caches = dict(recording.actor.models)
    with Bench(recording, inputs, ("requests",), caches) as bench:
        bench.write_ideals(rows)
        seen, found = [], aligned_zeros(1, IDEAL_ORDER)
        for model, row in ((0, 0), (1, 2), (1, 0)):
            vector = int(bench.feeder.cache_addresses[model])
            version = try_read_row(vector, row, address_of(found))
            seen.append((version > 0, int(found["price"][0])))
    assert seen == [(True, 6), (True, 7), (False, 0)]
