"""A replay sends what was recorded: all of it, in order, group by group, at the pace it is told."""

import numpy as np
import pytest

from mantra.actors.control import DONE
from mantra.actors.stepper import Stepper
from mantra.archive import ArchiveError, ArchiveWriter
from mantra.archive.merge import Source, interleaved
from mantra.backtest.replay import Recording, Replay, open_archive
from mantra.exchanges.simulated import orderflow
from mantra.exchanges.simulated.generator import default_markets, default_tables, new_generator
from mantra.icc.memory import address_of
from mantra.icc.queue import DATA, try_consume
from mantra.messages.enums import EVENT_END_OF_DATA, FIRST, LAST
from mantra.messages.records import L2_UPDATE, PUBLISHER_MASK, SYSTEM_EVENT, TRADE_UPDATE
from mantra.telemetry import timers
from tests.exchanges.simulated.sink import Sink, unstamped

TICKS_PER_SECOND = 2_000_000_000
BLOCK_ROWS = 300  # small, so that groups lie across stages


def recorded(messages=2_000):
    """Rows of both streams as an importer writes them: ts_origin in ns, 1 ms after the event."""
    tables = default_tables()
    made = new_generator(tables, default_markets(tables, "sim-a")[:1], seed=4)
    l2, trades, count = [], [], 0
    while count < messages:
        count += orderflow.next_event(made.address)
        l2.append(made.l2.copy())
        trades.append(made.trades.copy())
    both = np.concatenate(l2), np.concatenate(trades)
    for rows in both:
        rows["ts_origin"] = rows["ts_exchange"] + 1_000_000
        rows["published"] = 77
    return both


def blocks(rows):
    return iter([rows[at : at + BLOCK_ROWS] for at in range(0, len(rows), BLOCK_ROWS)])


class ReplayOf(Replay):
    """A replay of rows in memory, by a tick counter that may be handed in."""

    def __init__(self, l2, trades, clocked=False, **settings):
        super().__init__(
            "replay", "", default_tables(), ticks_per_second=TICKS_PER_SECOND, **settings
        )
        self.rows, self.clocked = (l2, trades), clocked
        self.ticks = np.zeros(1, np.int64)

    def open(self):
        sources = [
            Source(blocks(rows), "ts_origin", np.empty(0, dtype))
            for rows, dtype in zip(self.rows, (L2_UPDATE, TRADE_UPDATE), strict=True)
        ]
        return Recording(interleaved(sources), sum(map(len, self.rows)), 1e9)

    def on_start(self, spine):
        super().on_start(spine)
        if self.clocked:
            spine.track["clock"] = address_of(self.ticks)


def run_to_the_end(stepper, ticks=None, tick=0):
    for _ in range(1_000_000):
        stepper.step()
        if ticks is not None:
            ticks += tick
        if stepper.sources_done():
            for _ in range(200):
                stepper.step()
            return
    raise AssertionError("the replay never ended")


@pytest.mark.parametrize(
    ("every", "capacities"), [(1, {}), (40, {"l2": 64, "trades": 16}), (7, {"l2": 8, "trades": 8})]
)
def test_at_max_a_slow_consumer_with_a_small_ring_gets_every_row_as_it_was(every, capacities):
    l2, trades = recorded()
    sink = Sink(every=every)
    with Stepper([ReplayOf(l2, trades), sink], capacities) as stepper:
        run_to_the_end(stepper)
        assert int(sink.context["sped_past"][0]) == 0
        np.testing.assert_array_equal(unstamped(sink.l2), unstamped(l2))
        np.testing.assert_array_equal(unstamped(sink.trades), unstamped(trades))


def test_rows_go_out_in_recorded_order_across_the_streams():
    l2, trades = recorded()
    sink = Sink()
    with Stepper([ReplayOf(l2, trades), sink]) as stepper:
        run_to_the_end(stepper)
        sent = np.concatenate([sink.l2["ts_origin"], sink.trades["ts_origin"]])
        was = np.concatenate([l2["ts_origin"], trades["ts_origin"]])
        order = np.argsort(sent, kind="stable")
        assert (np.diff(was[order]) >= 0).all()


def test_a_group_has_one_new_origin_and_a_trade_its_own():
    l2, trades = recorded()
    sink = Sink()
    with Stepper([ReplayOf(l2, trades), sink]) as stepper:
        run_to_the_end(stepper)
        same = np.diff(sink.l2["ts_origin"]) == 0
        np.testing.assert_array_equal(same, l2["flags"][1:] & FIRST == 0)
        assert (np.diff(sink.trades["ts_origin"]) > 0).all()
        assert (sink.l2["published"] & PUBLISHER_MASK == 0).all()


@pytest.mark.parametrize("lead", [5, 64])
def test_it_is_never_further_ahead_than_its_lead(lead):
    l2, trades = recorded()
    sink = Sink(every=30)
    with Stepper([ReplayOf(l2, trades, lead=lead), sink]) as stepper:
        run_to_the_end(stepper)
        assert int(sink.context["l2_ahead_max"][0]) == lead
        assert int(sink.context["trades_ahead_max"][0]) <= lead


def test_a_group_is_not_begun_before_there_is_room_for_all_of_it():
    """With a lead of 8 groups of five go out one by one: three levels' room is not used."""
    l2 = np.zeros(50, L2_UPDATE)
    l2["flags"][::5], l2["flags"][4::5] = FIRST, LAST
    l2["ts_origin"] = np.repeat(np.arange(10), 5) + 1
    l2["sequence"] = np.arange(50)
    sink = Sink(every=10)
    with Stepper([ReplayOf(l2, np.zeros(0, TRADE_UPDATE), lead=8), sink]) as stepper:
        run_to_the_end(stepper)
        assert int(sink.context["l2_ahead_max"][0]) == 5
        assert sink.l2["sequence"].tolist() == list(range(50))


