"""What can go wrong between a venue and us, and the dice that say when.

In:        a text that is to be sent, the odds of each fault.
Out:       what is done instead.
Must not know: protocols.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping

FAULTS = {
    "drop": "the message is not sent",
    "duplicate": "it is sent twice",
    "reorder": "it comes after the next one",
    "corrupt": "a byte of it is another",
    "cut": "its second half is missing",
    "stall": "nothing is sent for STALL_S",
    "half-open": "nothing is sent any more, nothing is closed",
    "close": "the connection ends with a close code",
    "reset": "the connection is reset",
    "split": "its frame comes byte by byte",
    "refuse": "a request, or an upgrade, is answered: 429, Retry-After",
    "slow-tls": "the handshake of a connection trickles",
}
NOT_OF_MESSAGES = ("refuse", "slow-tls")
STALL_S = 0.3
RETRY_AFTER_S = 1
CLOSE_CODES = (1001, 1008, 1011, 1012, 1013)


class Faults:
    """`odds` by fault: 0.001 is one message in a thousand. What was done is counted.

    `books` counts those that were done to messages of books. Raises ValueError for a fault that
    there is not, and for odds that are none.
    """

    def __init__(self, odds: Mapping[str, float], seed: int = 1):
        if unknown := set(odds) - set(FAULTS):
            raise ValueError(f"no fault {sorted(unknown)}; there are: {', '.join(FAULTS)}")
        drawn = {name: odd for name, odd in odds.items() if name not in NOT_OF_MESSAGES}
        if min(odds.values(), default=0) < 0 or max(sum(drawn.values()), *odds.values(), 0) > 1:
            raise ValueError("odds are from 0 to 1, and those of all messages' faults together")
        self.odds, self.drawn, self.dice = dict(odds), drawn, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.books: Counter[str] = Counter()
        self.calm = False  # nothing is done

    @property
    def active(self) -> bool:
        """Whether messages have any."""
        return bool(self.drawn) and not self.calm

    def draw(self, book: bool) -> str:
        """The fault of the next message, or ""."""
        if self.calm:
            return ""
        drawn = self.dice.random()
        for fault, odds in self.drawn.items():
            drawn -= odds
            if drawn < 0:
                self.done[fault] += 1
                self.books[fault] += book
                return fault
        return ""

    def hits(self, fault: str) -> bool:
        """Whether a fault that is none of messages happens now."""
        hit = not self.calm and self.dice.random() < self.odds.get(fault, 0)
        self.done[fault] += hit
        return hit

    def damaged(self, fault: str, text: bytes) -> Iterator[bytes]:
        """The texts that are sent for one, by the faults that change texts."""
        if fault == "corrupt":
            at = self.dice.randrange(len(text))
            yield text[:at] + b"\x07" + text[at + 1 :]
        elif fault == "cut":
            yield text[: len(text) // 2]
        elif fault != "drop":
            yield text
        if fault == "duplicate":
            yield text
