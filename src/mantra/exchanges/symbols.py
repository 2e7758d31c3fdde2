"""A venue's symbol -> instrument and exponents, for compiled decoders: open addressing, no objects.

In:        the run's tables, a venue.
Out:       the address of a SYMBOL slot for the bytes of a symbol, or 0.
Must not know: how a venue spells its messages.

ASCII letters are folded to upper case: venues write the same symbol both ways (Binance: BTCUSDT in
a message, btcusdt in the name of its stream).
"""

import numpy as np

from mantra.books.machine import multiply_modulo
from mantra.books.table import FIRST_FACTOR, SECOND_FACTOR
from mantra.compiled import compiled
from mantra.icc.atomics import prefetch
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, record_type, records_at
from mantra.messages.decimals import byte_at
from mantra.messages.tables import NAME_BYTES, Tables

WORDS = NAME_BYTES // 8
HOME_SHIFT = 39  # the best mixed of 63 bits: 24 are left, for 8 million symbols
SMALL_A, SMALL_Z, CASE_BIT = ord("a"), ord("z"), 0x20

# A cache line. `near` is what its owner needs when the symbol is met: NEAR_LINES lines at each of
# two addresses; 0: nothing. A slot without a symbol has 0 in its first word.
#
#   0                        24         32               40                48
#   +------------------------+----------+----------------+-----------------+-----------------+
#   | symbol, folded, packed |instrument| price_exponent | volume_exponent |   near, twice   |
#   +------------------------+----------+----------------+-----------------+-----------------+
SYMBOL = record_type(
    f"({WORDS},)i8 words", "i8 instrument price_exponent volume_exponent", "(2,)i8 near"
)
SYMBOL_BYTES = SYMBOL.itemsize
NEAR_LINES = 5
assert SYMBOL_BYTES == CACHE_LINE
SYMBOL_INDEX = record_type("i8 slots mask")


@compiled
def fold_word(text, length, first):
    """Bytes `first` to `first` + 8 of a text of `length` bytes, folded, as one int64."""
    packed = np.int64(0)
    for i in range(first, min(length, first + 8)):
        byte = byte_at(text + i)
        if SMALL_A <= byte <= SMALL_Z:
            byte -= CASE_BIT
        packed |= byte << (8 * (i - first))
    return packed


@compiled
def _home(word_0, word_1, word_2):
    """A symbol's preferred slot, before the mask: every bit of the name tells in it.

    Names differ in a digit or two, and a whole listing must not crowd together.
    """
    mixed = multiply_modulo(word_0, FIRST_FACTOR)
    mixed = multiply_modulo((mixed >> 32) ^ mixed ^ word_1, SECOND_FACTOR)
    mixed = multiply_modulo((mixed >> 32) ^ mixed ^ word_2, FIRST_FACTOR)
    return mixed >> HOME_SHIFT


@compiled
def find_symbol(index_address, text, length):
    """Address of the SYMBOL whose name is the `length` bytes at `text`; 0 if there is none."""
    if length < 1 or length > NAME_BYTES:
        return np.int64(0)
    index = records_at(index_address, 1, SYMBOL_INDEX)[0]
    word_0 = fold_word(text, length, np.int64(0))
    word_1 = fold_word(text, length, np.int64(8))
    word_2 = fold_word(text, length, np.int64(16))
    at = _home(word_0, word_1, word_2) & index["mask"]
    while True:
        address = index["slots"] + at * SYMBOL_BYTES
        slot = records_at(address, 1, SYMBOL)[0]
        words = slot["words"]
        if words[0] == 0:
            return np.int64(0)
        if words[0] == word_0 and words[1] == word_1 and words[2] == word_2:
            return np.int64(address)
        at = (at + 1) & index["mask"]


@compiled
def fetch_near(slot_address):
    """Ask for what the symbol's owner needs: it comes while the rest of the message is read."""
    slot = records_at(slot_address, 1, SYMBOL)[0]
    for i in range(2):
        if slot["near"][i] != 0:
            for line in range(NEAR_LINES):
                prefetch(slot["near"][i] + line * CACHE_LINE)


class SymbolIndex:
    """The symbols of one venue. `address` goes to compiled code; keep the object alive.

    `spare` more can be added later.
    """

    def __init__(self, tables: Tables, venue: int, spare: int = 0):
        """Raises ValueError when two symbols of the venue differ by case only."""
        rows = tables.instruments[tables.instruments["venue"] == venue]
        # At most half full: probes stay short.
        capacity = 1 << (2 * (len(rows) + spare) + 1).bit_length()
        self._slots = aligned_zeros(capacity, SYMBOL)
        self._index = aligned_zeros(1, SYMBOL_INDEX)
        self._index[0] = (address_of(self._slots), capacity - 1)
        for row in rows:
            self.add(row)

    @property
    def address(self) -> int:
        return address_of(self._index)

    def slot(self, symbol: str) -> int:
        """Address of a symbol's slot. Raises LookupError."""
        raw = np.frombuffer(symbol.encode() + b"\0", np.uint8)
        slot = int(find_symbol(self.address, address_of(raw), len(raw) - 1))
        if slot == 0:
            raise LookupError(f"symbol {symbol!r} is not in this venue's index")
        return slot

    def add(self, row: np.void) -> None:
        """Add an INSTRUMENT. Raises ValueError as above."""
        symbol = row["symbol"].decode()
        raw = np.frombuffer(row["symbol"] + b"\0", np.uint8)
        if find_symbol(self.address, address_of(raw), len(raw) - 1):
            raise ValueError(f"symbol {symbol!r}: another of this venue differs by case only")
        words = [fold_word(address_of(raw), len(raw) - 1, 8 * i) for i in range(WORDS)]
        at = int(_home(*words)) & int(self._index[0]["mask"])
        while self._slots[at]["words"][0]:
            at = (at + 1) % len(self._slots)
        facts = [int(row[name]) for name in ("id", "price_exponent", "volume_exponent")]
        self._slots[at] = (words, *facts, 0)
