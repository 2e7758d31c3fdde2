"""One message of a venue, decoded, checked, applied, published: compiled, straight down the page.

In:        a message's bytes, the connection it came on, the moment it was read.
Out:       [l2] [trades] [events]; what Python has to do about it, if anything.
Must not know: sockets, REST, who asks for what.

Every book is kept here too: it is what checksums are held against, shows a crossed one, and cuts
what lies beyond the depth the venue serves. A group is applied and checked first, and published
only if the book is right with it; so no reader ever sees a level of a broken book.

A break is told on [events] before anything else (EVENT_GAP), its repair after the new base
(EVENT_RESYNC); in between the instrument is silent.
"""

import numpy as np

from mantra.actors.spine import Spine
from mantra.books.book import apply_update, best_price, new_book
from mantra.compiled import compiled
from mantra.exchanges import bridging, codecs, decoded
from mantra.exchanges.decoded import DECODED, NO_ID
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data import phases
from mantra.messages import enums
from mantra.messages.records import L2_UPDATE, SYSTEM_EVENT
from mantra.messages.tables import Tables
from mantra.telemetry.tracked import TRACK, send

# What Python has to do about a message.
NOTHING = 0
CONTROL = 1  # read it: an answer to a subscription, an error, the state of the venue
REFUSED = 2  # count it by reason, keep it raw
KEEP = 3  # a change without a base: keep a copy, hand it in again behind the base
BROKEN = 4  # ask for a new base of DECODED.instrument; where snapshots come by REST, KEEP as well
CUT_OFF = 5  # the connection lost messages, nobody knows whose: all its books are broken
LEVELS_MAX = 1 << 17  # of one message: Coinbase's BTC-USD has 44,000

TODO = ("nothing", "control", "refused", "keep", "broken", "cut off")

CONNECTION = np.dtype(
    [
        ("codec", "i8"),
        ("venue", "i8"),  # id in the tables
        ("index", "i8"),  # address of what the codec finds symbols or channels in
        ("bridged", "i8"),  # 1: bases come by REST, changes must join them
        ("last_id", "i8"),  # number of its last message; NO_ID: it has none, or none came yet
        ("messages", "i8"),
        ("bytes", "i8"),
        ("heartbeats", "i8"),
        ("unknown", "i8"),
        ("refused", "i8"),
        ("lost", "i8"),  # messages, by the venue's count
        ("received", "i8"),  # ticks of the last message
    ],
    align=True,
)

FOLLOWED = np.dtype(  # a book that follows, by instrument id
    [
        ("bridge", bridging.BRIDGE),
        ("phase", "i8"),
        ("connection", "i8"),
        ("book", "i8"),  # address
        ("depth", "i8"),  # levels a side that the venue serves; 0: all
        ("messages", "i8"),
        ("levels", "i8"),  # published
        ("trades", "i8"),
        ("old", "i8"),  # changes that were in the book already
        ("gaps", "i8"),
        ("checked", "i8"),  # checksums
        ("mismatches", "i8"),
        ("crossings", "i8"),
        ("illegal", "i8"),  # happenings that the table of phases does not have
    ],
    align=True,
)

FEED = np.dtype(
    [
        ("track", "i8"),
        ("l2", "i8"),  # outlets
        ("trades", "i8"),
        ("events", "i8"),
        ("decoded", "i8"),  # address of the DECODED
        ("records", "i8"),  # room for the records of one message
        ("capacity", "i8"),
        ("connections", "i8"),  # address of CONNECTION rows
        ("followed", "i8"),  # address of FOLLOWED rows by instrument id
        ("instruments", "i8"),  # how many
        ("event", SYSTEM_EVENT),
        ("empty", L2_UPDATE),  # an empty snapshot
    ],
    align=True,
)
CONNECTION_BYTES, FOLLOWED_BYTES = CONNECTION.itemsize, FOLLOWED.itemsize
L2_BYTES = L2_UPDATE.itemsize
BRIDGE_AT = FOLLOWED.fields["bridge"][1]  # type: ignore[index]
EVENT_AT = FEED.fields["event"][1]  # type: ignore[index]

