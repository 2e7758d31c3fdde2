"""The supervisor: start order, heartbeats, restart or halt, and a clean end whatever happens.

    start    segments, clock, compile, fork one process a core line, wait until all have started
    watch    until the sources are done, a stop is asked for (Ctrl-C, SIGTERM), or a death halts it
    end      CANCELING: wait until nothing is open; then stop the cores, recorders last; unlink

Only the supervisor handles SIGINT and SIGTERM. It kills only processes it started, by id. If it is
itself killed, the kernel tells its children (core_process.py), who end cleanly; the shared memory
they leave is found by `mantra shm clean`.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mantra.actors import control, core_loop, core_process, spine
from mantra.compiled import fill_cache
from mantra.icc import queue, queue_segment, seqlock_vector, shm
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages import enums
from mantra.messages.records import PUBLISHER_MASK, SYSTEM_EVENT
from mantra.telemetry.clock import CLOCK_FIX, Calibration, read_ticks

START_S = 60.0  # to attach and make contexts; compiling was done before
CANCEL_S = 10.0  # for venues to answer our cancels
STOP_S = 60.0  # for an actor's last words: a recorder flushes here
STALL_S = 30.0  # without a heartbeat: taken for dead
LOOK_S = 0.02
REFINE_S = 5.0
RESTARTS_MAX = 3


@dataclass
class Process:
    """A core line and the process that runs it."""

    line: core_process.CoreLine
    pid: int = 0
    exit_status: int | None = None  # None: runs
    restarts: int = 0
    loops: int = 0
    beat_at: float = 0.0


@dataclass
class Supervisor:
    """Runs the lines of a core map as processes. Use as `with Supervisor(…) as s: s.watch()`."""

    run: str
    lines: list[core_process.CoreLine]
    capacities: dict[str, int] = field(default_factory=dict)
    timings: bool = True
    before_start: Callable[[], object] | None = None  # segments of the caller's own
    stop_asked: str = ""  # why, once it is
    problems: list[str] = field(default_factory=list)

    def __enter__(self) -> "Supervisor":
        self.actors = [actor for line in self.lines for actor in line.actors]
        self.processes = [Process(line) for line in self.lines]
        self._handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        fill_cache([actor.step for actor in self.actors])
        for actor in self.actors:
            _ = actor.step.address  # Compiled or loaded here, once: the children inherit it.
        core_loop.warm_up()
        self.calibration = Calibration()
        spine.build(self.run, self.actors, self.capacities)
        try:
            self._start()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, kind: type | None, *exception: object) -> None:
        try:
            if kind is None:
                self.cancel_open()
            self._stop_cores()
        finally:
            self._clean_up()

    @property
    def rows(self) -> np.ndarray:
        """The ACTOR_ROWs, for status lines."""
        return self.control.rows

    def messages(self) -> int:
        """Messages published so far, on all queues."""
        return sum(found.count for found in self._queues)

    def lost(self) -> int:
        """Messages that consumers were too slow for, as they have said so far."""
        return sum(int(found.consumers["lost"].sum()) for found in self._queues)

    # ------------------------------------------------------------ start

    def _start(self) -> None:
        self.control = control.attach(self.run)
        self._clock = seqlock_vector.attach(self.run, spine.CLOCK_VECTOR, CLOCK_FIX)
        self._events = queue_segment.attach(self.run, spine.EVENTS, SYSTEM_EVENT)
        self._events_producer = queue_segment.producer(self._events)
        names = spine.queue_names(self.actors)
        self._queues = [queue_segment.attach(self.run, name) for name in names]
        self._publish_clock()
        if self.before_start:
            self.before_start()
        for number in self._handlers:
            signal.signal(number, self._on_signal)
        for process in self.processes:
            self._fork(process)
        waiting = self.rows["state"]  # a view
        self._wait(lambda: self._dead() != [] or (waiting == control.STARTED).all(), START_S)
        if dead := self._dead():
            raise RuntimeError(f"did not start: {', '.join(dead)} (its error is above)")
        if late := [r["name"].decode() for r in self.rows if r["state"] != control.STARTED]:
            raise RuntimeError(f"not started after {START_S:.0f} s: {', '.join(late)}")
        self.control.record["state"] = control.RUNNING

    def _dead(self) -> list[str]:
        return [p.line.label for p in self.processes if p.exit_status is not None]

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self.stop_asked:
            raise KeyboardInterrupt  # A second Ctrl-C does not wait for venues.
        self.stop_asked = signal.Signals(number).name

    def _fork(self, process: Process) -> None:
        process.pid = os.fork()
        if process.pid == 0:
            self._restore_handlers()
            rate = float(self.calibration.fix["ticks_per_second"])
            core_process.run_core_process(self.run, process.line, rate, self.timings)
        process.exit_status = None
        process.beat_at = time.monotonic()

    # ------------------------------------------------------------ watch

    def watch(
        self, each_look: Callable[["Supervisor"], None] | None = None, until: float = np.inf
    ) -> str:
        """Look after the run until it is over; why it ended.

        `each_look` is called some fifty times a second: status lines. `until` is a time of
        `time.monotonic`.
        """
        refine_at = time.monotonic() + REFINE_S
        while True:
            time.sleep(LOOK_S)
            now = time.monotonic()
            self._look_after_processes(now)
            if now > refine_at:
                self.calibration.refine()
                self._publish_clock()
                refine_at = now + REFINE_S
            if each_look:
                each_look(self)
            if self.stop_asked:
                return self.stop_asked
            if self._sources_done() and self._drained():
                return "end of data"
            if now > until:
                return "time is up"

    def _look_after_processes(self, now: float) -> None:
        self._reap()
        for process in self.processes:
            row = self._row(process)
            if process.exit_status is None:
                if int(row["loops"]) != process.loops:
                    process.loops, process.beat_at = int(row["loops"]), now
                elif now - process.beat_at > STALL_S:
                    self.problems.append(f"{process.line.label}: no heartbeat for {STALL_S:.0f} s")
                    os.kill(process.pid, signal.SIGKILL)
                continue
            if process.exit_status != 0 or row["state"] != control.ENDED:
                self._on_death(process)

    def _on_death(self, process: Process) -> None:
        """A process died: heal what it held, tell, and restart it or halt the run."""
        for found in self._queues:
            queue_segment.heal(found)
        died = f"{process.line.label} (process {process.pid}) died with {process.exit_status}"
        numbers = [self.actors.index(actor) for actor in process.line.actors]
        self._tell(enums.EVENT_ACTOR_DIED, numbers[0])
        self.rows["state"][numbers] = control.DIED
        if process.line.on_death == "restart" and process.restarts < RESTARTS_MAX:
            process.restarts += 1
            self.problems.append(f"{died}; restarted ({process.restarts} of {RESTARTS_MAX})")
            self.rows["restarts"][numbers] = process.restarts
            self._fork(process)
            return
        self.problems.append(f"{died}; the run ends")
        self.control.record["halted"] = 1
        self._tell(enums.EVENT_HALT, numbers[0])
        self.stop_asked = self.stop_asked or f"{process.line.label} died"
        self.processes = [p for p in self.processes if p is not process]

    def _sources_done(self) -> bool:
        states = self.rows["state"][[actor.is_source for actor in self.actors]]
        return len(states) > 0 and bool((states == control.DONE).all())

    def _drained(self) -> bool:
        """Whether every living consumer of every queue has reached its end."""
        for found in self._queues:
            lines = found.consumers
            behind = lines[(lines["process"] > 0) & (lines["cursor"] < found.count)]
            if any(shm.process_alive(int(process)) for process in behind["process"]):
                return False
        return True

    # ------------------------------------------------------------ end

    def cancel_open(self) -> None:
        """CANCELING: wait until no actor has anything open, and all of it has been read."""
        if self.control.record["state"] >= control.CANCELING:
            return
        self.control.record["state"] = control.CANCELING
        working = [not actor.is_source for actor in self.actors]
        if not self._wait(lambda: not self.rows["pending"][working].any(), CANCEL_S):
            left = [(r["name"].decode(), int(r["pending"])) for r in self.rows[working]]
            self.problems.append(f"still open after {CANCEL_S:.0f} s: {dict(left)}")

    def _stop_cores(self) -> None:
        """Stop the loops: sources first, those who record last, when all else is silent."""
        self.control.record["state"] = control.STOPPING
        last = [p for p in self.processes if any(a.stops_last for a in p.line.actors)]
        first = [p for p in self.processes if p not in last]
        for group in (first, last):
            for process in group:
                self._row(process)["stop"] = 1
            self._wait(lambda group=group: self._ended(group), STOP_S)  # type: ignore[misc]

    def _ended(self, group: list[Process]) -> bool:
        return all(process.exit_status is not None for process in group)

    def _wait(self, done: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        self._reap()
        while not done():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S / 4)
            self._reap()
        return True

    def _clean_up(self) -> None:
        self._reap()
        for process in self.processes:
            if process.pid and process.exit_status is None:
                self.problems.append(f"{process.line.label}: killed, it did not end by itself")
                os.kill(process.pid, signal.SIGKILL)
                os.waitpid(process.pid, 0)
        self._restore_handlers()
        spine.unlink(self.run)

    # ------------------------------------------------------------ helpers

    def _row(self, process: Process) -> np.void:
        return self.rows[self.actors.index(process.line.actors[0])]

    def _reap(self) -> None:
        for process in self.processes:
            if process.pid and process.exit_status is None:
                pid, status = os.waitpid(process.pid, os.WNOHANG)
                if pid:
                    process.exit_status = os.waitstatus_to_exitcode(status)

    def _publish_clock(self) -> None:
        fix = np.array([self.calibration.fix], CLOCK_FIX)
        seqlock_vector.write_row(address_of(self._clock.handle), 0, address_of(fix))

    def _tell(self, kind: int, value: int) -> None:
        event = aligned_zeros(1, SYSTEM_EVENT)
        event["ts_origin"], event["published"] = read_ticks(), PUBLISHER_MASK  # published at once
        event["kind"], event["value"], event["instrument"], event["venue"] = kind, value, -1, -1
        queue.publish(address_of(self._events_producer), address_of(event))
