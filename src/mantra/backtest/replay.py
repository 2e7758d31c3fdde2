"""Replay: an archive's market data, back in the queues in recorded order.

Each trade and each group of levels begins a new origin: this run's latencies are measured from
here. `ts_exchange` and all else stay as recorded. The pace is that of the recorded `ts_origin`, a
multiple of it, or, at "max", as fast as nothing is lost; at any pace it keeps within the lead that
pacing consumers allow (actors/pacing.py). A group is begun when there is room for all of it; only
one larger than the lead, or cut by the end of a stage, is held up within.

Python's turn reads the archive into one of two stages, blocks of rows in process memory and the
order they go in; compiled code sends from the other. At a recorded pace a stage is loaded while
nothing is due for a while, so that reading delays nothing. How late a message was sent is in the
histogram "lag" of this actor's timers.

     order    0 0 0 1 0 0 1 …      whose row is next: 0 l2, 1 trades
     l2       row row row row row …
     trades   row row …
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mantra.actors import actor, control, pacing
from mantra.actors.spine import Spine
from mantra.archive import ArchiveError, ArchiveReader, merge
from mantra.compiled import compiled, duty_cycle
from mantra.icc.atomics import load_relaxed, store_relaxed
from mantra.icc.memory import address_of, record_type, records_at
from mantra.messages.enums import FIRST, LAST
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import Tables
from mantra.telemetry import histogram, tracked
from mantra.telemetry.clock import Calibration

STREAMS = {"l2": L2_UPDATE, "trades": TRADE_UPDATE}
BATCH = 64  # messages of a step, the rest of a group not counted
SLACK_MS = 20  # a stage is loaded when nothing is due for so long
ROW_BYTES = L2_UPDATE.itemsize
OWNER = np.dtype("i1")
assert TRADE_UPDATE.itemsize == ROW_BYTES

# paced                  0: at most
# ratio                  ticks for one unit of the recorded clock
# recorded_begun         recorded time of the first row
# recorded               of the row sent last
# exhausted              1: the archive has no more rows
# stage                  the one sent from
# at                     positions in it: of the order …
# taken                  … and of the rows of each stream
# lag_max                ticks
# rows, orders           of each stage: how many in all, and the address of their order
# stream_rows, firsts    of each stage and stream: how many, and the address of the first
CONTEXT = record_type(
    *pacing.SOURCE,
    "i8 paced slack_ticks ticks_begun recorded_begun recorded rows_total exhausted stage at",
    "f8 ratio",
    "i8 lag_max",
    "(2,)i8 taken rows orders",
    "(2,2)i8 stream_rows firsts",
)


@duty_cycle
def replay_step(context_address):
    context = records_at(context_address, 1, CONTEXT)[0]
    phase = context["phase"]
    if phase == pacing.OVER or load_relaxed(context["control"] + pacing.STATE_AT) < control.RUNNING:
        return 0
    if phase == pacing.WAITING:
        return actor.CALL_PYTHON
    if phase == pacing.BEGINNING:
        context["phase"] = pacing.SENDING
        context["ticks_begun"] = tracked.ticks_now(context["track"])
    if context["at"] == context["rows"][context["stage"]] and not next_stage(context):
        if not context["exhausted"]:
            return actor.CALL_PYTHON
        pacing.end(context)
        return 1
    sent, wait_ticks = send_due(context)
    if sent > 0:
        context["sent"] += sent
        left = max(context["rows_total"] - context["sent"], 1)
        store_relaxed(context["row"] + pacing.PENDING_AT, left)
        return sent
    if wait_ticks > context["slack_ticks"]:
        calls = context["rows"][1 - context["stage"]] == 0 and not context["exhausted"]
    else:
        calls = pacing.is_blocked(context)
    return actor.CALL_PYTHON if calls else 0


@compiled
def next_stage(context):
    """The stage in use is empty from here on; go on with the other. False if it is, too."""
    context["rows"][context["stage"]] = 0
    context["stage"] = 1 - context["stage"]
    context["at"] = 0
    context["taken"][:] = 0
    return context["rows"][context["stage"]] > 0


@compiled
def send_due(context):
    """Send what is due and has room, up to a BATCH; (messages, ticks until the next is due)."""
    stage, sent, wait_ticks = context["stage"], np.int64(0), np.int64(0)
    order = records_at(context["orders"][stage], context["rows"][stage], OWNER)
    while context["at"] < context["rows"][stage]:
        stream = np.int64(order[context["at"]])
        row = context["firsts"][stage, stream] + context["taken"][stream] * ROW_BYTES
        level = records_at(row, 1, L2_UPDATE)[0]  # A trade has these fields at the same places.
        recorded = level["ts_origin"]
        if stream == pacing.TRADES or level["flags"] & FIRST or recorded != context["recorded"]:
            if sent >= BATCH:
                break
            wait_ticks = ticks_until(context, recorded)
            if wait_ticks > 0 or not may_begin(context, stream):
                break
            begin_origin(context, -wait_ticks)
        elif not pacing.has_room(context["rooms"][pacing.L2], np.int64(1)):
            break
        context["recorded"], context["ts_exchange"] = recorded, level["ts_exchange"]
        tracked.send(context["track"], context["outlets"][stream], row)
        context["at"] += 1
        context["taken"][stream] += 1
        sent += 1
    return sent, wait_ticks


@compiled
def ticks_until(context, recorded):
    """Ticks until a recorded time is due; negative if it was earlier, 0 at "max"."""
    if not context["paced"]:
        return np.int64(0)
    after = np.int64((recorded - context["recorded_begun"]) * context["ratio"])
    return context["ticks_begun"] + after - tracked.ticks_now(context["track"])


@compiled
def may_begin(context, stream):
    """Whether there is room for the trade, or for the whole group, that is next."""
    room, stage, first = context["rooms"][stream], context["stage"], context["taken"][stream]
    if stream == pacing.TRADES:
        return pacing.has_room(room, np.int64(1))
    count = context["stream_rows"][stage, pacing.L2]
    rows = records_at(context["firsts"][stage, pacing.L2], count, L2_UPDATE)
    behind = min(count, first + room["limit"])
    last = first
    while last < behind - 1 and rows[last]["flags"] & LAST == 0:
        last += 1
    return pacing.has_room(room, last + 1 - first)


@compiled
def begin_origin(context, lag):
    """A new origin; and at a set pace, how late it is."""
    tracked.originate(context["track"])
    if context["paced"]:
        context["lag_max"] = max(context["lag_max"], lag)
        histogram.record_value(records_at(context["track"], 1, tracked.TRACK)[0]["histograms"], lag)


@dataclass
class Recording:
    """What a replay sends. `chunks` is of (rows of l2 and trades, order): see archive/merge.py."""

    chunks: merge.Chunks
    rows: int  # how many there will be, or somewhat more
    units_per_second: float  # of the clock of `ts_origin`


def open_archive(directory: Path | str, tables: Tables) -> Recording:
    """The market data of an archive.

    Raises ArchiveError if it holds none, or other records than this program's; LookupError if
    one of its instruments is not in `tables`.
    """
    reader = ArchiveReader(directory)
    streams = [stream for stream in STREAMS if stream in reader.streams]
    if not streams:
        raise ArchiveError(f"{directory}: no market data; it has {', '.join(reader.streams)}")
    for stream in streams:
        if reader.dtype(stream) != STREAMS[stream]:
            what = f"{directory}: its {stream} records are {reader.dtype(stream)}, this program's"
            raise ArchiveError(f"{what} {STREAMS[stream]}: import or record anew")
    recorded = Tables.from_dict(reader.metadata.get("tables") or tables.as_dict())
    ids = np.array([tables.instrument(name) for name in recorded.instrument_names()], np.int32)
    clock = reader.metadata.get("clock", "utc_ns")
    units_per_second = 1e9 if clock == "utc_ns" else float(clock["ticks_per_second"])
    if units_per_second <= 0:
        raise ArchiveError(f"{directory}: run.json does not say how fast its clock ran: {clock}")
    chunks = _chunks(reader.interleaved(streams), streams, ids)
    return Recording(chunks, sum(reader.rows(stream) for stream in streams), units_per_second)


def _chunks(merged: merge.Chunks, streams: list[str], ids: np.ndarray) -> merge.Chunks:
    """Chunks with rows of both streams, none of one that is not there, and the run's ids."""
    owners = np.array([list(STREAMS).index(stream) for stream in streams], np.int8)
    for parts, order in merged:
        rows = dict(zip(streams, parts, strict=True))
        both = [rows.get(stream, np.empty(0, dtype)) for stream, dtype in STREAMS.items()]
        for part in both:
            part["instrument"] = ids[part["instrument"]]
        yield both, owners[order]


