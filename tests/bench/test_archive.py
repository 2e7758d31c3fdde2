"""The archive's bench: its rows are what it says, and every key is there."""

import numpy as np

from mantra.bench import archive
from mantra.bench.harness import Bench
from mantra.messages.enums import FIRST, LAST
from mantra.messages.records import L2_UPDATE, TIMING


def test_made_up_levels_come_in_whole_groups_in_order_of_time():
    rows = archive.synthetic_l2(archive.LEVELS * 10)
    assert rows.dtype == L2_UPDATE
    assert (np.diff(rows["ts_origin"]) >= 0).all()
    assert (rows["flags"] & FIRST != 0).sum() == (rows["flags"] & LAST != 0).sum() == 10
    assert (rows["price"] > 0).all()
    assert (rows["volume"] >= 0).all()


def test_made_up_timings_end_after_they_start():
    rows = archive.synthetic_timings(1000)
    assert rows.dtype == TIMING
    assert (rows["ts_stop"] >= rows["ts_start"]).all()
    assert (rows["ts_start"] >= rows["ts_origin"]).all()


def test_the_format_is_measured_under_flat_keys_beside_another_way():
    bench = Bench("archive")
    archive.measure_format(bench, "l2", archive.synthetic_l2(2000), repeats=2)
    wanted = {"bytes_per_row", "ratio", "write_rows_per_s", "read_rows_per_s", "zlib_bytes_per_row"}
    assert {f"l2_{key}" for key in wanted} <= set(bench.results)
    assert bench.results["l2_bytes_per_row"] < bench.results["l2_zlib_bytes_per_row"]
