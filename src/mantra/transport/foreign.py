"""Functions of C by name: libc's, and those of the OpenSSL and zlib that this interpreter uses.

In:        a name, the C types of its result and arguments.
Out:       a function for Python (through ctypes) and for compiled code (a plain call, some ns).
Must not know: what anybody does with it.

OpenSSL is found through the interpreter's own `_ssl`: the same library, patched with the system,
loaded once. Looking a name up in `_ssl` also looks in what it is linked against: libssl, libcrypto,
libc. zlib likewise through `zlib`. Constants below are macros of the headers, part of OpenSSL's
ABI since 1.1.1.
"""

import _ssl
import contextlib
import ctypes
import ctypes.util
import zlib
from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mantra.compiled import emits

# int; size_t, long, a returned pointer; a pointer handed in.
C_TYPES: dict[str, Any] = {"i": ctypes.c_int, "l": ctypes.c_int64, "p": ctypes.c_void_p}
SSL_WAITS, SSL_ERROR_ZERO_RETURN = (2, 3), 6  # SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE


def find_library(names: str, advice: str, *paths: str | None) -> ctypes.CDLL:
    """The first of the libraries that has all `names` in it. Raises ImportError with the advice."""
    for path in paths:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)  # None: the interpreter itself, if it is linked statically
            if all(hasattr(library, name) for name in names.split()):
                return library
    raise ImportError(advice)


_library = find_library(
    "SSL_read X509_verify_cert_error_string",
    "no OpenSSL library was found: install libssl3 (Debian, Ubuntu) or openssl-libs (Fedora)",
    getattr(_ssl, "__file__", None),
    ctypes.util.find_library("ssl"),
)
_zlib = find_library(
    "inflate inflateInit2_",
    "no zlib library was found: install zlib1g (Debian, Ubuntu) or zlib (Fedora)",
    getattr(zlib, "__file__", None),
    ctypes.util.find_library("z"),
)


def declare(name: str, result: str, arguments: str = "") -> None:
    """Make the C function `name` one of this module; its types as letters of C_TYPES."""
    function = getattr(_zlib if hasattr(_zlib, name) else _library, name)
    function.restype = C_TYPES[result]
    function.argtypes = [C_TYPES[letter] for letter in arguments]
    llvmlite.binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)

    def call(*values: int | bytes) -> int:
        return function(*[value if isinstance(value, bytes) else int(value) for value in values])

    def emit(builder, *values):
        kinds = [ir.IntType(ctypes.sizeof(C_TYPES[letter]) * 8) for letter in result + arguments]
        form = ir.FunctionType(kinds[0], kinds[1:])
        callee = cgutils.get_or_insert_function(builder.module, form, name)
        pairs = zip(values, kinds[1:], strict=True)
        got = builder.call(callee, [builder.trunc(v, k) if k.width < 64 else v for v, k in pairs])
        return builder.sext(got, ir.IntType(64)) if kinds[0].width < 64 else got

    call.__name__ = name
    globals()[name] = call  # where Numba looks for what it knows by name
    emits(call, types.int64, *[types.int64] * len(arguments))(emit)


def __getattr__(name: str) -> Callable[..., int]:
    """For the type checker: the names below are functions. None other is."""
    raise AttributeError(f"{name} is not declared in mantra.transport.foreign")


DECLARED = """
    memmove l ppl,  memchr l pil,  recv l ipli,  epoll_wait i ipii,  epoll_ctl i iiip,
    clock_gettime i ip,  clock_nanosleep i iipp,  setsockopt i iiipi,
    BIO_ctrl_pending l p,  BIO_new l p,  BIO_s_mem l,  BIO_write i ppi,
    ERR_clear_error i,  ERR_get_error l,  ERR_reason_error_string l l,
    SSL_connect i p,  SSL_ctrl l pilp,  SSL_free i p,  SSL_get_error i pi,
    SSL_get_verify_result l p,  SSL_new l p,  SSL_read i ppi,  SSL_set0_rbio i pp,
    SSL_set1_host i pp,  SSL_set_hostflags i pi,  SSL_set_wfd i pi,  SSL_shutdown i p,
    SSL_write i ppi,  TLS_client_method l,  SSL_CTX_new l p,  SSL_CTX_ctrl l pilp,
    SSL_CTX_set_verify i pip,  SSL_CTX_load_verify_locations i ppp,
    SSL_CTX_set_default_verify_paths i p,  X509_verify_cert_error_string l l,
    inflateInit2_ i pipi,  inflate i pi,  inflateReset i p,  inflateEnd i p,  zlibVersion l
"""
for _entry in DECLARED.split(","):
    declare(*_entry.split())