assert BRIDGE_AT == 0


@compiled
def take_message(feed_address, connection, text, length, received, unnamed):
    """Take a message that was read at `received` ticks; what Python has to do about it.

    `unnamed` is the SYMBOL slot of a snapshot that was asked for by REST, else 0.
    """
    feed = records_at(feed_address, 1, FEED)[0]
    link_address = feed["connections"] + connection * CONNECTION_BYTES
    link = records_at(link_address, 1, CONNECTION)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    records_at(feed["track"], 1, TRACK)[0]["origin"] = received
    link["messages"] += 1
    link["bytes"] += length
    link["received"] = received
    status = codecs.decode(
        link["codec"],
        text,
        length,
        link["index"],
        unnamed,
        feed["records"],
        feed["capacity"],
        feed["decoded"],
    )
    if status != decoded.OK:
        link["refused"] += 1
        return np.int64(REFUSED)
    number, last = result["connection_id"], link["last_id"]
    todo = np.int64(NOTHING)
    if number != NO_ID:
        link["last_id"] = number
        if last != NO_ID and number != last + 1:
            link["lost"] += max(number - last - 1, 1)
            _break_all(feed_address, connection, number - last - 1)
            todo = np.int64(CUT_OFF)
    kind = result["kind"]
    if kind in (decoded.DEPTH, decoded.SNAPSHOT):
        return max(todo, _take_groups(feed_address, connection))
    if kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
        _publish_trades(feed_address)
    elif kind == decoded.HEARTBEAT:
        link["heartbeats"] += 1
    elif kind == decoded.CONTROL:
        return np.int64(CONTROL)
    elif kind == decoded.UNKNOWN:
        link["unknown"] += 1
    return todo


@compiled
def happen(followed_address, happening):
    """Go to the phase that the table says; the phase before. What is illegal is counted."""
    followed = records_at(followed_address, 1, FOLLOWED)[0]
    before = followed["phase"]
    after = phases.NEXT_PHASE[before, happening]
    if after == phases.ILLEGAL:
        followed["illegal"] += 1
    else:
        followed["phase"] = after
    return before


@compiled
def tell(feed_address, connection, kind, instrument, value):
    """Publish a SystemEvent; `instrument` -1: of the whole connection."""
    feed = records_at(feed_address, 1, FEED)[0]
    link = records_at(feed["connections"] + connection * CONNECTION_BYTES, 1, CONNECTION)[0]
    event = feed["event"]
    event["ts_exchange"] = records_at(feed["decoded"], 1, DECODED)[0]["ts_exchange"]
    event["kind"], event["instrument"], event["value"] = kind, instrument, value
    event["venue"], event["detail"] = link["venue"], connection
    send(feed["track"], feed["events"], feed_address + EVENT_AT)


@compiled
def break_book(feed_address, instrument, missed):
    """The book is not right any more: say so, and publish nothing of it until it has a base."""
    feed = records_at(feed_address, 1, FEED)[0]
    address = feed["followed"] + instrument * FOLLOWED_BYTES
    followed = records_at(address, 1, FOLLOWED)[0]
    followed["gaps"] += 1
    before = happen(address, phases.BROKE)
    followed["bridge"]["state"] = bridging.WAITING
    if before in (phases.BRIDGING, phases.LIVE):
        tell(feed_address, followed["connection"], enums.EVENT_GAP, instrument, missed)


@compiled
def _break_all(feed_address, connection, missed):
    feed = records_at(feed_address, 1, FEED)[0]
    for instrument in range(feed["instruments"]):
        address = feed["followed"] + instrument * FOLLOWED_BYTES
        followed = records_at(address, 1, FOLLOWED)[0]
        if followed["connection"] == connection and followed["phase"] != phases.OFF:
            break_book(feed_address, instrument, missed)


