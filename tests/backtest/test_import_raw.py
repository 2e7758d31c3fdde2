"""Raw captures of this engine: what comes out is what the live capture had."""

import numpy as np
import pytest

from mantra.backtest.importer import import_captures
from tests.backtest.live_raw import LiveRaw
from tests.backtest.made_captures import Imported
from tests.market_data.test_handler import FAULTS, Following, certificate  # noqa: F401

COLUMNS = ["ts_exchange", "price", "volume", "instrument", "side", "flags"]
LIVE_S = 4.0


@pytest.mark.needs_jit
@pytest.mark.processes
def test_a_raw_capture_of_all_five_venues_gives_what_the_live_one_had(certificate, tmp_path):  # noqa: F811
    with Following(certificate, FAULTS) as following:
        raw = LiveRaw(following.handler, following.stepper.run)
        step = following.stepper.step

        def kept_step():
            step()
            raw.keep()

        following.stepper.step = kept_step
        following.follow(LIVE_S)
        gaps = following.handler.feed.followed["gaps"].sum()
    raw.write(tmp_path)
    tables = following.tables
    assert gaps > 3
    for venue in raw.lines:
        report = import_captures([tmp_path / f"{venue}.0"], tmp_path / venue, source=venue)
        done = Imported(report, tmp_path / venue)
        here = np.flatnonzero(tables.instruments["venue"] == tables.venue(venue))
        assert report.lines == len(raw.lines[venue])
        for stream, found in (("l2", done.l2), ("trades", done.trades)):
            expected = raw.published(stream, here)
            assert len(expected) > 10, (venue, stream)
            for name in COLUMNS:
                assert found[name].tolist() == expected[name].tolist(), (venue, stream, name)
        assert done.tables.instrument_names() == tables.instrument_names()
