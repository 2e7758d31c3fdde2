"""The recorder: an actor that persists every queue of a run, timings included.

Border: the duty cycle is compiled and moves messages from the queues into one buffer of rows a
queue; Python takes the buffers over, and encodes one column or writes one block a turn, so that
the queues are drained between two columns (a few ms). It knows no queue by name: it attaches to
all there are in the run, and a queue's dtype is all it needs.

It never slows a producer. If it cannot keep up (slow or full disk), it stops taking rows once
PENDING_ROWS_MAX wait in memory; the queues then speed past, they count exactly how many
messages that lost, and it says so: a SystemEvent OVERRUN (value: messages, detail: the queue's
index in run.json's `queues`), a line in the log, and `lost` in run.json. A write that fails is
said once, undone, and tried again every RETRY_S: when there is room it goes on, and what waited in
memory is not lost. What still waits when it is stopped on a full disk is: that is counted too.

If it dies and is restarted, it goes on exactly where its archive ends: message number = rows in
the archive + messages skipped so far, and run.json holds the latter, per queue. What the queues
still have is recorded once, what they no longer have is counted as lost.

Instruments may be listed while the run goes on: run.json's `tables` grow with the run's.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from mantra.actors.actor import CALL_PYTHON, Actor
from mantra.actors.spine import CLOCK_VECTOR, EVENTS, TIMINGS_PREFIX, Spine, record_of
from mantra.archive.layout import ArchiveError, segment_files
from mantra.archive.reader import read_metadata
from mantra.archive.segment import index_stream
from mantra.archive.writer import BLOCK_ROWS, SEGMENT_BYTES, ArchiveWriter
from mantra.compiled import JIT, compiled, duty_cycle
from mantra.icc import shm
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.icc.queue import CONSUMER, consume_many, show_progress
from mantra.icc.seqlock_vector import BUSY, try_read_row
from mantra.messages.enums import EVENT_OVERRUN
from mantra.messages.records import QUEUE_RECORDS, SYSTEM_EVENT
from mantra.messages.tables import Tables
from mantra.telemetry.clock import CLOCK_FIX, read_ticks
from mantra.telemetry.tracked import originate, send
from mantra.telemetry.tsc import TICK_SOURCE, read_tsc

LOG = logging.getLogger("mantra.archive")
LANE_ROWS = 8192  # Some ms of the fullest queue; 448 KB, so that they are still in the cache
PENDING_ROWS_MAX = 1 << 22  # 224 MB of rows that wait for the disk; then rather lose, and say so
RETRY_S = 1.0  # after a write failed
SAY_S = 1.0  # between two reports of losses

# consumer   address of the CONSUMER
# rows       address of the buffer
# capacity   rows
# taken      rows in all: the archive's when the recorder started, and those since
# said_lost  of the consumer's count, how many have been reported
LANE = record_type("i8 consumer rows row_bytes capacity filled taken said_lost")

# lanes     address of the first
# busy      1: Python has a block in hand and wants every turn
# deadline  ticks at which Python wants a turn
RECORDER = record_type("i8 lanes count busy deadline")
LANE_BYTES = LANE.itemsize


@duty_cycle
def drain(context_address):
    """Fill the lanes from their queues; ask for Python when one is half full, or it has work."""
    recorder = records_at(context_address, 1, RECORDER)[0]
    asks = recorder["busy"]
    work = 0
    for index in range(recorder["count"]):
        lane = records_at(recorder["lanes"] + index * LANE_BYTES, 1, LANE)[0]
        consumer = records_at(lane["consumer"], 1, CONSUMER)[0]
        before = consumer["next"]
        free = lane["rows"] + lane["filled"] * lane["row_bytes"]
        taken = consume_many(lane["consumer"], free, lane["capacity"] - lane["filled"])
        if consumer["next"] != before:
            lane["filled"] += taken
            lane["taken"] += taken
            show_progress(lane["consumer"])
        work += taken
        if taken > 0 and 2 * lane["filled"] >= lane["capacity"]:  # full for long: nobody can help
            asks = 1
    if asks != 0 or read_tsc() > recorder["deadline"]:
        return np.int64(CALL_PYTHON)
    return np.int64(work)


@compiled
def send_overrun(track_address, outlet_address, event_address):
    """A moment of its own: nobody's message caused it."""
    originate(track_address)
    return send(track_address, outlet_address, event_address)


