"""A TLS session of a client that verifies: trust store, host name, server name indication.

In:        a connected socket's number, a host's name, encrypted bytes as they were received.
Out:       a session whose SSL and memory BIO compiled code reads with; errors that are sentences.
Must not know: HTTP, WebSockets.

TLS 1.2 or later; the system's trust store (or a file of CAs, for tests and private venues); the
name is checked against the certificate, by OpenSSL. Nothing here can turn that off.

OpenSSL reads from memory and writes to the socket itself. Writing is rare here.
"""

import ctypes
import functools

import numpy as np

from mantra.icc.memory import address_of
from mantra.transport import foreign

SSL_VERIFY_PEER = 1
SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION = 123, 0x0303
SSL_CTRL_MODE, PARTIAL_WRITE, MOVING_WRITE_BUFFER = 33, 1, 2
SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4

READ_BYTES = 16_384


class TransportError(Exception):
    """A connection cannot be made or go on: a sentence that names host and reason."""


@functools.cache
def client_context(ca_file: str | None = None) -> int:
    """The SSL_CTX of all sessions that trust `ca_file`, or the system's store; never freed."""
    context = foreign.SSL_CTX_new(foreign.TLS_client_method())
    foreign.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, 0)
    foreign.SSL_CTX_ctrl(context, SSL_CTRL_MODE, PARTIAL_WRITE | MOVING_WRITE_BUFFER, 0)
    foreign.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, 0)
    if ca_file is None:
        trusted = foreign.SSL_CTX_set_default_verify_paths(context)
    else:
        trusted = foreign.SSL_CTX_load_verify_locations(context, ca_file.encode(), 0)
    if trusted != 1:
        raise TransportError(f"no certificates of CAs could be read from {ca_file or 'the system'}")
    return context


class TlsSession:
    """One session; `receive` it what the socket has, and ask again."""

    def __init__(self, fd: int, host: str, ca_file: str | None = None):
        self.host = host
        self.ssl = foreign.SSL_new(client_context(ca_file))
        self.bio = foreign.BIO_new(foreign.BIO_s_mem())
        foreign.SSL_set_wfd(self.ssl, fd)
        foreign.SSL_set0_rbio(self.ssl, self.bio)  # its own from here on
        foreign.SSL_set_hostflags(self.ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
        if not host or foreign.SSL_set1_host(self.ssl, host.encode()) != 1:
            raise TransportError(f"{host!r} is no name that a certificate could be for")
        if ":" not in host and not host.replace(".", "").isdigit():  # RFC 6066: not for addresses
            foreign.SSL_ctrl(self.ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, host.encode())
        foreign.ERR_clear_error()

    def handshake(self) -> bool:
        """One step; True when it is done and the certificate is good."""
        done = foreign.SSL_connect(self.ssl)
        return done == 1 or self._wait(done)

    def receive(self, encrypted: bytes) -> None:
        """Hand in what the socket had."""
        foreign.BIO_write(self.bio, encrypted, len(encrypted))

    def read(self) -> bytes:
        """What is decrypted; b"" for nothing yet."""
        buffer = np.empty(READ_BYTES, np.uint8)
        got = foreign.SSL_read(self.ssl, address_of(buffer), READ_BYTES)
        return buffer[:got].tobytes() if got > 0 or self._wait(got) else b""

    def write(self, data: bytes) -> int:
        """How many bytes were taken; 0: not now."""
        taken = foreign.SSL_write(self.ssl, data, len(data))
        return taken if taken > 0 or self._wait(taken) else 0

    def close(self) -> None:
        """Say goodbye, without waiting for an answer. The SSL is gone after this."""
        foreign.SSL_shutdown(self.ssl)
        foreign.SSL_free(self.ssl)
        foreign.ERR_clear_error()
        self.ssl = self.bio = 0

    def _wait(self, result: int) -> bool:
        """False: OpenSSL waits for the socket. An error raises."""
        if foreign.SSL_get_error(self.ssl, result) in foreign.SSL_WAITS:
            return False
        raise TransportError(f"TLS with {self.host} failed: {self.reason()}")

    def reason(self) -> str:
        """Why it failed, in words."""
        verified = foreign.SSL_get_verify_result(self.ssl)
        if verified != 0:
            text = ctypes.string_at(foreign.X509_verify_cert_error_string(verified)).decode()
            foreign.ERR_clear_error()
            return f"its certificate is refused: {text}"
        text_address = foreign.ERR_reason_error_string(foreign.ERR_get_error())
        foreign.ERR_clear_error()
        return ctypes.string_at(text_address).decode() if text_address else "it ended the session"
