"""The handler under measurement: the real actor in a real core process, watched from outside.

In:        a Mix, a generator that serves it; rates.
Out:       CPU and messages of a window; latencies of its messages.
Must not know: what the numbers are held against.

Only where it connects and where its books' bases come from is the bench's: a base is taken when
the connection opens, for REST would take an hour of a venue's limits.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mantra.actors.core_process import CoreLine
from mantra.actors.supervisor import Supervisor
from mantra.bench.harness import percentiles
from mantra.bench.icc_peers import Worker
from mantra.bench.ingest_mix import Mix
from mantra.bench.ingest_server import STAMPS, Generator, shared
from mantra.bench.ingest_speech import FIRST_ID
from mantra.exchanges.decoded import NO_ID
from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros, record_type
from mantra.icc.queue import consume_many
from mantra.market_data import phases
from mantra.market_data.handler import MarketDataHandler
from mantra.market_data.take import NOTHING
from mantra.market_data.venues import Session
from mantra.messages.enums import LAST
from mantra.messages.records import L2_UPDATE, PUBLISHER_BITS
from mantra.telemetry.clock import Calibration, ns_per_tick, read_ticks
from mantra.transport.connection import Endpoint

GATHER_MS, THRIFT_MS = 5, (20, 50)  # between two turns: what `mantra capture` does, and more
WARM_S = 1.0  # before and behind a window
START_S = 180.0
L2_SLOTS = 1 << 21  # all of a window of latencies: read when it is over
ROWS = 1 << 16

# What bench and handler tell each other. The handler answers in Python's turn.
FACTS = record_type("i8 gather_ns asked answered live levels broken refused unknown")


class Ingest(MarketDataHandler):
    """The handler, told where to connect and what its books begin with."""

    def __init__(self, mix: Mix, url: str, ca_file: str):
        super().__init__("market-data", mix.tables, mix.streams)
        self.mix, self.url, self.ca_file = mix, url, ca_file
        self.facts = shared(1, FACTS)

    def _endpoint(self, session: Session) -> Endpoint:
        return replace(
            super()._endpoint(session),
            url=f"{self.url}/{self.sessions.index(session)}",
            ca_file=self.ca_file,
            hello=tuple,  # the generator sends all it has
            attempts=(1000, 1.0),
            idle_s=1e6,
            ping_s=1e6,
        )

    def _opened(self, stream: int, row: int, now: float) -> None:
        super()._opened(stream, row, now)
        session = self.sessions[stream]
        for instrument, symbol in session.symbols.items():
            if row in session.channels:  # Bitfinex speaks of numbers
                for first, facts in (
                    (2, {"channel": "book", "prec": "P0"}),
                    (3, {"channel": "trades"}),
                ):
                    said = facts | {"chanId": int(f"{first}{symbol[2:7]}"), "symbol": symbol}
                    text = json.dumps(said | {"event": "subscribed"}).encode()
                    session.on_control(row, text, self.feed)
            asked = instrument if session.bridged else -1
            if self.feed.take(row, self.mix.base(instrument), read_ticks(), asked) != NOTHING:
                raise RuntimeError(f"bench ingest: the base of {symbol} is refused")
            self.feed.connections[row]["last_id"] = NO_ID  # its count begins with what follows

    def on_call(self) -> None:
        super().on_call()
        facts = self.facts[0]
        self.pool.record["gather_ns"] = facts["gather_ns"]
        if facts["asked"] != facts["answered"]:
            followed = self.feed.followed
            good = (followed["phase"] == phases.LIVE) | (followed["phase"] == phases.BRIDGING)
            facts["live"], facts["levels"] = good.sum(), followed["levels"].sum()
            facts["broken"] = followed["gaps"].sum() + followed["mismatches"].sum()
            facts["refused"] = self.feed.connections["refused"].sum()
            facts["unknown"] = self.feed.connections["unknown"].sum()
            facts["answered"] = facts["asked"]


def cpu_s(pid: int) -> float:
    """CPU that a process has used, kernel and all threads included: its clock, see clock(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def until(condition: Callable[[], bool], what: str, seconds: float = START_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"bench ingest: {what}, and not within {seconds:.0f} s")
        time.sleep(0.002)


class Window:
    """CPU and messages of a process while the generator sends."""

    def __init__(self, worker: Worker, pid: int, messages: Callable[[], int]):
        self.worker, self.pid, self.messages = worker, pid, messages

    def measure(
        self, rate: float, seconds: float, begin: Callable[[], Any] = lambda: None
    ) -> dict[str, float]:
        """`begin` is called when the window opens."""
        warm_s = min(WARM_S, seconds)
        self.worker.ask("send", rate, seconds + 2 * warm_s)
        time.sleep(warm_s)
        begin()
        at, cpu, count = time.perf_counter(), cpu_s(self.pid), self.messages()
        time.sleep(seconds)
        messages, cpu = self.messages() - count, cpu_s(self.pid) - cpu
        took = time.perf_counter() - at
        sent = self.worker.answer()
        if messages == 0:
            raise RuntimeError("no message was handled in the window")
        return {
            "cpu_us_per_msg": cpu / messages * 1e6,
            "msgs_per_s": messages / took,
            "cpu_share": cpu / took,
            "msgs_per_record": sent["messages_per_record"],
            "generator_idle": sent["idle"],
        }


class Handler:
    """The handler in its core process, and the generator that serves it."""

    def __init__(self, mix: Mix, worker: Worker, supervisor: Supervisor, generator: Generator):
        (self.ingest,) = supervisor.actors
        self.facts, self.row = self.ingest.facts[0], supervisor.rows[0]  # type: ignore[attr-defined]
        self.generator, self.worker, self.mix = generator, worker, mix
        if wrong := self.worker.answer(START_S):
            raise RuntimeError(f"bench ingest: {wrong}")
        until(lambda: self.look()["live"] == len(mix.voices), "books are not all live")
        self.pid = int(self.row["pid"])
        self.window = Window(worker, self.pid, lambda: int(self.row["work"]))
        self.queue = queue_segment.attach(supervisor.run, "l2", L2_UPDATE)

    def look(self) -> dict[str, int]:
        """The handler's FACTS, fresh."""
        self.facts["asked"] += 1
        until(lambda: self.facts["answered"] == self.facts["asked"], "the handler says nothing")
        return {name: int(self.facts[name]) for name in FACTS.names or ()}

    def thrifty(
        self, rate: float, seconds: float, gather_ms: float = GATHER_MS
    ) -> dict[str, float]:
        self.facts["gather_ns"] = int(gather_ms * 1e6)
        levels = self.look()["levels"]
        work = int(self.row["work"])
        found = self.window.measure(rate, seconds)
        found["levels_per_msg"] = (self.look()["levels"] - levels) / (int(self.row["work"]) - work)
        return found

    def latency(self, rate: float, seconds: float) -> dict[str, float]:
        """Spinning: us to published from before `send`, from behind it, and from the read on."""
        self.facts["gather_ns"] = 0
        self.look()
        consumer: list[np.ndarray] = []
        found = self.window.measure(
            rate, seconds,
            lambda: consumer.append(queue_segment.consumer(self.queue, "bench", shown=False)),
        )  # fmt: skip
        rows, kept = aligned_zeros(ROWS, L2_UPDATE), []
        while count := consume_many(address_of(consumer[0]), address_of(rows), ROWS):
            kept.append(rows[:count].copy())
        all_rows = np.concatenate(kept)
        binance = self.mix.tables.instruments["venue"][all_rows["instrument"]] == 0
        last = all_rows[binance & (all_rows["flags"] & LAST > 0)]
        us = ns_per_tick(Calibration().fix) / 1000
        after_read = (last["published"] >> PUBLISHER_BITS) * us
        departures = self.generator.stamps[(last["sequence"] - FIRST_ID) % STAMPS]
        whole, gone = (
            (last["ts_origin"] - departures[name]) * us + after_read for name in ("leaves", "gone")
        )
        for name, samples in (("", whole), ("gone_", gone), ("read_", after_read)):
            for point, value in percentiles(samples, (50, 90, 99, 99.9)).items():
                found[f"latency_{name}{point}_us"] = value
        return found


@contextmanager
def handler(mix: Mix, worker: Worker, generator: Generator, ca_file: str, core: int) -> Iterator:
    """A Handler whose books are all live. Raises RuntimeError if they never are."""
    ingest = Ingest(mix, f"wss://localhost:{generator.port}", ca_file)
    slots = {"l2": L2_SLOTS, "trades": 1 << 18}
    with Supervisor(f"ingest-{os.getpid()}", [CoreLine([ingest], core)], slots) as supervisor:
        worker.ask("accept", len(mix.streams))
        yield Handler(mix, worker, supervisor, generator)
    if supervisor.problems:
        raise RuntimeError(f"bench ingest: {'; '.join(supervisor.problems)}")
    worker.ask("end")
    worker.answer()
