"""Certificates that are good, and those that must be refused, each in words; TLS that is slow."""

import contextlib
import socket
import ssl

import pytest

from mantra.transport import tls
from mantra.transport.tls import TlsSession, TransportError, client_context

REFUSALS = {
    "expired": "certificate has expired",
    "not_yet": "certificate is not yet valid",
    "wrong_host": "hostname mismatch",
    "untrusted": "unable to get local issuer certificate",
    "self_signed": "self-signed certificate",
}


def shake_hands(url: str, ca_file: str | None, host: str = "localhost"):
    """A finished handshake: (session, socket); or an error."""
    port = int(url.rsplit(":", 1)[1])
    connected = socket.create_connection(("127.0.0.1", port), timeout=5)
    session = TlsSession(connected.fileno(), host, ca_file)
    try:
        while not session.handshake():
            session.receive(connected.recv(7))  # a few bytes at a time
    except BaseException:
        connected.close()
        session.close()
        raise
    return session, connected


def test_a_good_certificate_is_accepted_and_bytes_go_both_ways(server):
    session, connected = shake_hands(server.good, server.ca)
    request = b"GET /header HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert session.write(request) == len(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        session.receive(connected.recv(7))
        answer += session.read()
    assert answer.startswith(b"HTTP/1.1 ")
    session.close()
    connected.close()


@pytest.mark.parametrize("name", REFUSALS)
def test_a_bad_certificate_is_refused_in_words(server, name):
    with pytest.raises(TransportError) as refused:
        shake_hands(getattr(server, name), server.ca)
    assert str(refused.value).startswith("TLS with localhost failed: its certificate is refused: ")
    assert REFUSALS[name] in str(refused.value)


def test_the_systems_trust_store_does_not_know_our_ca(server):
    with pytest.raises(TransportError, match="issuer certificate"):
        shake_hands(server.good, None)


def test_a_good_certificate_is_not_good_for_another_name(server):
    for host in ("localhost.example", "127.0.0.1", "alhost"):
        with pytest.raises(TransportError, match="mismatch"):
            shake_hands(server.good, server.ca, host)


@pytest.mark.parametrize("name", REFUSALS)
def test_no_stream_opens_with_a_bad_certificate(server, client, name):
    client.open(getattr(server, name), ca_file=server.ca)
    assert REFUSALS[name] in client.until_said("closed")
    assert [what for what, _, _ in client.said] == ["closed"]


def test_old_tls_is_refused():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        connected = stack.enter_context(socket.create_connection(listener.getsockname()))
        session = TlsSession(connected.fileno(), "localhost")
        session.handshake()
        peer = stack.enter_context(listener.accept()[0])
        hello = peer.recv(4096)
        assert b"localhost" in hello  # the server name
        assert b"\x03\x04" in hello  # TLS 1.3 is offered
        # A ServerHello of TLS 1.1: version 0302, 32 random bytes, no session, a suite of its time.
        body = b"\x03\x02" + bytes(32) + b"\x00\xc0\x13\x00"
        hello = b"\x02" + len(body).to_bytes(3, "big") + body
        session.receive(b"\x16\x03\x02" + len(hello).to_bytes(2, "big") + hello)
        with pytest.raises(TransportError, match="unsupported protocol"):
            session.handshake()
        session.close()


def test_what_is_no_tls_is_refused():
    one, other = socket.socketpair()
    session = TlsSession(one.fileno(), "localhost")
    session.handshake()
    session.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(TransportError, match="TLS with localhost failed: wrong version number"):
        session.handshake()
    session.close()
    one.close()
    other.close()


def test_without_a_name_to_check_there_is_no_session():
    with pytest.raises(TransportError, match="'' is no name"):
        TlsSession(0, "")


def test_a_ca_file_that_is_none_is_said(tmp_path):
    with pytest.raises(TransportError, match="no certificates of CAs could be read from"):
        client_context(str(tmp_path / "absent.pem"))


def test_verification_is_on_by_openssls_own_account():
    tls.foreign.declare("SSL_CTX_get_verify_mode", "i", "p")
    assert tls.foreign.SSL_CTX_get_verify_mode(client_context()) == ssl.CERT_REQUIRED - 1