@compiled
def _take_groups(feed_address, connection):
    """Each group of the message by itself: several instruments may share one."""
    feed = records_at(feed_address, 1, FEED)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    count = result["count"]
    levels = records_at(feed["records"], max(count, 1), L2_UPDATE)
    if count == 0 and result["kind"] == decoded.SNAPSHOT:
        # An empty book: a record without a price carries the flags (apply_update).
        levels[0] = feed["empty"]
        levels[0]["instrument"] = result["instrument"]
        count = 1
    if count == 0:
        return _take_group(feed_address, connection, np.int64(0), np.int64(0))
    todo, first = np.int64(NOTHING), np.int64(0)
    for at in range(count):
        if levels[at]["flags"] & enums.LAST:
            result["instrument"] = levels[at]["instrument"]
            todo = max(todo, _take_group(feed_address, connection, first, at + 1 - first))
            first = np.int64(at + 1)
    return todo


@compiled
def _take_group(feed_address, connection, first, count):
    """The group of `count` levels from number `first` on, of DECODED.instrument."""
    feed = records_at(feed_address, 1, FEED)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    link = records_at(feed["connections"] + connection * CONNECTION_BYTES, 1, CONNECTION)[0]
    instrument = result["instrument"]
    address = feed["followed"] + instrument * FOLLOWED_BYTES
    followed = records_at(address, 1, FOLLOWED)[0]
    followed["messages"] += 1
    if result["kind"] == decoded.SNAPSHOT:
        if not bridging.take_snapshot(address, result["last_id"]):
            followed["old"] += 1
            return np.int64(NOTHING)
        before = happen(address, phases.BASED if link["bridged"] else phases.WHOLE)
        if not _apply(feed_address, first, count):
            break_book(feed_address, instrument, np.int64(0))
            return np.int64(BROKEN)
        _publish(feed_address, first, count)
        if before in (phases.GAP, phases.RESYNCING):
            tell(feed_address, connection, enums.EVENT_RESYNC, instrument, count)
        return np.int64(NOTHING)
    action = bridging.take_depth(
        address, result["first_id"], result["last_id"], result["previous_id"]
    )
    if action == bridging.APPLY:
        happen(address, phases.JOINED)
        if not _apply(feed_address, first, count):
            break_book(feed_address, instrument, np.int64(0))
            return np.int64(BROKEN)
        _publish(feed_address, first, count)
        return np.int64(NOTHING)
    if action == bridging.DROP:
        followed["old"] += 1
        return np.int64(NOTHING)
    if action == bridging.GAP:
        break_book(feed_address, instrument, followed["bridge"]["missed"])
        return np.int64(BROKEN)
    happen(address, phases.KEPT)
    return np.int64(KEEP if link["bridged"] else NOTHING)


@compiled
def _apply(feed_address, first, count):
    """Apply a group to the book kept here; whether the book is right with it."""
    feed = records_at(feed_address, 1, FEED)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    address = feed["followed"] + result["instrument"] * FOLLOWED_BYTES
    followed = records_at(address, 1, FOLLOWED)[0]
    book = followed["book"]
    for at in range(first, first + count):
        apply_update(book, feed["records"] + at * L2_BYTES)
    bid, ask = best_price(book, np.int64(enums.BID)), best_price(book, np.int64(enums.ASK))
    if bid > ask and ask != 0:
        followed["crossings"] += 1
        return False
    return True


@compiled
def _publish(feed_address, first, count):
    feed = records_at(feed_address, 1, FEED)[0]
    instrument = records_at(feed["decoded"], 1, DECODED)[0]["instrument"]
    for at in range(first, first + count):
        send(feed["track"], feed["l2"], feed["records"] + at * L2_BYTES)
    records_at(feed["followed"] + instrument * FOLLOWED_BYTES, 1, FOLLOWED)[0]["levels"] += count


