"""What others offer for the same task, under the same clock and on the same cores; and the workers.

One way of a message of 56 bytes that carries its ticks; the next goes out when the pace has passed
and the one before was received, as the queue is measured. All are called from Python, as they are
meant to be: their latency is theirs and Python's.
"""

import ctypes
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any

import numpy as np

from mantra.bench.harness import Bench, percentiles
from mantra.compiled import compiled
from mantra.telemetry.tsc import read_tsc

FORK = multiprocessing.get_context("fork")
PACE_S = 100e-6
PAYLOAD_WORDS = 7
BACKLOG = 1024  # messages iceoryx2 keeps for a subscriber that is interrupted
ANSWER_S = 30  # A worker that needs longer hangs.


class PeerMessage(ctypes.Structure):
    """What iceoryx2 carries: seven words, the first is the stamp."""

    _fields_ = (("words", ctypes.c_int64 * PAYLOAD_WORDS),)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process on one core for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Worker:
    """A forked process on a core that calls methods of `target` when asked."""

    def __init__(self, core: int, target: Any):
        self._pipe, there = FORK.Pipe()
        self._process = FORK.Process(target=self._serve, args=(there, core, target), daemon=True)
        self._process.start()
        there.close()

    @staticmethod
    def _serve(pipe: Any, core: int, target: Any) -> None:
        with pinned(core), suppress(EOFError, KeyboardInterrupt):
            while True:
                method, *arguments = pipe.recv()
                pipe.send(("begins", None))
                pipe.send(("done", getattr(target, method)(*arguments)))

    def ask(self, method: str, *arguments: Any) -> None:
        """Have a method called; returns when the worker is about to."""
        self._pipe.send((method, *arguments))
        self._next()

    def answer(self, patience_s: float = 0.0) -> Any:
        """What the method asked for last returned. RuntimeError if it takes too long."""
        return self._next(patience_s)

    def _next(self, patience_s: float = 0.0) -> Any:
        seconds = patience_s or ANSWER_S
        if not self._pipe.poll(seconds):
            raise RuntimeError(f"bench: worker {self._process.pid} gave no answer in {seconds} s")
        return self._pipe.recv()[1]

    def end(self) -> None:
        self._process.kill()
        self._process.join()


@compiled
def stamp_now():
    """A clock read, from Python."""
    return read_tsc()


class PeerReceiver:
    """The receiving ends, in the forked process."""

    def __init__(self, fifo: Any, pipe: Any, service: str, receipt: np.ndarray):
        self.fifo, self.pipe, self.service, self.receipt = fifo, pipe, service, receipt
        self._subscriber: Any = None

    def mp_queue(self, count: int) -> np.ndarray:
        return self._received(lambda: self.fifo.get()[0], count)

    def mp_pipe(self, count: int) -> np.ndarray:
        return self._received(lambda: self.pipe.recv()[0], count)

    def subscribe(self) -> None:
        self._service = iceoryx2_service(self.service)
        self._subscriber = self._service[1].subscriber_builder().buffer_size(BACKLOG).create()

    def iceoryx2(self, count: int) -> np.ndarray:
        def receive() -> int:
            while True:
                sample = self._subscriber.receive()
                if sample is not None:
                    return int(sample.payload().contents.words[0])

        return self._received(receive, count)

    def _received(self, receive: Callable[[], int], count: int) -> np.ndarray:
        samples = np.zeros(count, np.int64)
        for index in range(count):
            stamp = receive()
            samples[index] = stamp_now() - stamp
            self.receipt[0] = index + 1
        return samples


def iceoryx2_service(name: str) -> tuple[Any, Any]:
    """Node and service (both must be kept). Raises ImportError where it is not installed."""
    import iceoryx2

    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
    builder = node.service_builder(iceoryx2.ServiceName.new(name)).publish_subscribe(PeerMessage)
    builder = builder.subscriber_max_buffer_size(BACKLOG).max_publishers(1).max_subscribers(1)
    return node, builder.open_or_create()


def measure_peers(
    bench: Bench, ns_per_tick: float, core: int, receipt: np.ndarray, count: int
) -> None:
    """Results `<peer>_one_way_p50_ns`, and p99. `receipt` is memory shared with children."""
    fifo, (sending, receiving) = FORK.Queue(), FORK.Pipe()
    service = f"mantra/bench/{os.getpid()}"
    stamp_now()
    worker = Worker(core, PeerReceiver(fifo, receiving, service, receipt))
    padding = (0,) * (PAYLOAD_WORDS - 1)

    def sent(peer: str, send: Callable[[int], Any]) -> None:
        receipt[0] = 0
        worker.ask(peer, count)
        for index in range(count):
            due = perf_counter() + PACE_S
            while perf_counter() < due or receipt[0] < index:
                pass
            send(stamp_now())
        found = percentiles(worker.answer() * ns_per_tick)
        bench.result(f"{peer}_one_way_p50_ns", found["p50"])
        bench.result(f"{peer}_one_way_p99_ns", found["p99"])

    try:
        sent("mp_queue", lambda stamp: fifo.put((stamp, *padding)))
        sent("mp_pipe", lambda stamp: sending.send((stamp, *padding)))
        try:
            node, found = iceoryx2_service(service)
        except ImportError:
            bench.note("iceoryx2: left out, it is not installed (extra `bench`)")
            return
        publisher = found.publisher_builder().create()
        worker.ask("subscribe")
        worker.answer()

        def publish(stamp: int) -> None:
            message = PeerMessage()
            message.words[0] = stamp
            publisher.loan_uninit().write_payload(message).send()

        sent("iceoryx2", publish)
        del node
    finally:
        worker.end()
