"""Atomic loads, stores and fences on shared memory: the foundation, proved in tests/icc.

Each primitive is a plain Python function with an obvious meaning, and an overload that emits the
machine instruction, so callers see one name, the compiled code gets the instruction, and a test
can replace the name by one that yields to a scheduler (tests/icc/interleavings.py).

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

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

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


def fetch_add(address: int, increment: int) -> int:
    """Add to the word as one step; the value before. Acquire and release."""
    word = _word(address)
    before = word.value
    word.value = int(before + increment)
    return before


def cpu_pause() -> None:
    """Tell the core that this is a spin loop."""


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


def _load(ordering):
    def typed(typingctx, address):
        def emit(context, builder, signature, arguments):
            return builder.load_atomic(
                _pointer(builder, arguments[0]), ordering, WORD_BYTES, typ=WORD
            )

        return types.int64(types.int64), emit

    return intrinsic(typed)


def _store(ordering):
    def typed(typingctx, address, value):
        def emit(context, builder, signature, arguments):
            builder.store_atomic(
                arguments[1], _pointer(builder, arguments[0]), ordering, WORD_BYTES
            )
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), emit

    return intrinsic(typed)


def _fence(ordering):
    def typed(typingctx):
        def emit(context, builder, signature, arguments):
            builder.fence(ordering)
            return context.get_dummy_value()

        return types.void(), emit

    return intrinsic(typed)


_load_relaxed = _load("monotonic")
_load_acquire = _load("acquire")
_store_relaxed = _store("monotonic")
_store_release = _store("release")
_fence_acquire = _fence("acquire")
_fence_release = _fence("release")


@intrinsic
def _compare_exchange(typingctx, address, expected, desired):
    def emit(context, builder, signature, arguments):
        address, expected, desired = arguments
        pair = builder.cmpxchg(_pointer(builder, address), expected, desired, "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def _fetch_add(typingctx, address, increment):
    def emit(context, builder, signature, arguments):
        return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def _cpu_pause(typingctx):
    def emit(context, builder, signature, arguments):
        mnemonic = "pause" if "x86_64" in builder.module.triple else "isb"
        builder.asm(ir.FunctionType(ir.VoidType(), []), mnemonic, "", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(), emit


@overload(load_relaxed)
def _load_relaxed_compiled(address):
    return lambda address: _load_relaxed(address)


@overload(load_acquire)
def _load_acquire_compiled(address):
    return lambda address: _load_acquire(address)


@overload(store_relaxed)
def _store_relaxed_compiled(address, value):
    return lambda address, value: _store_relaxed(address, value)


@overload(store_release)
def _store_release_compiled(address, value):
    return lambda address, value: _store_release(address, value)


@overload(fence_acquire)
def _fence_acquire_compiled():
    return lambda: _fence_acquire()


@overload(fence_release)
def _fence_release_compiled():
    return lambda: _fence_release()


@overload(compare_exchange)
def _compare_exchange_compiled(address, expected, desired):
    return lambda address, expected, desired: _compare_exchange(address, expected, desired)


@overload(fetch_add)
def _fetch_add_compiled(address, increment):
    return lambda address, increment: _fetch_add(address, increment)


@overload(cpu_pause)
def _cpu_pause_compiled():
    return lambda: _cpu_pause()


@overload(copy_in)
def _copy_in_compiled(shared, private, words):
    def copy(shared, private, words):
        for offset in range(0, words * WORD_BYTES, WORD_BYTES):
            _store_relaxed(shared + offset, _load_relaxed(private + offset))

    return copy


@overload(copy_out)
def _copy_out_compiled(private, shared, words):
    def copy(private, shared, words):
        for offset in range(0, words * WORD_BYTES, WORD_BYTES):
            _store_relaxed(private + offset, _load_relaxed(shared + offset))

    return copy
