"""Addresses and records: the only way here from an address to an array, and back.

Compiled code passes addresses (int64) between rooms, never arrays: one signature for every record
type, so a function is compiled once, and cached once. Within a room it may pass a record itself:
compiled code hands on its address. `records_at` turns an address into an array
of records where the fields are needed.

    update = records_at(address, 1, L2_UPDATE)[0]
    update['price'] += 1

Words of eight bytes, aligned or not, are read by `word_at`.

Always `record['field']`, never `record.field`: the latter does not run uncompiled.
"""

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin
from numba.np.arrayobj import make_array, populate_array

from mantra.compiled import emits

CACHE_LINE = 64


def address_of(data: Any) -> int:
    """Address of the first byte of an array or, compiled too, a record. The caller keeps it alive.

    publish(outlet, address_of(context["event"]))
    """
    array = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    return int(array.ctypes.data)


def record_type(*fields: str | tuple) -> np.dtype:
    """An aligned record: each text a format and the fields that have it, or a field as NumPy's.

    record_type("i8 ts_origin published", "i4 instrument", "(4,)i8 words", ("timing", TIMING))
    """
    spec: list = []
    for field in fields:
        if isinstance(field, str):
            kind, *names = field.split()
            spec += [(name, kind) for name in names]
        else:
            spec.append(field)
    return np.dtype(spec, align=True)


def offsets(record: np.dtype, names: str) -> list[int]:
    """Where fields of a record begin, in bytes: for words that are shared, or read another way."""
    return [record.fields[name][1] for name in names.split()]  # type: ignore[index]


def aligned_zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """`count` zeroed records whose first byte is on a cache line."""
    raw = np.zeros(count * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -address_of(raw) % CACHE_LINE
    return raw[start : start + count * dtype.itemsize].view(dtype)


def records_at(address: int, count: int, dtype: np.dtype) -> Any:
    """Array of `count` records of `dtype` over the memory at `address`: a view, no copy.

    `dtype` must be a module-level constant in compiled code. The memory must outlive the view;
    nothing checks that it is there.
    """
    window = (ctypes.c_char * (count * dtype.itemsize)).from_address(int(address))
    return np.frombuffer(memoryview(window), dtype)


@infer_global(address_of)
class _AddressOf(AbstractTemplate):
    def generic(self, arguments, keywords):
        return signature(types.int64, *arguments)


@lower_builtin(address_of, types.Record)
def _emit_address_of(context, builder, signature, arguments):
    return builder.ptrtoint(arguments[0], context.get_value_type(types.int64))


@infer_global(records_at)
class _RecordsAt(AbstractTemplate):
    def generic(self, arguments, keywords):
        _, _, dtype = arguments
        array = types.Array(dtype.dtype, 1, "C")
        return signature(array, types.int64, types.int64, dtype)


@lower_builtin(records_at, types.int64, types.int64, types.DType)
def _emit_records_at(context, builder, signature, arguments):
    address, count, _ = arguments
    array = make_array(signature.return_type)(context, builder)
    item = context.get_data_type(signature.return_type.dtype)
    size = context.get_constant(types.intp, context.get_abi_sizeof(item))
    data = builder.inttoptr(address, array.data.type)
    populate_array(array, data=data, shape=[count], strides=[size], itemsize=size, meminfo=None)
    return array._getvalue()


def word_at(address: int) -> Any:
    """The eight bytes at `address`, aligned or not, little-endian."""
    return ctypes.c_int64.from_address(int(address)).value


@emits(word_at, types.int64, types.int64)
def _emit_word_at(builder, address):
    return builder.load(builder.inttoptr(address, ir.IntType(64).as_pointer()), align=1)


def trailing_zeros(word: int) -> int:
    """Number of the lowest set bit, 0 to 63. `word` must not be 0."""
    return (int(word) & -int(word)).bit_length() - 1


@emits(trailing_zeros, types.int64, types.int64)
def _emit_trailing_zeros(builder, word):
    return builder.cttz(word, ir.Constant(ir.IntType(1), 1))