@pytest.mark.parametrize("speed", [1, 4])
def test_at_a_factor_of_the_recorded_pace_the_recorded_gaps_are_kept(speed):
    l2, trades = recorded()
    replay, sink = ReplayOf(l2, trades, clocked=True, speed=speed), Sink()
    step_ticks = 100_000  # 50 µs
    with Stepper([replay, sink]) as stepper:
        run_to_the_end(stepper, replay.ticks, step_ticks)
        first = l2["ts_origin"][0]
        due = (l2["ts_origin"] - first) * 2 // speed
        late = sink.l2["ts_origin"] - sink.l2["ts_origin"][0] - due
        # The snapshot is larger than the lead and takes the sink some steps.
        assert late.min() >= -1
        assert late.max() <= 10 * step_ticks
        (shown,) = [
            line
            for line in timers.attach(stepper.run, "replay").summary(1)
            if line["name"] == "lag"
        ]
        groups = np.count_nonzero(l2["flags"] & FIRST) + len(trades)
        assert shown["count"] == groups
        assert shown["max_ns"] == int(replay.context["lag_max"][0]) <= 10 * step_ticks


def test_the_end_is_said_and_what_is_left_is_shown():
    l2, trades = recorded()
    with Stepper([ReplayOf(l2, trades)]) as stepper:
        events = stepper.spines[0].inlet("events")
        row = stepper.control.rows[0]
        assert int(row["pending"]) == len(l2) + len(trades)
        left = []
        while not stepper.sources_done():
            stepper.step()
            left.append(int(row["pending"]))
        assert sorted(left, reverse=True) == left
        assert (int(row["state"]), left[-1]) == (DONE, 0)
        event = np.zeros(1, SYSTEM_EVENT)
        assert try_consume(address_of(events), address_of(event)) == DATA
        assert event["kind"][0] == EVENT_END_OF_DATA
        assert event["value"][0] == len(l2) + len(trades)


def test_a_speed_that_is_none_is_refused():
    with pytest.raises(ValueError, match="speed 0; expected 'max' or a factor above 0"):
        Replay("replay", "", default_tables(), speed=0)


# ---------------------------------------------------------------- archives


def write_archive(directory, l2, trades, **metadata):
    with ArchiveWriter(directory, metadata, block_rows=512) as writer:
        writer.append("l2", l2)
        writer.append("trades", trades)


def test_an_archive_comes_back_as_written_with_the_ids_of_the_run(tmp_path):
    l2, trades = recorded()
    write_archive(tmp_path, l2, trades, clock="utc_ns", tables=default_tables().as_dict())
    tables = default_tables()
    reordered = type(tables)()
    for asset in ("USDT", "BTC", "ETH"):
        reordered.add_asset(asset)
    for venue in ("sim-b", "sim-a"):
        at = reordered.add_venue(venue)
        for symbol, base in (("ETH-USDT", 2), ("BTC-USDT", 1)):
            reordered.add_instrument(at, symbol, base, 0, price_exponent=2, volume_exponent=4)
    sink = Sink()
    with Stepper([Replay("replay", tmp_path, reordered), sink]) as stepper:
        run_to_the_end(stepper)
        assert (
            set(sink.l2["instrument"].tolist()) == {reordered.instrument("BTC-USDT@sim-a")} == {3}
        )
        l2["instrument"] = trades["instrument"] = 3
        np.testing.assert_array_equal(unstamped(sink.l2), unstamped(l2))
        np.testing.assert_array_equal(unstamped(sink.trades), unstamped(trades))


def test_an_archive_without_trades_or_without_levels_is_replayed(tmp_path):
    l2, trades = recorded()
    for stream, rows in (("l2", l2), ("trades", trades)):
        with ArchiveWriter(tmp_path / stream, {"clock": "utc_ns"}) as writer:
            writer.append(stream, rows)
        sink = Sink()
        with Stepper([Replay("replay", tmp_path / stream, default_tables()), sink]) as stepper:
            run_to_the_end(stepper)
            assert (len(sink.l2), len(sink.trades)) == (
                (len(l2), 0) if stream == "l2" else (0, len(trades))
            )


def test_a_recorded_run_has_its_own_clock(tmp_path):
    l2, trades = recorded(1_010)
    write_archive(tmp_path, l2, trades, clock={"unit": "tsc", "ticks_per_second": 3e9})
    assert open_archive(tmp_path, default_tables()).units_per_second == 3e9
    write_archive(tmp_path / "b", l2, trades, clock={"unit": "tsc", "ticks_per_second": 0})
    with pytest.raises(ArchiveError, match="does not say how fast its clock ran"):
        open_archive(tmp_path / "b", default_tables())


def test_what_cannot_be_replayed_is_refused_with_its_reason(tmp_path):
    with ArchiveWriter(tmp_path / "a") as writer:
        writer.append("fills", np.zeros(1, L2_UPDATE))
    with pytest.raises(ArchiveError, match="no market data; it has fills"):
        open_archive(tmp_path / "a", default_tables())
    with ArchiveWriter(tmp_path / "b") as writer:
        writer.append("l2", np.zeros(1, np.dtype([("ts_origin", "i8")])))
    with pytest.raises(ArchiveError, match="this program's"):
        open_archive(tmp_path / "b", default_tables())
    l2, trades = recorded(1_010)
    write_archive(tmp_path / "c", l2, trades, tables=default_tables().as_dict())
    with pytest.raises(LookupError, match="BTC-USDT@sim-a"):
        open_archive(tmp_path / "c", type(default_tables())())
