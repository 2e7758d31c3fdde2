"""`mantra bench pipeline`: the whole engine on two cores, at a set rate, with and without recorder.

    core 0   simulated venue, MockExchange          core 1   quoter (4 ideal orders), Overseer

The same wiring as a backtest's (system.py), real processes, nothing warm that is cold in a run. The
market sends `RATE` messages/s for `SECONDS`; what counts is

    tick_to_trade   origin of the message that caused a request -> request published, all of them
    overseer_step   the Overseer's sweep over the rows that changed, requests sent included
    tracking_cost   CPU a message with telemetry on less the same with it off, all actors in turn
                    on one core as fast as they can: stamps are always on, timers and timings not

All times are gross of the clock reads they hold (`clock_read_ns`). A rate is met only if the venue
was not late: `lag_p99_ms` is how late it was, by no fault of the engine if another process had its
core. Not a goal: the latency of a venue or a network.
"""

import os
import tempfile
import time
from typing import Any

from mantra.actors import core_loop
from mantra.actors.core_process import CoreLine, core_record
from mantra.actors.stepper import Stepper
from mantra.bench.harness import Bench
from mantra.compiled import compiled
from mantra.config import Config, check_config
from mantra.icc.memory import address_of
from mantra.system import FEED, OVERSEER, build_system, compile_system, run_system
from mantra.telemetry.clock import Calibration, ns_per_tick
from mantra.telemetry.tsc import read_tsc

RATE = 500_000
SECONDS = 30
REPEATS = 3
TRACKING_MESSAGES = 2_000_000
TRACKING_REPEATS = 5
CLOCK_READS = 1_000_000

RATE_BAR = 0.98 * RATE  # the seed decides where the last group ends, and starting takes its time
TICK_TO_TRADE_P50_NS = 500
TICK_TO_TRADE_P99_NS = 5_000
OVERSEER_STEP_NS = 150
TRACKING_NS = 60