class Recorder(Actor):
    """Records all queues of its run into `directory`. `metadata` goes to run.json.

    It paces: a replay at full speed waits for it, so that nothing is lost. Data that comes at its
    own pace does not.
    """

    writes: ClassVar[tuple[str, ...]] = (EVENTS,)
    stops_last: ClassVar[bool] = True
    step = drain

    def __init__(
        self,
        name: str,
        directory: Path | str,
        metadata: dict | None = None,
        flush_s: float = 5.0,
        segment_bytes: int = SEGMENT_BYTES,
    ):
        super().__init__(name)
        self.directory = Path(directory)
        self.metadata = metadata or {}
        self.flush_s, self.segment_bytes = flush_s, segment_bytes
        self.queues: list[str] = []
        self.failure = ""  # why the last write failed; empty when it did not
        self._retry_at = 0  # ticks, as all that follow
        self._say_at = 0
        self._lost_noted = 0
        self._instruments = len(self.metadata.get("tables", {}).get("instruments", ()))

    def on_start(self, spine: Spine) -> None:
        """Attach to every queue of the run; open the archive. Raises ArchiveError."""
        self._track_address = spine.track_address
        self._outlet, self._run = spine.outlet(EVENTS), spine.run
        self._clock = spine.vector(CLOCK_VECTOR, CLOCK_FIX)
        self._row = spine.control.rows[spine.publisher]
        self.queues = queues_of(spine.run)
        # Where the rate is unknown: ticks are no slower than that, flushes come rather sooner.
        self._ticks_per_second = self._clock_facts()["ticks_per_second"] or 1e9
        recorded = self._open(spine)
        self._lanes = aligned_zeros(len(self.queues), LANE)
        self._buffers = []
        self._lost_before = []
        for lane, queue in zip(self._lanes, self.queues, strict=True):
            record = record_of(queue)
            self._buffers.append(aligned_zeros(LANE_ROWS, record))
            consumer = spine.inlet(queue, paces=True)
            before = recorded.get(queue, {})
            self._lost_before.append(before.get("lost", 0))
            lane["taken"] = rows_of(self.directory, queue)
            consumer["next"] = lane["taken"] + before.get("skipped", 0)
            lane["consumer"] = address_of(consumer)
            show_progress(address_of(consumer))
            lane["rows"] = address_of(self._buffers[-1])
            lane["row_bytes"], lane["capacity"] = record.itemsize, LANE_ROWS
        self.context = aligned_zeros(1, RECORDER)
        self.context["lanes"], self.context["count"] = address_of(self._lanes), len(self._lanes)
        self._set_deadline()
        self._note_tables()  # A predecessor may have known more than `metadata`.
        if JIT:  # Now: when it is needed first, it is late already.
            send_overrun.compile("(int64, int64, int64)")

    def on_call(self) -> None:
        """Take over full lanes, and do one piece of encoding or writing."""
        assert self.context is not None
        now = read_ticks()
        due = now >= int(self.context["deadline"][0])
        behind = False
        if self.writer.pending_rows < PENDING_ROWS_MAX:
            behind = bool((self._lanes["filled"] == self._lanes["capacity"]).any())
            self._take_over(0 if due else LANE_ROWS // 2)
        noted = self._say_lost(now)
        self._row["work"] = self._lanes["taken"].sum()  # The core's loop cannot know: we asked.
        if due:
            self._set_deadline()
            if not self.failure:  # else memory would fill with blocks of a few rows
                self.writer.seal()
                with self._trying():
                    self._note_tables()
        # A lane that was full has more behind it in its queue: memory can wait, the queue cannot.
        self.context["busy"] = behind or (noted and now >= self._retry_at and self._work())

    def on_stop(self) -> None:
        """Drain every queue to its end, write everything, say what was lost."""
        while True:
            self.step(self.context_address)
            self._say_lost(self._say_at)
            if not self._take_over(0):
                break
        try:
            self.writer.close()
        except ArchiveError:
            for index, (lane, queue) in enumerate(zip(self._lanes, self.queues, strict=True)):
                unwritten = int(lane["taken"]) - rows_of(self.directory, queue)
                lane["taken"] -= unwritten
                self._lost_before[index] += unwritten
                if unwritten:
                    said = self.name, unwritten, queue
                    LOG.error("recorder %s: %d rows of %r are not on disk", *said)
            raise
        finally:
            facts = {"recorded": self._recorded(), "recorder_cpu_s": time.process_time()}
            self.writer.update_metadata(facts | {"clock": self._clock_facts()})

    # ------------------------------------------------------------ inside

    def _open(self, spine: Spine) -> dict:
        """Open the archive; what a predecessor in this very run recorded, by queue."""
        control = spine.control.segment
        run_id = f"{spine.run}/{control.path.stat().st_ino}/{int(control.header['creator'])}"
        known = read_metadata(self.directory)
        resumes = known.get("run_id") == run_id
        if not resumes and self.directory.is_dir() and segment_files(self.directory):
            what = f"{self.directory}: holds the archive of another run ({known.get('run_id')})"
            raise ArchiveError(f"{what}; give each run a directory of its own")
        clock = self._clock_facts()
        facts = {**self.metadata, "run_id": run_id, "queues": self.queues, "clock": clock}
        sizes = BLOCK_ROWS, self.segment_bytes
        self.writer = ArchiveWriter(self.directory, facts, *sizes, incremental=True)
        for note in self.writer.notes:
            LOG.warning("%s", note)
        return known.get("recorded", {}) if resumes else {}

    def _recorded(self) -> dict:
        """Of each queue: rows recorded, messages lost, and message numbers that became no row."""
        recorded = {}
        for queue, lane, before in zip(self.queues, self._lanes, self._lost_before, strict=True):
            consumer, rows = self._consumer(lane), int(lane["taken"])
            lost, skipped = before + int(consumer["lost"]), int(consumer["next"]) - rows
            recorded[queue] = {"rows": rows, "lost": lost, "skipped": skipped}
        return recorded

    def _take_over(self, at_least: int) -> int:
        """Give lanes with that many rows, and any, to the writer; how many rows that were."""
        taken = 0
        for lane, buffer, queue in zip(self._lanes, self._buffers, self.queues, strict=True):
            filled = int(lane["filled"])
            if filled and filled >= at_least:
                self.writer.append(queue, buffer[:filled])
                lane["filled"] = 0
                taken += filled
        return taken

    @contextlib.contextmanager
    def _trying(self) -> Iterator[None]:
        """What fails to be written is said once, and no write is tried for RETRY_S."""
        assert self.context is not None
        try:
            yield
        except ArchiveError as error:
            if not self.failure:
                LOG.error("%s", error)
            self.failure = str(error)
            self._retry_at = read_ticks() + int(RETRY_S * self._ticks_per_second)
            self.context["deadline"] = self._retry_at

    def _work(self) -> bool:
        """One step of the writer; whether there is more to do now."""
        with self._trying():
            more = self.writer.step()
            if self.failure:
                LOG.warning("recorder %s: it can write again, and goes on", self.name)
            self.failure = ""
            return more
        return False

    def _note_tables(self) -> None:
        with contextlib.suppress(shm.SegmentError):  # a run may have none
            tables = Tables.attach(self._run)
            if len(tables.instruments) > self._instruments:
                self.writer.update_metadata({"tables": tables.as_dict()}, durable=False)
                self._instruments = len(tables.instruments)

    def _say_lost(self, now: int) -> bool:
        """Note what the queues counted as lost, at once; say it, once a second.

        Whether it is noted: before that no row from behind the gap may be on disk.
        """
        lost = [int(self._consumer(lane)["lost"]) for lane in self._lanes]
        if sum(lost) != self._lost_noted and now >= self._retry_at:
            with self._trying():  # a restart relies on it
                self.writer.update_metadata({"recorded": self._recorded()}, durable=False)
                self._lost_noted = sum(lost)
        noted = sum(lost) == self._lost_noted
        if now < self._say_at or sum(lost) == self._lanes["said_lost"].sum():
            return noted
        self._say_at = now + int(SAY_S * self._ticks_per_second)
        for index, lane in enumerate(self._lanes):
            more = lost[index] - int(lane["said_lost"])
            if not more:
                continue
            lane["said_lost"] = lost[index]
            LOG.error("recorder %s: %d messages of %r lost", self.name, more, self.queues[index])
            event = aligned_zeros(1, SYSTEM_EVENT)
            event["value"], event["detail"] = more, index
            event["kind"], event["instrument"], event["venue"] = EVENT_OVERRUN, -1, -1
            send_overrun(self._track_address, address_of(self._outlet), address_of(event))
        return noted

    @staticmethod
    def _consumer(lane: np.void) -> np.void:
        return records_at(int(lane["consumer"]), 1, CONSUMER)[0]

    def _set_deadline(self) -> None:
        assert self.context is not None
        self.context["deadline"] = read_ticks() + int(self.flush_s * self._ticks_per_second)

    def _clock_facts(self) -> dict:
        """How the run's ticks relate to UTC, as JSON; rate 0 while nobody has published a fix."""
        fix = aligned_zeros(1, CLOCK_FIX)
        if try_read_row(address_of(self._clock), 0, address_of(fix)) == BUSY:
            fix[:] = np.zeros(1, CLOCK_FIX)  # Its writer died in mid-write: nothing is known.
        return {
            "unit": "tsc",
            "source": TICK_SOURCE,
            "ticks_per_second": float(fix["ticks_per_second"][0]),
            "tsc_at": int(fix["ticks_at"][0]),
            "utc_ns_at": int(fix["utc_ns_at"][0]),
        }


def queues_of(run: str) -> list[str]:
    """Names of all queues of a run, as its segments have them."""
    names = [segment.name for segment in shm.list_segments() if segment.run == run]
    return sorted(n for n in names if n in QUEUE_RECORDS or n.startswith(TIMINGS_PREFIX))


def rows_of(directory: Path, stream: str) -> int:
    """Rows of a stream, damaged ones included: the number of the next row."""
    segments = segment_files(directory).get(stream, [])
    return index_stream(stream, segments).next_row
