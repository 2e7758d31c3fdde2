"""What a MarketDataHandler says of itself while it runs: two vectors, written once a second.

    <name>-venues     VENUE_STATUS by venue id: connections and messages
    <name>-followed   FOLLOWED by instrument id: phases and counts

In:        the handler's own records; from the other side a run's name.
Out:       rows; from the other side a table of venues, and of instruments.
Must not know: who shows them.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.icc.seqlock_vector import Vector, attach, try_read_row, write_row
from mantra.market_data.phases import OFF, PHASES
from mantra.market_data.take import FEED, FOLLOWED, FOLLOWED_BYTES
from mantra.messages.tables import Tables
from mantra.telemetry.clock import ticks_to_utc_ns

# streams          that there shall be; connections: open now
# silent_ms        since the last message of any connection
# lag_us           of the last message, from the venue's clock to its read: both clocks' errors too
# at_ms            of the monotonic clock, when this was said
# raw_dropped      frames that no raw file holds; raw_full: 1 while none can be written
VENUE_STATUS = record_type(
    "i8 streams connections messages bytes heartbeats unknown refused lost complaints silent_ms",
    "i8 lag_us checks drifts listed delisted raw_bytes raw_dropped raw_full at_ms",
)
# What CONNECTION counts too, and, of FOLLOWED, what is shown of each instrument.
COUNTS = ("messages", "bytes", "heartbeats", "unknown", "refused", "lost")
OF_BOOK = ("gaps", "checked", "mismatches", "crossings", "drifts")
OF_INSTRUMENT = ("messages", "levels", "trades", "old", *OF_BOOK)


def vectors(name: str, venues: int, instruments: int) -> dict[str, tuple[np.dtype, int]]:
    """The vectors of a handler, as `Actor.vectors` wants them."""
    return {
        f"{name}-venues": (VENUE_STATUS, max(venues, 1)),
        f"{name}-followed": (FOLLOWED, max(instruments, 1)),
    }


@compiled
def write_followed(feed_address, vector_address, first, count):
    """`count` FOLLOWED rows of a feed, or what there is from `first` on, into the vector."""
    feed = records_at(feed_address, 1, FEED)[0]
    for instrument in range(first, min(first + count, feed["instruments"])):
        write_row(vector_address, instrument, feed["followed"] + instrument * FOLLOWED_BYTES)


def add_connections(rows: np.ndarray, links: np.ndarray, fix: np.ndarray) -> None:
    """Add to VENUE_STATUS by venue what the open CONNECTIONs have counted, and the newest's lag."""
    np.add.at(rows["connections"], links["venue"], 1)
    for count in COUNTS:
        np.add.at(rows[count], links["venue"], links[count])
    for number, row in enumerate(rows):
        own = links[links["venue"] == number]
        if len(own) and own["received"].max() > 0:
            last = own[own["received"].argmax()]
            read_at = ticks_to_utc_ns(int(last["received"]), fix)
            row["silent_ms"] = max(time.time_ns() - read_at, 0) // 1_000_000
            row["lag_us"] = (read_at - int(last["ts_exchange"])) // 1_000


def add_raw(row: np.void, facts: Mapping[str, int]) -> None:
    """Add what RawFiles.status says."""
    row["raw_bytes"], row["raw_dropped"] = facts["bytes"], facts["dropped"]
    row["raw_full"] = facts["full"]


def rows_of(vector: Vector, record: np.dtype) -> np.ndarray:
    """All rows of a vector, as they are now."""
    rows = aligned_zeros(int(vector.handle[0]["rows"]), record)
    for number in range(len(rows)):
        target = address_of(rows) + number * record.itemsize
        try_read_row(address_of(vector.handle), number, target)
    return rows


class Status:
    """The reading side, in any process. Raises SegmentError if there is no such handler."""

    def __init__(self, run: str, name: str):
        self._vectors = [
            (attach(run, vector, record, writable=False), record)
            for vector, (record, _) in vectors(name, 1, 1).items()
        ]

    def venues(self, tables: Tables) -> list[dict[str, Any]]:
        """A row a venue: VENUE_STATUS, and how many of its instruments are in each phase."""
        status, followed = (rows_of(*vector) for vector in self._vectors)
        of_venue = tables.instruments["venue"]
        found = []
        for number, venue in enumerate(tables.venues["name"]):
            own = followed[: len(of_venue)][of_venue == number]
            counts = Counter(PHASES[phase] for phase in own["phase"])
            row = {"venue": venue.decode(), "instruments": len(own), "phases": dict(counts)}
            row |= {key: int(own[key].sum()) for key in ("levels", "trades", "gaps")}
            found.append(row | {key: int(status[number][key]) for key in VENUE_STATUS.names or ()})
        return found

    def instruments(self, tables: Tables) -> dict[str, dict[str, Any]]:
        """What is counted of each instrument, by its name; those never followed are left out."""
        rows = rows_of(*self._vectors[1])
        return {
            tables.instrument_name(number): {"phase": PHASES[row["phase"]]}
            | {key: int(row[key]) for key in OF_INSTRUMENT}
            for number, row in enumerate(rows[: len(tables.instruments)])
            if row["phase"] != OFF or row["messages"]
        }