@compiled
def _publish_trades(feed_address):
    feed = records_at(feed_address, 1, FEED)[0]
    count = records_at(feed["decoded"], 1, DECODED)[0]["count"]
    trades = records_at(feed["records"], max(count, 1), L2_UPDATE)
    for at in range(count):
        instrument = np.int64(trades[at]["instrument"])
        followed = feed["followed"] + instrument * FOLLOWED_BYTES
        records_at(followed, 1, FOLLOWED)[0]["trades"] += 1
        send(feed["track"], feed["trades"], feed["records"] + at * L2_BYTES)


@compiled
def cut(feed_address, connection):
    """The connection has ended: its books are off, and those that were right are told as broken."""
    feed = records_at(feed_address, 1, FEED)[0]
    _break_all(feed_address, connection, np.int64(0))
    for instrument in range(feed["instruments"]):
        address = feed["followed"] + instrument * FOLLOWED_BYTES
        if records_at(address, 1, FOLLOWED)[0]["connection"] == connection:
            happen(address, phases.CUT)
    records_at(feed["connections"] + connection * CONNECTION_BYTES, 1, CONNECTION)[0]["last_id"] = (
        NO_ID
    )


class Feed:
    """Owner of a FEED, and the way in for Python. One for each MarketDataHandler."""

    def __init__(self, spine: Spine, tables: Tables, connections: int):
        count = len(tables.instruments)
        self.connections = aligned_zeros(connections, CONNECTION)
        self.followed = aligned_zeros(count, FOLLOWED)
        self.decoded = aligned_zeros(1, DECODED)
        self._records = aligned_zeros(LEVELS_MAX, L2_UPDATE)
        self._books = [new_book() for _ in range(count)]
        self._indexes: dict[int, SymbolIndex] = {}
        self._tables = tables
        self.connections["last_id"] = NO_ID
        self.followed["connection"] = -1
        self.followed["book"] = [book.address for book in self._books]
        self.record = aligned_zeros(1, FEED)
        feed = self.record[0]
        for name in ("l2", "trades", "events"):
            feed[name] = address_of(spine.outlet(name))
        feed["track"], feed["decoded"] = spine.track_address, address_of(self.decoded)
        feed["records"], feed["capacity"] = address_of(self._records), LEVELS_MAX
        feed["connections"], feed["followed"] = (
            address_of(self.connections),
            address_of(self.followed),
        )
        feed["instruments"] = count
        feed["empty"]["flags"] = enums.FIRST | enums.LAST | enums.SNAPSHOT

    @property
    def address(self) -> int:
        return address_of(self.record)

    def index(self, venue: int) -> SymbolIndex:
        """The symbols of a venue, made once."""
        if venue not in self._indexes:
            self._indexes[venue] = SymbolIndex(self._tables, venue)
        return self._indexes[venue]

    def book(self, instrument: int) -> int:
        """Address of the book kept here."""
        return int(self.followed[instrument]["book"])

    def open(self, connection: int, codec: str, venue: int, *, bridged: bool) -> None:
        """A connection begins: nothing of it is known yet."""
        row = self.connections[connection]
        row["codec"], row["venue"], row["bridged"] = codecs.CODECS.index(codec), venue, bridged
        row["index"], row["last_id"] = self.index(venue).address, NO_ID

    def ask(self, connection: int, instrument: int) -> None:
        """The instrument's book, or a new base of it, has been asked for on this connection."""
        self.followed[instrument]["connection"] = connection
        happen(address_of(self.followed) + instrument * FOLLOWED_BYTES, phases.ASKED)

    def take(self, connection: int, raw: bytes, received: int, instrument: int = -1) -> int:
        """`take_message` for bytes in Python's hands; `instrument` names what the text does not."""
        text = np.frombuffer(raw, np.uint8)
        unnamed = 0
        if instrument >= 0:
            venue = int(self.connections[connection]["venue"])
            symbol = self._tables.instruments[instrument]["symbol"].decode()
            unnamed = self.index(venue).slot(symbol)
        return int(
            take_message(self.address, connection, address_of(text), len(raw), received, unnamed)
        )

    def phase(self, instrument: int) -> str:
        return phases.PHASES[self.followed[instrument]["phase"]]
