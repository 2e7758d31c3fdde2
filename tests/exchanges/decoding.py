"""Instruments with a venue's decoder around them, and what its naive twin reads in the same bytes.

Every text lies at the end of readable memory, and so does the room for records: a decoder that
looks at a byte too many, or writes a record too many, ends the process.
"""

from collections.abc import Callable

from mantra.exchanges import decoded
from mantra.exchanges.decoded import DECODED, STATUSES
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.records import L2_UPDATE
from mantra.messages.tables import Tables
from tests.exchanges.guarded import TEXT, Guarded
from tests.exchanges.naive import RefusedError

CAPACITY = 12_000  # the largest recorded snapshot of most venues has 7,389 levels


class Venue:
    """What all venues' decoders are tested with; a venue adds `said`."""

    def __init__(
        self,
        name: str,
        read: Callable,
        twin: Callable[..., dict],
        exponents: dict[str, tuple[int, int]],
        unnamed: str = "",
        capacity: int = CAPACITY,
    ):
        """`read` is the decoder, `twin` its naive twin: (bytes, symbols, symbol if it names none).

        `exponents`: decimals of prices, of volumes, by symbol.
        """
        self.read, self.twin, self.unnamed, self.capacity = read, twin, unnamed, capacity
        self.tables = Tables()
        venue, asset = self.tables.add_venue(name), self.tables.add_asset("?", 18)
        self.symbols = {}
        for symbol, (price, volume) in exponents.items():
            facts = {"price_exponent": price, "volume_exponent": volume}
            number = self.tables.add_instrument(venue, symbol, asset, asset, **facts)
            self.symbols[symbol] = number, price, volume
        self.index = SymbolIndex(self.tables, venue)
        self.index_address = self.index.address
        self.room = Guarded(capacity * L2_UPDATE.itemsize)
        self.records = self.room.records(capacity, L2_UPDATE)
        self.result = aligned_zeros(1, DECODED)

    def decode_at(self, address: int, length: int, unnamed: str = "", capacity: int | None = None):
        """Decode text where it is. Room is for `capacity` records, and for no more."""
        unnamed, capacity = unnamed or self.unnamed, self.capacity if capacity is None else capacity
        self.records = self.room.records(capacity, L2_UPDATE)
        slot = self.index.slot(unnamed) if unnamed else 0
        rooms = self.room.end - capacity * L2_UPDATE.itemsize, capacity, address_of(self.result)
        status = self.read(address, length, self.index_address, slot, *rooms)
        assert status == self.result[0]["status"]
        return self.result[0]

    def decode(self, raw: bytes, unnamed: str = "", capacity: int | None = None):
        return self.decode_at(TEXT.put(raw), len(raw), unnamed, capacity)

    def said(self) -> dict:
        """The last result in the naive twin's words."""
        raise NotImplementedError

    def expected(self, raw: bytes, unnamed: str = "") -> dict:
        """What the naive twin reads. Raises RefusedError."""
        return self.twin(raw, self.symbols, unnamed or self.unnamed)

    def reset(self) -> None:
        """Forget what messages have changed: nothing, at most venues."""

    def assert_refused(self, raw: bytes) -> None:
        """The last message was refused, at a byte of it and for a reason, and left nothing."""
        assert 0 < self.result[0]["status"] < len(STATUSES), raw
        assert 0 <= self.result[0]["position"] <= len(raw), raw
        assert self.result[0]["count"] == 0, raw


def assert_same_as_naive(venue: Venue, raw: bytes, unnamed: str = "") -> dict:
    expected = venue.expected(raw, unnamed)
    result = venue.decode(raw, unnamed)
    reason = STATUSES[result["status"]], raw[int(result["position"]) :][:60]
    assert result["status"] == decoded.OK, (reason, raw[:200])
    assert venue.said() == expected, raw[:200]
    return expected


def assert_never_misread(venue: Venue, raw: bytes) -> bool:
    """Whatever is accepted is sound, and says what the naive twin reads in it: whether it was."""
    venue.reset()
    if venue.decode(raw)["status"] != decoded.OK:
        venue.assert_refused(raw)
        return False
    said = venue.said()
    venue.reset()
    try:
        expected = venue.expected(raw)
    except RefusedError as error:
        raise AssertionError(f"accepted {raw!r}; the naive twin: {error}") from None
    assert said == expected, raw
    return True
