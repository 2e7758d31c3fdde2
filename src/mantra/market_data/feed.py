"""A feed: the memory in which books follow their venues, and the way in for Python.

In:        the run's tables, connections by number, bytes.
Out:       what take.py publishes and says.
Must not know: sockets, REST, who asks for what.
"""

from typing import Protocol

import numpy as np

from mantra.books.book import Book, new_book
from mantra.exchanges import codecs
from mantra.exchanges.bitfinex.checksum import TEXT_BYTES
from mantra.exchanges.decoded import DECODED, NO_ID
from mantra.exchanges.symbols import SYMBOL, SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data import phases, take
from mantra.messages import enums
from mantra.messages.records import L2_UPDATE
from mantra.messages.tables import Tables


class Outlets(Protocol):
    """What a feed publishes through: an actor's Spine, or whatever stands in for its queues."""

    @property
    def track_address(self) -> int: ...

    def outlet(self, queue_name: str) -> np.ndarray: ...


class Feed:
    """Owner of a FEED, and the way in for Python. One for each MarketDataHandler.

    `spare` instruments more than the tables hold now may be added to them while it is in use.
    """

    def __init__(self, spine: Outlets, tables: Tables, connections: int, spare: int = 0):
        count = len(tables.instruments) + spare
        self.connections = aligned_zeros(connections, take.CONNECTION)
        self.followed = aligned_zeros(count, take.FOLLOWED)
        self.decoded = aligned_zeros(1, DECODED)
        self._records = aligned_zeros(take.LEVELS_MAX, L2_UPDATE)
        self.bridged = np.zeros(count, bool)  # instruments whose bases come by REST
        self.books: list[Book] = []
        self.serial = 0  # of the connection opened last
        self._indexes: dict[int, SymbolIndex] = {}
        self._tables = tables
        self.connections["last_id"] = NO_ID
        self.followed["connection"] = -1
        self.record = aligned_zeros(1, take.FEED)
        feed = self.record[0]
        for name in ("l2", "trades", "events"):
            feed[name] = address_of(spine.outlet(name))
        self._scratch = aligned_zeros(TEXT_BYTES, np.dtype("u1"))
        feed["scratch"] = address_of(self._scratch)
        feed["track"], feed["decoded"] = spine.track_address, address_of(self.decoded)
        feed["records"], feed["capacity"] = address_of(self._records), take.LEVELS_MAX
        feed["connections"] = address_of(self.connections)
        feed["followed"] = address_of(self.followed)
        feed["empty"]["flags"] = enums.FIRST | enums.LAST | enums.SNAPSHOT
        self.grow()

    def grow(self) -> None:
        """Books for the instruments that the tables have and it has not."""
        for number in range(len(self.books), len(self._tables.instruments)):
            self.books.append(new_book())
            self.followed[number]["book"] = self.books[number].address
            row = self._tables.instruments[number]
            if int(row["venue"]) in self._indexes:
                self._indexes[int(row["venue"])].add(row)
        self.record["instruments"] = len(self.books)

    @property
    def address(self) -> int:
        return address_of(self.record)

    def index(self, venue: int) -> SymbolIndex:
        """The symbols of a venue, made once."""
        if venue not in self._indexes:
            spare = len(self.followed) - len(self.books)
            self._indexes[venue] = SymbolIndex(self._tables, venue, spare)
        return self._indexes[venue]

    def name(self, instrument: int) -> str:
        return self._tables.instrument_name(instrument)

    def book(self, instrument: int) -> int:
        """Address of the book kept here."""
        return int(self.followed[instrument]["book"])

    def open(self, connection: int, codec: str, venue: int, *, bridged: bool) -> None:
        """A connection begins: nothing of it is known yet."""
        self.serial += 1
        row = self.connections[connection]
        row["serial"] = self.serial
        row["codec"], row["venue"], row["bridged"] = codecs.CODECS.index(codec), venue, bridged
        row["index"], row["last_id"] = self.index(venue).address, NO_ID

    def close(self, connection: int) -> None:
        """A connection is no more: others will have its row."""
        self.connections[connection] = np.zeros((), take.CONNECTION)
        self.connections[connection]["last_id"] = NO_ID

    def drop(self, instrument: int) -> None:
        """Nobody wants the instrument any more: its book is off."""
        self.followed[instrument]["connection"] = take.UNWANTED
        take.happen(address_of(self.followed) + instrument * take.FOLLOWED_BYTES, phases.CUT)

    def ask(self, connection: int, instrument: int) -> None:
        """The instrument's book, or a new base of it, has been asked for on this connection."""
        followed = self.followed[instrument]
        followed["connection"] = connection
        self.bridged[instrument] = self.connections[connection]["bridged"]
        row = self._tables.instruments[instrument]
        followed["slot"] = self.index(int(row["venue"])).slot(row["symbol"].decode())
        own = address_of(self.followed) + instrument * take.FOLLOWED_BYTES
        records_at(int(followed["slot"]), 1, SYMBOL)[0]["near"] = own, followed["book"]
        take.happen(own, phases.ASKED)

    def take(self, connection: int, raw: bytes, received: int, instrument: int = -1) -> int:
        """`take_message` for bytes in Python's hands; `instrument` names what the text does not."""
        text = address_of(np.frombuffer(raw, np.uint8))  # lives as long as `raw`
        unnamed = int(self.followed[instrument]["slot"]) if instrument >= 0 else 0
        return int(take.take_message(self.address, connection, text, len(raw), received, unnamed))

    def phase(self, instrument: int) -> str:
        return phases.PHASES[self.followed[instrument]["phase"]]
