"""Requests and answers, for a thread that may block.

In:        a method, a path, a weight as the venue counts it.
Out:       the answer, or a TransportError.
Must not know: what a venue calls an error; the answer's body is the caller's to read.

What may be tried again is: what was refused for its rate (429, and Binance's 418, a ban), since it
was not done; and, of what does no harm twice (RFC 9110, section 9.2.2), what failed. An order that
failed on its way may have arrived: the caller must look. Retry-After holds for the whole host.

Connections are kept alive and checked before they are used again, by urllib3. Certificates are
checked against the system's trust store, or `ca_file`, as in tls.py.
"""

import random
import ssl
import time
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import BaseHTTPResponse

from mantra.transport.limits import RateLimit, back_off_s
from mantra.transport.tls import TransportError

TRIES = 4
TIMEOUT_S = 10.0
PATIENCE_S = 60.0  # longer than that a thread does not wait: the refusal is the answer
REFUSED = (418, 429)
HARMLESS = ("GET", "HEAD", "PUT", "DELETE")


class RestClient:
    """One host; one thread at a time."""

    def __init__(self, base_url: str, limit: RateLimit, ca_file: str = "", clock: Any = time):
        self.base_url, self.limit, self.clock = base_url, limit, clock
        context = ssl.create_default_context(cafile=ca_file or None)
        self.http = urllib3.PoolManager(ssl_context=context, timeout=TIMEOUT_S)

    def request(self, method: str, path: str, weight: int = 1, **sent: Any) -> BaseHTTPResponse:
        """Send when the limit allows, again where that is right; the last answer.

        `sent` is `headers` and `body`. `clock` above has `monotonic` and `sleep`, as `time` has.
        """
        url, clock, limit = self.base_url + path, self.clock, self.limit
        for tried in range(1, TRIES + 1):
            clock.sleep(limit.wait_s(clock.monotonic(), weight))
            limit.take(clock.monotonic(), weight)
            harmless, wait_s = method in HARMLESS, back_off_s(tried, random.random)
            try:
                got = self.http.request(method, url, retries=False, **sent)
            except HTTPError as error:
                if tried == TRIES or not harmless or isinstance(error, SSLError):
                    raise TransportError(f"{method} {url} failed: {error}") from error
                clock.sleep(wait_s)
                continue
            if got.status in REFUSED:
                said = got.headers.get("Retry-After", "")
                wait_s = float(said) if said.isdecimal() else wait_s
                limit.block(clock.monotonic() + wait_s)
            elif got.status < 500 or not harmless:
                break
            if tried == TRIES or wait_s > PATIENCE_S:
                break
            clock.sleep(wait_s)
        return got
