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
    "reset": "the connection ends without a word",
    "split": "its frame comes byte by byte",
}
STALL_S = 0.3
CLOSE_CODES = (1001, 1006, 1008, 1011, 1012, 1013)


class Faults:
    """`odds` by fault: 0.001 is one message in a thousand. What was done is counted."""

    def __init__(self, odds: Mapping[str, float], seed: int = 1):
        """Raises ValueError for a fault that there is not."""
        if unknown := set(odds) - set(FAULTS):
            raise ValueError(f"no fault {sorted(unknown)}; there are: {', '.join(FAULTS)}")
        self.odds, self.dice = dict(odds), random.Random(seed)
        self.done: Counter[str] = Counter()

    def draw(self) -> str:
        """The fault of the next message, or ""."""
        drawn = self.dice.random()
        for fault, odds in self.odds.items():
            drawn -= odds
            if drawn < 0:
                self.done[fault] += 1
                return fault
        return ""

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
