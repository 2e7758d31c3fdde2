"""`mantra bench ingest`: what a message costs, of 5,764 instruments on 169 TLS connections.

    core 0   MarketDataHandler, or a peer           core 1   generator (ingest_server.py)

What is sent is told in ingest_mix.py: all five venues, sequences without gaps, Kraken's checksums
right. CPU is that of the handler's process, all threads, kernel included. Four points:

    35k         35,000 messages/s, one a TLS record; turns 50 ms apart: thrift. Beside it 35k_20ms,
                and 35k_5ms, which is what `mantra capture` does if nothing else is said
    200k        200,000 messages/s, what is due together goes in one record
    saturated   as many as the handler takes
    latency     35,000 messages/s, the handler spins: from right before `send` in the generator to
                the last L2Update of the message published; of Binance's, which are numbered.
                Beside it from right behind `send` (gone: the bytes become readable between the two)
                and from the handler's read on

Peers get the same messages from the same generator, at 2,000 and at 35,000 messages/s or what they
take of them; the cheaper of both counts.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from mantra.bench.harness import Bench
from mantra.bench.icc_peers import Worker, pinned
from mantra.bench.ingest_handler import (
    GATHER_MS,
    START_S,
    THRIFT_MS,
    Ingest,
    Window,
    cpu_s,
    handler,
    rss_mb,
    until,
)
from mantra.bench.ingest_mix import PLANS, Mix
from mantra.bench.ingest_parts import Parts
from mantra.bench.ingest_server import RUN, Generator, send_due
from mantra.icc.memory import address_of

RATE, PEAK = 35_000, 200_000
SECONDS, REPEATS, PARTS_REPEATS = 4.0, 3, 5
COMPILE_S, REST_S = 600.0, 0.3
EASY_RATE = 2_000  # that every peer can follow
PEERS = ("picows", "websockets", "cryptofeed")

CPU_US_35K, CPU_US_SATURATED, MSGS_PER_S = 5.0, 2.5, 200_000
LATENCY_P50_US, LATENCY_P99_US, RSS_MB, TIMES_CHEAPER = 10, 50, 1536, 5


@contextmanager
def peer(setting: "Setting", name: str) -> Iterator[Window]:
    """A peer's process, connected. Raises RuntimeError if it never is."""
    folder, worker, streams = setting.folder, setting.worker, setting.mix.streams
    sign, plan, said = (folder / f"{name}.{end}" for end in ("count", "json", "log"))
    sign.write_bytes(bytes(8))
    plan.write_text(json.dumps(streams))
    command = [sys.executable, "-m", "mantra.bench.ingest_peers", name]
    command += map(str, (setting.generator.port, plan, sign, folder / "ca.pem"))
    with said.open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        os.sched_setaffinity(child.pid, {setting.cores[0]})
        worker.ask("accept", len(streams))
        if wrong := worker.answer(START_S):
            last = said.read_text().strip().splitlines()[-1:]
            raise RuntimeError(f"{name}: {wrong}; it said {last}")
        until(lambda: _idle(child.pid), f"{name} does not come to rest")
        yield Window(worker, child.pid, lambda: int.from_bytes(sign.read_bytes(), "little"))
    finally:
        child.kill()
        child.wait()
        worker.ask("end")
        worker.answer()


def _idle(pid: int) -> bool:
    """Whether a process has done what connecting gave it to do."""
    before = cpu_s(pid)
    time.sleep(REST_S)
    return cpu_s(pid) - before < REST_S / 5


def certify(folder: Path) -> tuple[str, str]:
    """Make a CA and a certificate for localhost; their files."""
    import trustme

    ca, paths = trustme.CA(), (folder / "leaf.pem", folder / "ca.pem")
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(paths[0])
    ca.cert_pem.write_to_path(paths[1])
    return str(paths[0]), str(paths[1])


class Setting:
    """A mix and the process that sends it. `cores`: of what is measured, of all else."""

    def __init__(self, folder: Path, part: int, cores: tuple[int, int], *venues: str):
        self.folder, self.cores = folder, cores
        self.mix = Mix(part, *[venues] if venues else [])
        self.certificate, self.ca_file = certify(folder)
        self.generator = Generator(self.mix, self.certificate)
        none = np.zeros(1, RUN)
        send_due(address_of(none))  # compiled before anybody waits
        self.worker = Worker(cores[1], self.generator)

    def handler(self) -> Any:
        return handler(self.mix, self.worker, self.generator, self.ca_file, self.cores[0])


def run(quick: bool = False) -> Bench:
    """Measure; `quick` only shows that it runs."""
    bench = Bench("ingest")
    for name in ("trustme", *PEERS):
        if not find_spec(name):
            bench.note(f"{name} is not installed: pip install mantra[bench]")
    if not find_spec("trustme"):
        return bench
    part, seconds, repeats = (40, 0.3, 1) if quick else (1, SECONDS, REPEATS)
    cores = sorted(os.sched_getaffinity(0))
    first, last = cores[0], cores[-1]
    with tempfile.TemporaryDirectory(prefix="mantra-bench-") as name, pinned(last):
        folder = Path(name)
        everything = Setting(folder, part, (first, last))
        try:
            _measure_handler(bench, everything, seconds, repeats)
            _measure_parts(bench, everything, 1 if quick else PARTS_REPEATS)
            for one in PEERS[:2]:
                _measure_peer(bench, everything, one, seconds)
        finally:
            everything.worker.end()
        binance = Setting(folder, part, (first, last), "binance")
        try:
            with binance.handler() as handled:
                found = handled.thrifty(RATE, seconds)
                bench.result("binance_cpu_us_per_msg_35k", found["cpu_us_per_msg"])
            _measure_peer(bench, binance, PEERS[2], seconds)
        finally:
            binance.worker.end()
    _set_bars(bench)
    return bench