def run(quick: bool = False) -> Bench:
    """Measure; `quick` only shows that it runs."""
    bench = Bench("pipeline")
    seconds, repeats = (0.5, 1) if quick else (SECONDS, REPEATS)
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for suffix in ("", "_recorded"):
            for key, value in measure(seconds, recorded=bool(suffix)).items():
                found.setdefault(key + suffix, []).append(value)
    for key, values in found.items():
        bench.result(key, values)
    share = 20 if quick else 1
    costs = tracking_costs(TRACKING_MESSAGES // share, 1 if quick else TRACKING_REPEATS)
    bench.result("cpu_ns_per_msg", costs["on"])
    bench.result("cpu_ns_per_msg_untimed", costs["off"])
    tracking = [on - off for on, off in zip(costs["on"], costs["off"], strict=True)]
    bench.result("tracking_cost_ns", tracking)
    bench.result("clock_read_ns", clock_read_ns())
    _set_bars(bench)
    bench.note(f"{RATE:,} messages/s for {seconds:g} s, {repeats} times each, in turns")
    return bench


def _set_bars(bench: Bench) -> None:
    for suffix in ("", "_recorded"):
        bench.bar(f"msgs_per_s{suffix}", ">=", RATE_BAR, "the rate asked for, less 2 %")
        bench.bar(f"lost{suffix}", "==", 0)
        bench.bar(f"tick_to_trade_p50_ns{suffix}", "<=", TICK_TO_TRADE_P50_NS)
        bench.bar(f"tick_to_trade_p99_ns{suffix}", "<=", TICK_TO_TRADE_P99_NS)
    bench.bar("overseer_step_p50_ns", "<=", OVERSEER_STEP_NS)
    bench.bar("tracking_cost_ns", "<=", TRACKING_NS)


def pipeline_config(directory: str, rate: int, messages: int, recorded: bool) -> Config:
    """One quoter on one of a venue's two instruments, on the first two cores there are."""
    cores = sorted(os.sched_getaffinity(0))
    shared = recorded and len(cores) < 3  # The recorder then lives on what the venue leaves.
    lines: list[dict[str, Any]] = [
        {
            "core": cores[0],
            "actors": [FEED, "mock-sim-a"],
            "idle": "sleep" if shared else "pause",
        },
        {"core": cores[1 % len(cores)], "actors": ["quoter", OVERSEER], "idle": "pause"},
    ]
    if recorded:
        core = cores[0] if shared else cores[2]
        lines.append({"core": core, "actors": ["recorder"], "idle": "sleep"})
    raw = {
        "run": {"directory": directory},
        "source": {"kind": "simulated", "rate": rate, "messages": messages},
        "venues": [
            {"name": "sim-a", "balances": {"BTC": "1000", "ETH": "1000", "USDT": "90000000"}}
        ],
        "models": [
            {
                "name": "quoter",
                "model": "quoter",
                "instruments": ["BTC-USDT@sim-a"],
                "parameters": {"lots": 1000, "position_max": 20_000},
            }
        ],
        "cores": lines,
        "recorder": {"enabled": recorded},
    }
    return check_config(raw, "bench pipeline")


def measure(seconds: float, recorded: bool) -> dict[str, float]:
    """One run of the whole engine; what it showed, in ns."""
    with tempfile.TemporaryDirectory(prefix="mantra-bench-") as directory:
        config = pipeline_config(directory, RATE, int(RATE * seconds), recorded)
        report = run_system(build_system(config))
    if report["problems"]:
        raise RuntimeError(f"bench pipeline: {'; '.join(report['problems'])}")
    times = {
        (actor, line["kind"], line["name"]): line
        for actor, lines in report["times"].items()
        for line in lines
    }
    trade, sweep = report["tick_to_trade"], times[OVERSEER, "business", "sweep"]
    market = sum(report["queues"][name]["messages"] for name in ("l2", "trades"))
    return {
        "msgs_per_s": market / report["seconds"],
        "requests_per_s": trade["count"] / report["seconds"],
        "lost": report["lost"],
        "tick_to_trade_p50_ns": trade["p50_ns"],
        "tick_to_trade_p90_ns": trade["p90_ns"],
        "tick_to_trade_p99_ns": trade["p99_ns"],
        "tick_to_trade_p999_ns": trade["p99.9_ns"],
        "overseer_step_p50_ns": sweep["p50_ns"],
        "overseer_step_p99_ns": sweep["p99_ns"],
        "model_step_p50_ns": times["quoter", "business", "l2"]["p50_ns"],
        "lag_p99_ms": times[FEED, "business", "lag"]["p99_ns"] / 1e6,
    }


def tracking_costs(messages: int, repeats: int) -> dict[str, list[float]]:
    """CPU ns a market message with timers on and off, in turns."""
    costs: dict[str, list[float]] = {"on": [], "off": []}
    for _ in range(repeats):
        costs["on"].append(_cpu_ns_per_message(messages, timings=True))
        costs["off"].append(_cpu_ns_per_message(messages, timings=False))
    return costs


def _cpu_ns_per_message(messages: int, timings: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="mantra-bench-") as directory:
        system = build_system(pipeline_config(directory, 0, messages, recorded=False))
        compile_system(system)
        rate = float(Calibration().fix["ticks_per_second"])
        with Stepper(system.actors, system.capacities, timings) as stepper:
            core = core_record(CoreLine(system.actors), stepper.spines, rate)
            core["check_ticks"] = int(rate / 1000)
            began = time.thread_time_ns()
            while not stepper.sources_done():
                asking = core_loop.run_core(address_of(core))
                if asking >= 0:
                    system.actors[asking].on_call()
            return (time.thread_time_ns() - began) / messages


@compiled
def _read_clock(times):
    last = read_tsc()
    for _ in range(times):
        last = read_tsc()
    return last


def clock_read_ns() -> float:
    """Mean cost of one clock read, back to back."""
    fix = Calibration().fix
    began = _read_clock(1)
    return (_read_clock(CLOCK_READS) - began) / CLOCK_READS * ns_per_tick(fix)
