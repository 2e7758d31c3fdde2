"""What flat memory needs of the machine: memory by address, and two things to do with words.

Each is a plain Python function, and the instruction or call that compiled code gets in its place:
callers see one name, and everything also runs uncompiled.
"""

import ctypes

from llvmlite import ir
from numba import types
from numba.extending import overload

from mantra.compiled import emits
from mantra.icc.memory import CACHE_LINE

LANES = 8  # Words in a cache line.
MASK_63 = (1 << 63) - 1
WORD = ir.IntType(64)

_libc = ctypes.CDLL(None)
_libc.aligned_alloc.restype = ctypes.c_int64
_libc.aligned_alloc.argtypes = [ctypes.c_int64, ctypes.c_int64]
_libc.free.argtypes = [ctypes.c_int64]


def allocate_bytes(size: int) -> int:
    """Address of `size` bytes (a multiple of 64) on a cache line, not zeroed; 0: none left."""
    return _libc.aligned_alloc(CACHE_LINE, size)


def free_bytes(address: int) -> None:
    """Give memory of `allocate_bytes` back; address 0 is nothing."""
    _libc.free(int(address))


def zero_bytes(address: int, size: int) -> None:
    """Zero `size` bytes at `address`."""
    ctypes.memset(int(address), 0, int(size))


def multiply_modulo(a: int, b: int) -> int:
    """a * b modulo 2**63, so never negative.

    Not `(a * b) & mask`: compiled multiplication promises not to overflow (`mul nsw`), so the mask
    is optimised away where it would matter.
    """
    return (int(a) * int(b)) & MASK_63


def lanes_equal(address: int, value: int) -> int:
    """Which of the 8 words at `address` (a cache line) equal `value`: bit i for word i."""
    words = (ctypes.c_int64 * LANES).from_address(int(address))
    return sum(1 << i for i in range(LANES) if words[i] == value)


_aligned_alloc = types.ExternalFunction("aligned_alloc", types.int64(types.int64, types.int64))
_free = types.ExternalFunction("free", types.void(types.int64))
_memset = types.ExternalFunction("memset", types.int64(types.int64, types.int32, types.int64))


overload(allocate_bytes)(lambda size: lambda size: _aligned_alloc(CACHE_LINE, size))
overload(free_bytes)(lambda address: lambda address: _free(address))
overload(zero_bytes)(lambda address, size: lambda address, size: _memset(address, 0, size))


@emits(multiply_modulo, types.int64, types.int64, types.int64)
def _emit_multiply_modulo(builder, a, b):
    return builder.and_(builder.mul(a, b), WORD(MASK_63))  # no flags: wraps


@emits(lanes_equal, types.int64, types.int64, types.int64)
def _emit_lanes_equal(builder, address, value):
    line = ir.VectorType(WORD, LANES)
    words = builder.load(builder.inttoptr(address, line.as_pointer()), align=CACHE_LINE, typ=line)
    wanted = ir.Constant(line, ir.Undefined)
    for lane in range(LANES):
        wanted = builder.insert_element(wanted, value, ir.IntType(32)(lane))
    equal = builder.icmp_signed("==", words, wanted)
    return builder.zext(builder.bitcast(equal, ir.IntType(LANES)), WORD)
