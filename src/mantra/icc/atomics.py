"""Atomic loads, stores and fences on shared memory: the foundation, proved in tests/icc.

Each primitive is a plain Python function with an obvious meaning, and the machine instruction that
compiled code gets in its place. Callers see one name, and a test can replace it by one that yields
to a scheduler (tests/icc/interleavings.py).

Written naturally, a seqlock compiled by LLVM is broken: the second look at the version is removed
as redundant and torn records are accepted. These primitives are what keeps it there.

Orderings. All addresses are 8-byte aligned words of shared memory, and every access to a shared
word goes through here, payload words included (`copy_in`, `copy_out`): there is no data race in
the memory model's sense, so the stated orderings are enough on every architecture.

    load_acquire    nothing after it moves before it        x86 mov    aarch64 ldar
    store_release   nothing before it moves after it        x86 mov    aarch64 stlr
    *_relaxed       no tearing, no order                    x86 mov    aarch64 ldr/str
    fence_acquire   loads before it stay before all after   x86 -      aarch64 dmb ishld
    fence_release   all before it stays before stores after x86 -      aarch64 dmb ish

On x86-64 (total store order) only the compiler has to be held back, so the fences cost nothing.
The pattern is that of Boehm, "Can seqlocks get along with programming language memory models?"
(MSPC 2012), section 4: relaxed payload words between fences.
"""

import ctypes
from functools import partial

from llvmlite import ir
from numba.core import cgutils
from numba.types import boolean, int64, void

from mantra.compiled import emits

WORD = ir.IntType(64)
WORD_BYTES = 8


# ---------------------------------------------------------------- the Python twins


def _word(address: int) -> ctypes.c_int64:
    return ctypes.c_int64.from_address(int(address))  # Fields of records are no `int`.


def load_relaxed(address: int) -> int:
    """The word at `address`, not torn; no order with other accesses."""
    return _word(address).value


def load_acquire(address: int) -> int:
    """The word at `address`; nothing later is done before it."""
    return _word(address).value


def store_relaxed(address: int, value: int) -> None:
    """Write the word at `address`, not torn; no order with other accesses."""
    _word(address).value = int(value)


def store_release(address: int, value: int) -> None:
    """Write the word at `address`; all earlier accesses are seen before it."""
    _word(address).value = int(value)


def fence_acquire() -> None:
    """Earlier loads are done before anything later."""


def fence_release() -> None:
    """Everything earlier is done before later stores."""


def compare_exchange(address: int, expected: int, desired: int) -> bool:
    """If the word is `expected` make it `desired`, as one step: True. Else nothing: False.

    Acquire and release. The twin is one step only where threads take turns, as in our tests.
    """
    word = _word(address)
    if word.value != expected:
        return False
    word.value = int(desired)
    return True


def cpu_pause() -> None:
    """Tell the core that this is a spin loop."""


def prefetch(address: int) -> None:
    """Ask for the line at `address`, to be written soon. Nothing waits, nothing is read."""


def copy_in(shared: int, private: int, words: int) -> None:
    """Copy `words` words from private memory into shared memory, each word relaxed."""
    for offset in range(0, words * WORD_BYTES, WORD_BYTES):
        value = _word(private + offset).value
        store_relaxed(shared + offset, value)


def copy_out(private: int, shared: int, words: int) -> None:
    """Copy `words` words out of shared memory into private memory, each word relaxed."""
    for offset in range(0, words * WORD_BYTES, WORD_BYTES):
        _word(private + offset).value = load_relaxed(shared + offset)


# ---------------------------------------------------------------- the instructions


def _pointer(builder, address):
    return builder.inttoptr(address, WORD.as_pointer())


def _load(ordering, builder, address):
    return builder.load_atomic(_pointer(builder, address), ordering, WORD_BYTES, typ=WORD)


def _store(ordering, builder, address, value):
    builder.store_atomic(value, _pointer(builder, address), ordering, WORD_BYTES)


emits(load_relaxed, int64, int64)(partial(_load, "monotonic"))
emits(load_acquire, int64, int64)(partial(_load, "acquire"))
emits(store_relaxed, void, int64, int64)(partial(_store, "monotonic"))
emits(store_release, void, int64, int64)(partial(_store, "release"))
emits(fence_acquire, void)(lambda builder: builder.fence("acquire"))
emits(fence_release, void)(lambda builder: builder.fence("release"))


@emits(compare_exchange, boolean, int64, int64, int64)
def _emit_compare_exchange(builder, address, expected, desired):
    pair = builder.cmpxchg(_pointer(builder, address), expected, desired, "acq_rel", "acquire")
    return builder.extract_value(pair, 1)


@emits(cpu_pause, void)
def _emit_cpu_pause(builder):
    mnemonic = "pause" if "x86_64" in builder.module.triple else "isb"
    builder.asm(ir.FunctionType(ir.VoidType(), []), mnemonic, "", [], side_effect=True)


@emits(prefetch, void, int64)
def _emit_prefetch(builder, address):
    line = builder.inttoptr(address, ir.IntType(8).as_pointer())
    flag = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [line.type, flag, flag, flag])
    asked = builder.module.declare_intrinsic("llvm.prefetch", (line.type,), kind)
    builder.call(asked, [line, flag(1), flag(3), flag(1)])  # to write, keep, data


@emits(copy_in, void, int64, int64, int64)
@emits(copy_out, void, int64, int64, int64)
def _copy(builder, target, source, words):
    """Whole lines of eight words, then the seven of a slot's payload, or what is left, in a loop.

    Unrolled by hand: LLVM leaves loops of atomic accesses as they are.
    """
    lines = builder.lshr(words, WORD(3))
    with cgutils.for_range(builder, lines) as loop:
        _copy_words(builder, target, source, builder.shl(loop.index, WORD(6)), 8)
    done = builder.shl(lines, WORD(6))
    left = builder.and_(words, WORD(7))
    with builder.if_else(builder.icmp_signed("==", left, WORD(7))) as (payload, other):
        with payload:
            _copy_words(builder, target, source, done, 7)
        with other, cgutils.for_range(builder, left) as loop:
            offset = builder.add(done, builder.shl(loop.index, WORD(3)))
            _copy_words(builder, target, source, offset, 1)


def _copy_words(builder, target, source, offset, words):
    target, source = builder.add(target, offset), builder.add(source, offset)
    for at in range(0, words * WORD_BYTES, WORD_BYTES):
        value = _load("monotonic", builder, builder.add(source, WORD(at)))
        _store("monotonic", builder, builder.add(target, WORD(at)), value)