def _measure_handler(bench: Bench, setting: Setting, seconds: float, repeats: int) -> None:
    kept: dict[str, list[float]] = {}

    def keep(point: str, found: dict[str, float], *names: str) -> None:
        for name in names:
            key = name if name.startswith("latency") else f"{name}_{point}"
            kept.setdefault(key, []).append(found[name])

    usual = ("cpu_us_per_msg", "msgs_per_s", "msgs_per_record", "cpu_share")
    with setting.handler() as handled:
        for _ in range(repeats):
            for gather_ms in (*THRIFT_MS, GATHER_MS):
                point = "35k" if gather_ms == max(THRIFT_MS) else f"35k_{gather_ms}ms"
                keep(point, handled.thrifty(RATE, seconds, gather_ms), *usual, "generator_idle")
            keep("200k", handled.thrifty(PEAK, seconds), *usual, "generator_idle")
            most = handled.thrifty(0, seconds)
            keep("saturated", most, *usual, "levels_per_msg")
            kept.setdefault("levels_per_s", []).append(most["levels_per_msg"] * most["msgs_per_s"])
            found = handled.latency(RATE, seconds)
            keep("latency", found, *[name for name in found if name.startswith("latency")])
        facts = handled.look()
        bench.result("rss_mb", rss_mb(handled.pid))
    for key, values in kept.items():
        bench.result(key, values)
    bench.result("instruments_live", facts["live"])
    for name in ("broken", "refused", "unknown"):
        bench.result(name, facts[name])
    limit = (
        "the handler"
        if bench.results["cpu_share_saturated"] > 0.95
        else "the generator, or other processes,"
    )
    bench.note(f"saturated: {limit} was the limit (cpu_share_saturated)")
    mix = setting.mix
    bench.result("bytes_per_msg", mix.mean_bytes())
    source = "recorded levels" if mix.recorded else "levels made up, for there is no $MANTRA_DATA"
    counts = ", ".join(f"{name} {plan.share:.0%} of messages" for name, plan in PLANS.items())
    bench.note(
        f"{len(mix.voices):,} instruments, {len(mix.streams)} connections, {source}: {counts}; "
        f"TLS 1.3; turns {GATHER_MS} ms apart at 200k, {max(THRIFT_MS)} at 35k: what comes waits "
        "half of that"
    )


def _measure_parts(bench: Bench, setting: Setting, repeats: int) -> None:
    actor = Ingest(setting.mix, "wss://localhost", setting.ca_file)
    parts = Parts(setting.mix, setting.certificate, setting.ca_file, actor)
    worker = Worker(setting.cores[0], parts)
    try:
        worker.ask("measure", repeats)
        found = worker.answer(COMPILE_S)
    finally:
        worker.end()
    medians = [bench.result(f"{name}_us_per_msg", values) for name, values in found.items()]
    bench.result("rest_us_per_msg", bench.results["cpu_us_per_msg_35k"] - sum(medians))
    bench.note(
        "where 35k goes: kernel (a read a message), tls, frames, json, books (sequences, checksums "
        "and publishing too), each alone; rest: wake-ups and colder caches, less shared reads"
    )


def _measure_peer(bench: Bench, setting: Setting, name: str, seconds: float) -> None:
    if not find_spec(name):
        return
    try:
        with peer(setting, name) as window:
            both = [window.measure(rate, seconds) for rate in (EASY_RATE, RATE)]
    except RuntimeError as error:
        return bench.note(f"{name} is not measured: {error}")
    found = min(both, key=itemgetter("cpu_us_per_msg"))
    for key in ("cpu_us_per_msg", "msgs_per_s", "msgs_per_record"):
        bench.result(f"{name}_{key}", found[key])


def _set_bars(bench: Bench) -> None:
    bench.bar("cpu_us_per_msg_35k", "<=", CPU_US_35K, "the original: 11.4")
    bench.bar("cpu_us_per_msg_saturated", "<=", CPU_US_SATURATED)
    bench.bar("msgs_per_s_saturated", ">=", MSGS_PER_S)
    bench.bar("latency_p50_us", "<=", LATENCY_P50_US)
    bench.bar("latency_p99_us", "<=", LATENCY_P99_US)
    bench.bar("rss_mb", "<=", RSS_MB)
    for name in ("broken", "refused", "unknown"):
        bench.bar(name, "==", 0)
    if cost := bench.results.get("cryptofeed_cpu_us_per_msg"):
        why = f"{TIMES_CHEAPER} × less than cryptofeed on the same messages"
        bench.bar("binance_cpu_us_per_msg_35k", "<=", cost / TIMES_CHEAPER, why)
