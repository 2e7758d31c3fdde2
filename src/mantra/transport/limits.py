"""So much in so many seconds, as venues limit messages, connection attempts and requests.

In:        the time in seconds, a weight.
Out:       how long to wait.
Must not know: clocks: the time is handed in.

A venue counts in windows it does not show. What keeps to the limit in every window, wherever it
begins, keeps to it in the venue's; a bucket that refills would allow almost twice as much in one.
"""

from collections import deque
from collections.abc import Callable

BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 0.5, 60.0


class RateLimit:
    """At most `limit` of weight in any `seconds`."""

    def __init__(self, limit: int, seconds: float):
        self.limit, self.seconds = limit, seconds
        self.taken: deque[tuple[float, int]] = deque()
        self.used = 0
        self.blocked_until = float("-inf")

    def wait_s(self, now: float, weight: int = 1) -> float:
        """Seconds until `weight` may be taken; 0: now."""
        while self.taken and self.taken[0][0] <= now - self.seconds:
            self.used -= self.taken.popleft()[1]
        wait, over = max(0.0, self.blocked_until - now), self.used + weight - self.limit
        for at, past in self.taken:
            if over <= 0:
                break
            wait, over = max(wait, at + self.seconds - now), over - past
        return wait

    def take(self, now: float, weight: int = 1) -> None:
        """Count `weight`, allowed or not: what was sent was sent."""
        self.taken.append((now, weight))
        self.used += weight

    def block(self, until: float) -> None:
        """Nothing before `until`: the venue said so."""
        self.blocked_until = max(self.blocked_until, until)


def back_off_s(failures: int, random: Callable[[], float]) -> float:
    """Wait after the n-th failure in a row: anything up to a bound that doubles ("full jitter").

    Who lost their connections together must not come back together; of the usual ways to jitter
    this one makes the fewest attempts (M. Brooker, "Exponential Backoff And Jitter", 2015).
    """
    return random() * min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * 2 ** min(failures, 16))
