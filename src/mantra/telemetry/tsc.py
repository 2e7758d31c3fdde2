"""The tick counter: the processor's time stamp counter, or the OS clock where there is no good one.

`read_tsc` is `rdtscp`: it waits until all earlier instructions are done, so a stamp taken after a
read is not taken before it. Stamps of different cores compare only if the counter is invariant
(constant rate, never stops, one for all cores): the flags `constant_tsc` and `nonstop_tsc`.
Without them a tick is a nanosecond of CLOCK_MONOTONIC, and `TICK_SOURCE` says so.

On aarch64 the counter is CNTVCT_EL0, invariant by architecture.
"""

import platform
import time
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from mantra.compiled import JIT, emits
from mantra.machine import ROOT, cpu_flags


def _has_invariant_counter(root: Path = ROOT) -> bool:
    needed = {"constant_tsc", "nonstop_tsc", "rdtscp"}
    return platform.machine() == "aarch64" or needed <= cpu_flags(root)


INVARIANT_COUNTER = _has_invariant_counter()
TICK_SOURCE = "tsc" if INVARIANT_COUNTER and JIT else "clock_monotonic"
CLOCK_MONOTONIC = 1

_clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.intp))


def read_tsc() -> int:
    """Ticks now: of the processor's counter, or nanoseconds of the monotonic OS clock."""
    return time.monotonic_ns()


def read_tsc_early() -> int:
    """Ticks now or a little before: `rdtsc`, half the cost, does not wait for earlier instructions.

    For the beginning of a step only: there, too early makes a time longer, never shorter.
    """
    return time.monotonic_ns()


def _emit_counter(builder, mnemonic, clobbered):
    word, half = ir.IntType(64), ir.IntType(32)
    if "x86_64" not in builder.module.triple:
        read = ir.FunctionType(word, [])
        return builder.asm(read, "mrs $0, cntvct_el0", "=r", [], side_effect=True)
    read = ir.FunctionType(ir.LiteralStructType([half, half]), [])
    registers = f"={{eax}},={{edx}},{clobbered}~{{memory}}"
    pair = builder.asm(read, mnemonic, registers, [], side_effect=True)
    low = builder.zext(builder.extract_value(pair, 0), word)
    high = builder.zext(builder.extract_value(pair, 1), word)
    return builder.or_(low, builder.shl(high, ir.Constant(word, 32)))


def _read_os_clock():
    spec = np.empty(2, np.int64)
    _clock_gettime(np.int32(CLOCK_MONOTONIC), spec.ctypes.data)
    return spec[0] * 1_000_000_000 + spec[1]


if INVARIANT_COUNTER:
    emits(read_tsc, types.int64)(lambda builder: _emit_counter(builder, "rdtscp", "~{ecx},"))
    emits(read_tsc_early, types.int64)(lambda builder: _emit_counter(builder, "rdtsc", ""))
else:
    overload(read_tsc)(lambda: _read_os_clock)
    overload(read_tsc_early)(lambda: _read_os_clock)
