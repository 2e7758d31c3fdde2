"""What persisting everything costs: `mantra bench archive`.

In:        rows that look like a busy venue's (seeded), or the L2 updates of an archive that is
           there (`archive=DIRECTORY`: one that `mantra import` made of recorded data).
Out:       l2_… and timings_…: bytes a row, ratio to the records in memory, rows written and read
           a second of CPU; beside them zlib and, where it is installed, Parquet with zstd;
           recorder_…: a recorder process beside a producer that sends L2 updates at LOAD_PER_S,
           each with two timings: its share of a core, and what it lost.
Must not know: how the format works. It calls writer, reader and recorder like everyone else.
"""

import importlib.util
import io
import os
import tempfile
import time
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.control import RUNNING
from mantra.actors.core_loop import SLEEP
from mantra.actors.core_process import CoreLine
from mantra.actors.spine import Spine
from mantra.actors.supervisor import Supervisor
from mantra.archive import ArchiveReader, ArchiveWriter
from mantra.archive.recorder import Recorder
from mantra.bench.harness import Bench, interleaved
from mantra.compiled import duty_cycle
from mantra.icc.atomics import load_relaxed
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.messages.enums import FIRST, LAST
from mantra.messages.records import L2_UPDATE, TIMING
from mantra.telemetry.clock import Calibration
from mantra.telemetry.tracked import originate, send, start_timer, stop_timer
from mantra.telemetry.tsc import read_tsc

LOAD_PER_S = 500_000
# Half a second of each: on a busy machine the recorder's core is taken away for that long.
CAPACITIES = {"l2": 1 << 18, "timings-flood": 1 << 19}
SECONDS = 10
START_S = 30  # until the first message is recorded: compiling, where the cache is cold
ROWS = 1_000_000
REPEATS = 5
LEVELS = 32  # of a group: the median of what Binance sends in 100 ms is 20 to 60


def run(quick: bool = False, archive: str = "") -> Bench:
    """All of it; `quick`: fewer rows, repeats, seconds. ArchiveError where `archive` is none."""
    bench = Bench("archive")
    rows = ROWS // 10 if quick else ROWS
    l2 = ArchiveReader(archive).read("l2")[:rows] if archive else synthetic_l2(rows)
    bench.note(f"L2 updates: {len(l2):,} {'of ' + archive if archive else 'made up (seeded)'}")
    for stream, records in (("l2", l2), ("timings", synthetic_timings(rows))):
        measure_format(bench, stream, records, 1 if quick else REPEATS)
    measure_recorder(bench, 2 if quick else SECONDS)
    bench.bar("recorder_lost", "==", 0, "a recorder that loses is none")
    bench.bar("recorder_core_share", "<=", 0.8, "well under one core at full rate")
    bench.bar("l2_ratio", ">=", 8.0, "records are 56 bytes")
    return bench


