"""Memory with nothing before and behind it: a look beyond either end stops this process.

Both in machine code and uncompiled, where an address is looked at through ctypes.
"""

import ctypes
import mmap
from typing import Any

import numpy as np

from mantra.icc.memory import address_of

PAGE = mmap.PAGESIZE
PROT_NONE = 0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Guarded:
    """Room for `size` bytes between two pages that nobody may read or write."""

    def __init__(self, size: int):
        self.size = -(-size // PAGE) * PAGE
        self._bytes = np.frombuffer(mmap.mmap(-1, self.size + 2 * PAGE), np.uint8)
        self.begin = address_of(self._bytes) + PAGE
        self.end = self.begin + self.size
        for page in (self.begin - PAGE, self.end):
            if _libc.mprotect(page, PAGE, PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")

    def put(self, raw: bytes) -> int:
        """Address of `raw`, behind which no byte may be read."""
        assert len(raw) <= self.size
        ctypes.memmove(self.end - len(raw), raw, len(raw))
        return self.end - len(raw)

    def put_in_front(self, raw: bytes, behind: bytes) -> int:
        """Address of `raw`, before which no byte may be read; `behind` stands behind it."""
        ctypes.memmove(self.begin, raw + behind, len(raw + behind))
        return self.begin

    def records(self, count: int, dtype: np.dtype) -> Any:
        """`count` records, behind which none may be written."""
        begin = self._bytes.size - PAGE - count * dtype.itemsize
        return self._bytes[begin : self._bytes.size - PAGE].view(dtype)


TEXT = Guarded(1 << 23)  # the longest message of all tests has 5 MB
