"""C functions by name: the same from Python and from compiled code."""

import ctypes
import os
import socket
import ssl
import zlib

import numpy as np
import pytest

from mantra.compiled import compiled
from mantra.icc.memory import address_of
from mantra.transport import foreign


@compiled
def move(target, source, length):
    return foreign.memmove(target, source, length)


@compiled
def receive(fd, target, length):
    return foreign.recv(fd, target, length, np.int64(0x40))


def test_the_library_is_the_interpreters_own():
    foreign.declare("OpenSSL_version_num", "l")
    assert foreign.OpenSSL_version_num() == ssl.OPENSSL_VERSION_NUMBER


def test_memory_moves_though_it_overlaps():
    data = np.arange(20, dtype=np.uint8)
    target = address_of(data) + 3
    assert move(target, address_of(data), np.int64(10)) == target
    assert data[:15].tolist() == [0, 1, 2, *range(10), 13, 14]


def test_a_negative_result_is_negative():
    with socket.socket() as one:
        one.setblocking(False)
        assert receive(np.int64(one.fileno()), 0, np.int64(0)) == -1
    assert foreign.epoll_ctl(-1, 1, 0, 0) == -1


def test_bytes_arrive():
    one, other = socket.socketpair()
    data = np.zeros(8, np.uint8)
    other.send(b"abc")
    assert receive(np.int64(one.fileno()), address_of(data), np.int64(8)) == 3
    assert data.tobytes() == b"abc" + bytes(5)
    one.close()
    other.close()


def test_an_unknown_name_is_said():
    with pytest.raises(AttributeError, match="SSL_nonsense is not declared"):
        foreign.SSL_nonsense()


@pytest.mark.parametrize("name", ["SSL_read", "inflate"])
def test_without_a_library_the_error_says_what_to_install(name):
    with pytest.raises(ImportError, match="install it"):
        foreign.find_library(f"{name} recv", "install it", os.devnull, "libm.so.6")


def test_zlib_is_the_interpreters_own():
    version = ctypes.string_at(foreign.zlibVersion()).decode()
    assert version == zlib.ZLIB_RUNTIME_VERSION