def synthetic_l2(count: int) -> np.ndarray:
    """L2 updates: groups of levels around a price that walks, volumes in lots, stamps of each."""
    rng = np.random.default_rng(0)
    groups = count // LEVELS + 1
    index = np.arange(count)
    group, level = index // LEVELS, index % LEVELS
    rows = np.zeros(count, L2_UPDATE)
    stamps = np.cumsum(rng.exponential(64_000, groups).astype("i8"))
    middle = 6_000_000 + np.cumsum(rng.integers(-20, 21, groups))
    rows["ts_origin"] = stamps[group]
    rows["ts_exchange"] = (stamps // 3 // 1_000_000 * 1_000_000)[group]
    rows["published"] = (4_000 + level * 70 + rng.integers(0, 25, count)) << 16 | 3
    rows["sequence"] = np.cumsum(rng.integers(1, 40, groups))[group]
    rows["side"] = level >= LEVELS // 2
    away = np.sort(rng.pareto(1.2, (groups, 2, LEVELS // 2)) * 30).reshape(-1)[:count]
    rows["price"] = middle[group] + (2 * rows["side"] - 1) * (1 + away.astype("i8") % 100_000)
    rows["volume"] = rng.pareto(1.1, count).astype("i8") % 10_000_000 * 1000
    rows["volume"][rng.random(count) < 0.4] = 0
    rows["flags"] = (level == 0) * FIRST | (level == LEVELS - 1) * LAST
    return rows


def synthetic_timings(count: int) -> np.ndarray:
    """Timings of steps: waits and durations log-normal, as measured ones are."""
    rng = np.random.default_rng(1)
    rows = np.zeros(count, TIMING)
    rows["ts_origin"] = np.cumsum((rng.random(count) < 0.3) * rng.exponential(6000, count))
    rows["ts_start"] = rows["ts_origin"] + rng.lognormal(7, 0.6, count).astype("i8")
    rows["ts_stop"] = rows["ts_start"] + rng.lognormal(6, 0.5, count).astype("i8")
    rows["published"] = (rows["ts_stop"] - rows["ts_origin"]) << 16 | 5
    rows["timer"], rows["work"] = rng.integers(0, 3, count), 1
    return rows


def measure_format(bench: Bench, stream: str, rows: np.ndarray, repeats: int) -> None:
    """Bytes a row, and rows a second of CPU written and read; files in memory where there is."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="mantra-bench-", dir=memory) as directory:
        count = iter(range(repeats))
        bytes_written = []

        def write() -> float:
            begin = time.process_time()
            with ArchiveWriter(Path(directory) / str(next(count))) as writer:
                writer.append(stream, rows)
            files = writer.directory.glob(f"{stream}.*")
            bytes_written.append(sum(path.stat().st_size for path in files))
            return len(rows) / (time.process_time() - begin)

        def read() -> float:
            begin = time.process_time()
            ArchiveReader(Path(directory) / str(len(bytes_written) - 1)).read(stream)
            return len(rows) / (time.process_time() - begin)

        measured = interleaved({"write": write, "read": read}, repeats)
    bench.result(f"{stream}_bytes_per_row", bytes_written[0] / len(rows))
    bench.result(f"{stream}_ratio", rows.nbytes / bytes_written[0])
    bench.result(f"{stream}_write_rows_per_s", measured["write"])
    bench.result(f"{stream}_read_rows_per_s", measured["read"])
    for name, size in others(rows).items():
        bench.result(f"{stream}_{name}_bytes_per_row", size / len(rows))


def others(rows: np.ndarray) -> dict[str, int]:
    """Bytes that other ways need for the same rows."""
    sizes = {"zlib": len(zlib.compress(rows.tobytes(), 6))}
    if importlib.util.find_spec("pyarrow"):
        import pyarrow  # type: ignore[import-not-found]
        from pyarrow import parquet

        table = pyarrow.table(
            {name: rows[name] for name in rows.dtype.names if rows[name].ndim == 1}
        )
        target = io.BytesIO()
        parquet.write_table(table, target, compression="zstd")
        sizes["parquet_zstd"] = target.tell()
    return sizes


# ---------------------------------------------------------------- the recorder under load

# next_at   ticks of the next message
# interval  ticks, × 2^16
# script    address of the messages to send, in a ring
# control   address of the run's CONTROL
FLOOD = record_type(
    "i8 track outlet next_at interval fraction script script_count sent control",
    ("message", L2_UPDATE),
)
FRACTION_BITS = 16
MESSAGE_AT = FLOOD.fields["message"][1]  # type: ignore[index]
BATCH = 64
WORD = np.dtype("i8")
MESSAGE_WORDS = L2_UPDATE.itemsize // 8


@duty_cycle
def flood(context_address):
    """Send what is due, one message and two timings at a time."""
    context = records_at(context_address, 1, FLOOD)[0]
    sent = 0
    if load_relaxed(context["control"]) != RUNNING:
        context["next_at"] = read_tsc()
    while sent < BATCH and read_tsc() >= context["next_at"]:
        at = context["script"] + context["sent"] % context["script_count"] * MESSAGE_WORDS * 8
        source = records_at(at, MESSAGE_WORDS, WORD)
        target = records_at(context_address + MESSAGE_AT, MESSAGE_WORDS, WORD)
        for word in range(2, MESSAGE_WORDS):
            target[word] = source[word]
        start = originate(context["track"])
        send(context["track"], context["outlet"], context_address + MESSAGE_AT)
        stop_timer(context["track"], 0, start, 1)
        start = start_timer(context["track"])
        stop_timer(context["track"], 1, start, 1)
        context["fraction"] += context["interval"]
        context["next_at"] += context["fraction"] >> FRACTION_BITS
        context["fraction"] &= (1 << FRACTION_BITS) - 1
        context["sent"] += 1
        sent += 1
    return np.int64(sent)


class Flood(Actor):
    """Sends L2 updates at a set rate, with two timings each."""

    writes: ClassVar[tuple[str, ...]] = ("l2",)
    timers: ClassVar[tuple[str, ...]] = ("decode", "publish")
    step = flood

    def __init__(self, name: str, per_second: int, ticks_per_second: float):
        super().__init__(name)
        self.interval = int(ticks_per_second / per_second * (1 << FRACTION_BITS))

    def on_start(self, spine: Spine) -> None:
        script = synthetic_l2(1 << 17)
        outlet = spine.outlet("l2")
        spine.keep(script, outlet)
        self.context = aligned_zeros(1, FLOOD)
        self.context["track"], self.context["outlet"] = spine.track_address, address_of(outlet)
        self.context["script"], self.context["script_count"] = address_of(script), len(script)
        self.context["interval"] = self.interval
        self.context["control"] = spine.control.address


def measure_recorder(bench: Bench, seconds: float) -> None:
    """A producer and a recorder under load; the first, short run is there to compile."""
    record_flood(0)
    found = record_flood(seconds)
    bench.result("recorder_rows_per_s", found["rows"] / found["seconds"])
    bench.result("recorder_cpu_ns_per_row", found["cpu_s"] / max(found["rows"], 1) * 1e9)
    # Three rows a message; the CPU time is that of the whole run, from start to last flush.
    share = found["cpu_s"] / max(found["rows"], 1) * 3 * LOAD_PER_S
    bench.result("recorder_core_share", share)
    bench.result("recorder_bytes_per_row", found["bytes"] / max(found["rows"], 1))
    bench.result("recorder_lost", found["lost"])
    bench.note(f"load when the recorder was measured: {os.getloadavg()[0]:.1f}")


def record_flood(seconds: float) -> dict[str, float]:
    """Each its process, the recorder asleep when there is nothing; from the first message on."""
    cores = sorted(os.sched_getaffinity(0))
    rate = float(Calibration().fix["ticks_per_second"])
    with tempfile.TemporaryDirectory(prefix="mantra-bench-") as directory:
        target = Path(directory) / "run"
        producer, recorder = Flood("flood", LOAD_PER_S, rate), Recorder("recorder", target)
        lines = [CoreLine([recorder], cores[0], idle=SLEEP), CoreLine([producer], cores[-1])]
        with Supervisor(f"bench-archive-{os.getpid()}", lines, CAPACITIES) as supervisor:
            late = time.monotonic() + START_S
            while not supervisor.rows["work"].all() and time.monotonic() < late:
                supervisor.watch(until=0)
            begin = time.monotonic()
            supervisor.watch(until=begin + seconds)
            elapsed = time.monotonic() - begin
        metadata = ArchiveReader(target).metadata
        recorded = metadata["recorded"].values()
        return {
            "seconds": elapsed,
            "cpu_s": metadata["recorder_cpu_s"],
            "rows": sum(queue["rows"] for queue in recorded),
            "lost": sum(queue["lost"] for queue in recorded),
            "bytes": sum(path.stat().st_size for path in target.iterdir()),
        }
