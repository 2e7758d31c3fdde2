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
from collections.abc import Callable, Mapping
from typing import NamedTuple

import urllib3

from mantra.transport.limits import RateLimit, back_off_s
from mantra.transport.tls import TransportError

TRIES = 4
TIMEOUT_S = 10.0
PATIENCE_S = 60.0  # longer than that a thread does not wait: the refusal is the answer
REFUSED = (418, 429)
HARMLESS = ("GET", "HEAD", "PUT", "DELETE")


class Answer(NamedTuple):
    """Of a server: status, headers by any case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RestClient:
    """One host; one thread at a time."""

    def __init__(
        self,
        base_url: str,
        limit: RateLimit,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
    ):
        self.base_url, self.limit = base_url, limit
        self.clock, self.sleep, self.random = clock, sleep, random
        self.http = urllib3.PoolManager(
            ssl_context=ssl.create_default_context(cafile=ca_file), timeout=TIMEOUT_S
        )

    def request(
        self,
        method: str,
        path: str,
        weight: int = 1,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send when the limit allows, again where that is right; the last answer."""
        for tried in range(1, TRIES + 1):
            self.sleep(self.limit.wait_s(self.clock(), weight))
            self.limit.take(self.clock(), weight)
            again = tried < TRIES and method in HARMLESS
            try:
                got = self.http.request(
                    method, self.base_url + path, body, headers=headers, retries=False
                )
            except urllib3.exceptions.HTTPError as error:
                if again and not isinstance(error, urllib3.exceptions.SSLError):
                    self.sleep(back_off_s(tried, self.random))
                    continue
                raise TransportError(f"{method} {self.base_url}{path} failed: {error}") from error
            if got.status in REFUSED:
                said = got.headers.get("Retry-After", "")
                wait = float(said) if said.isdecimal() else back_off_s(tried, self.random)
                self.limit.block(self.clock() + wait)
                again = tried < TRIES and wait <= PATIENCE_S
            elif got.status < 500:
                again = False
            elif again:
                self.sleep(back_off_s(tried, self.random))
            if not again:
                break
        return Answer(got.status, got.headers, got.data)