class Replay(pacing.Source):
    """Sends an archive's market data. Settings only; the archive is opened in `on_start`.

    speed             "max", or a factor of the recorded pace: 1 is that pace
    lead              messages it may be ahead of the slowest pacing consumer, on each queue
    ticks_per_second  of the tick counter; 0: measured at the start
    """

    step = replay_step

    def __init__(
        self,
        name: str,
        directory: Path | str,
        tables: Tables,
        *,
        speed: float | Literal["max"] = "max",
        lead: int = pacing.LEAD,
        ticks_per_second: float = 0,
    ):
        super().__init__(name)
        if speed != "max" and float(speed) <= 0:
            raise ValueError(f"replay {name!r}: speed {speed}; expected 'max' or a factor above 0")
        self.directory, self.tables, self.speed, self.lead = directory, tables, speed, lead
        self.ticks_per_second = ticks_per_second
        self.recording: Recording
        self._stages: list[list[np.ndarray]] = [[], []]  # what a stage's addresses point into

    def open(self) -> Recording:
        """What to send. Raises as `open_archive`."""
        return open_archive(self.directory, self.tables)

    def on_start(self, spine: Spine) -> None:
        self.recording = self.open()
        context = self.make_context(spine, CONTEXT)
        context["rows_total"] = self.recording.rows
        spine.control.rows[spine.publisher]["pending"] = max(self.recording.rows, 1)
        if self.speed != "max":
            rate = self.ticks_per_second or float(Calibration().fix["ticks_per_second"])
            context["paced"] = 1
            context["ratio"] = rate / self.recording.units_per_second / float(self.speed)
            context["slack_ticks"] = int(rate / 1000 * SLACK_MS)
        for stage in (0, 1):
            self._load(stage)
        if context["rows"][0]:
            *parts, order = self._stages[0]
            context["recorded_begun"] = parts[order[0]]["ts_origin"][0]

    def on_call(self) -> None:
        """See who paces, and load what is empty."""
        super().on_call()
        context = self.context[0]  # type: ignore[index]
        for stage in (int(context["stage"]), 1 - int(context["stage"])):
            if context["rows"][stage] == 0:
                self._load(stage)

    def _load(self, stage: int) -> None:
        """Read the next rows into a stage: copies, for sending stamps them in place."""
        context = self.context[0]  # type: ignore[index]
        parts, order = next(self.recording.chunks, ([], np.empty(0, np.int8)))
        if len(order) == 0:
            context["exhausted"] = 1
            return
        kinds = (*STREAMS.values(), OWNER)
        copies = [np.array(part, kind) for part, kind in zip((*parts, order), kinds, strict=True)]
        self._stages[stage] = copies
        *context["firsts"][stage], context["orders"][stage] = map(address_of, copies)
        *context["stream_rows"][stage], context["rows"][stage] = map(len, copies)
