"""The one policy for compiled code: how Python here becomes machine code, and where it is cached.

In:        plain Python functions.
Out:       `compiled` functions, called like any other; `duty_cycle` functions, called by address.
Must not know: trading, shared memory, processes.

`@compiled` marks every function of the hot path. `@duty_cycle` marks the one function of an actor
that a core's loop calls: its signature is always `int64(int64)`, context address -> work done, so
a loop over several actors is a loop over addresses and is itself compiled once, for all of them.

With NUMBA_DISABLE_JIT=1 both leave plain Python behind: the same code, slow, under a debugger.

Numba's own cache is stale when a *callee's* file changes. The cache directory therefore carries a
hash of every source file of this package: an edit means a new cache, no edit a warm start.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core.caching import IndexDataCacheFile
from numba.core.ccallback import CFunc
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import lower_builtin

PACKAGE = Path(__file__).parent
CACHES_KEPT = 4  # Older caches are removed: one takes some tens of MB, and edits make many.

JIT = not numba.config.DISABLE_JIT
STEP_SIGNATURE = types.int64(types.int64)


def source_hash() -> str:
    """Hash of all that decides what the compiler makes: sources, versions, bounds checks."""
    digest = hashlib.sha256()
    facts = (sys.version, numba.__version__, str(numba.config.BOUNDSCHECK))
    digest.update("\n".join(facts).encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:20]


def cache_root() -> Path:
    """`$MANTRA_CACHE`, or `mantra` in the user's cache directory."""
    if "MANTRA_CACHE" in os.environ:
        return Path(os.environ["MANTRA_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mantra"


def cache_directory() -> Path:
    """This source tree's cache, created; a temporary directory where the home is not writable."""
    root = cache_root() / "compiled"
    directory = root / source_hash()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        os.utime(directory)
    except OSError:
        directory = Path(tempfile.gettempdir()) / f"mantra-compiled-{os.getuid()}" / directory.name
        directory.mkdir(parents=True, exist_ok=True)
        return directory
    for stale in sorted(root.iterdir(), key=lambda path: path.stat().st_mtime)[:-CACHES_KEPT]:
        shutil.rmtree(stale, ignore_errors=True)
    return directory


CACHE = cache_directory()
numba.config.CACHE_DIR = str(CACHE)
_save = IndexDataCacheFile.save


def _save_alone(file: IndexDataCacheFile, key: tuple, data: object) -> None:
    """Two processes at once could give the machine code of two signatures one file."""
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _save(file, key, data)


IndexDataCacheFile.save = _save_alone

llvmlite.binding.initialize_native_asmparser()  # for the inline assembly of atomics and clock

# nogil: duty cycles run for the life of a process. No fastmath anywhere: money is integers.
# no_cfunc_wrapper: nobody takes their addresses, and the wrappers were a sixth of compile time.
compiled = numba.njit(cache=True, nogil=True, no_cfunc_wrapper=True)

# For what a tick goes through on its way to an order, where it is called in one place: one straight
# piece of code. Left to itself LLVM keeps such calls, and a call is far (through a register),
# carries a status to test, and is mispredicted when it was not made for a while.
inlined = numba.njit(cache=True, nogil=True, no_cfunc_wrapper=True, forceinline=True)

# For a user's own files, whose imports the hash above does not see (models/contract.py).
compiled_uncached = numba.njit(nogil=True, no_cfunc_wrapper=True)


def emits(function: Callable, result: types.Type, *arguments: types.Type) -> Callable:
    """Decorate `emit(builder, *values) -> value`: compiled code does that in place of `function`.

    `function` stays a plain Python function of obvious meaning: callers see one name, uncompiled
    code runs the function, compiled code gets the instructions. Emitted straight into the caller,
    where an overload would be compiled once for each combination of argument types: that was most
    of the time it took to compile everything.
    """

    def register(emit: Callable) -> Callable:
        cases = {"key": function, "cases": [signature(result, *arguments)]}
        infer_global(function)(type(function.__name__, (ConcreteTemplate,), cases))

        @lower_builtin(function, *arguments)
        def lower(context, builder, _signature, values):
            value = emit(builder, *values)
            return context.get_dummy_value() if result is types.void else value

        return emit

    return register


_python_steps: dict[int, Callable[[int], int]] = {}  # Uncompiled duty cycles by stand-in address.


class DutyCycle:
    """An actor's step: call it, or hand its address to a core's loop.

    Compiled on the first use of `address`, from the cache if it is warm. It is compiled as a C
    callback, apart from `compiled`: Numba files both kinds under one key, and a callback loaded
    from the other kind's file lacks its entry point.
    """

    def __init__(self, py_func: Callable[[int], int]):
        self.py_func = py_func
        self.__name__ = py_func.__name__
        self.__doc__ = py_func.__doc__
        self._callback: CFunc | None = None

    def compile(self) -> CFunc:
        if self._callback is None:
            self._callback = numba.cfunc(STEP_SIGNATURE, cache=True)(self.py_func)
            self._mark.touch()
        return self._callback

    @property
    def _mark(self) -> Path:
        return CACHE / f"{self.py_func.__module__}.{self.__name__}.compiled"

    def is_cached(self) -> bool:
        """Whether compiling it is only loading it."""
        return self._callback is not None or self._mark.exists()

    @property
    def address(self) -> int:
        """Address for `call_step`. Uncompiled: a stand-in that `call_step` knows."""
        if JIT:
            return int(self.compile().address or 0)
        _python_steps[id(self)] = self.py_func
        return id(self)

    def __call__(self, context_address: int) -> int:
        return int(self.compile().ctypes(context_address)) if JIT else self.py_func(context_address)


def fill_cache(steps: Sequence[DutyCycle]) -> None:
    """Compile what is not cached, one process a core; who then takes an address only loads it.

    The whole engine takes one core over a minute, and what the steps share is the smaller part.
    """
    waiting = [step for step in dict.fromkeys(steps) if not step.is_cached()][::-1]
    cores = len(os.sched_getaffinity(0))
    if not JIT or cores == 1 or len(waiting) < 2:
        return
    running: set[int] = set()
    while waiting or running:
        while waiting and len(running) < cores:
            running.add(_fork_compile(waiting.pop()))
        running.discard(os.wait()[0])


def _fork_compile(step: DutyCycle) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            step.compile()
        finally:
            os._exit(0)  # What failed here fails again in the parent, which says so.
    return pid


duty_cycle = DutyCycle  # marks a function `(context_address) -> work done` as an actor's step


def call_step(step_address: int, context_address: int) -> int:
    """Call a duty cycle by its address: about 4 ns compiled."""
    return _python_steps[step_address](context_address)


@emits(call_step, types.int64, types.int64, types.int64)
def _emit_call_step(builder, step_address, context_address):
    word = ir.IntType(64)
    step = builder.inttoptr(step_address, ir.FunctionType(word, [word]).as_pointer())
    return builder.call(step, [context_address])
