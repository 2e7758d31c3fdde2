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

from mantra.books.book import apply_update, best_price, levels, prefetch_update
from mantra.compiled import compiled
from mantra.exchanges import bridging, codecs, decoded
from mantra.exchanges.bitfinex import checksum as bitfinex
from mantra.exchanges.decoded import DECODED, NO_ID
from mantra.exchanges.kraken import checksum as kraken
from mantra.icc.memory import record_type, records_at
from mantra.market_data import phases
from mantra.messages import enums
from mantra.messages.records import L2_UPDATE, SYSTEM_EVENT, TRADE_UPDATE
from mantra.telemetry.tracked import TRACK, send, send_many

# What Python has to do about a message.
NOTHING = 0
CONTROL = 1  # read it: an answer to a subscription, an error, the state of the venue
REFUSED = 2  # count it by reason, keep it raw
KEEP = 3  # a change without a base: keep a copy, hand it in again behind the base
BROKEN = 4  # ask for a new base of DECODED.instrument; where snapshots come by REST, KEEP as well
CUT_OFF = 5  # the connection lost messages, nobody knows whose: all its books are broken

# In place of FOLLOWED.connection: nobody wants the book any more, whatever still comes.
UNWANTED = -2
AHEAD = 8  # levels whose memory is asked for before it is needed
LEVELS_MAX = 1 << 17  # of one message: Coinbase's BTC-USD has 44,000


# One connection of a venue.
# venue     id in the tables
# index     address of what the codec finds symbols or channels in
# bridged   1: bases come by REST, changes must join them
# last_id   number of its last message; NO_ID: it has none, or none came yet
# lost      messages, by the venue's count
# received  ticks of the last message, and the venue's own time in the last that had one, ns
# raw       address of the RAW its frames are kept in, 0: nowhere; serial: its number there
CONNECTION = record_type(
    "i8 codec venue index bridged last_id messages bytes heartbeats unknown refused lost received",
    "i8 ts_exchange raw serial",
)

# A book that follows, by instrument id.
# book        address
# slot        of its SYMBOL
# depth       levels a side that the venue serves; 0: all
# levels      published
# trade_id    of the last one; trade_kind: single or aggregate, whichever came first
# old         changes that were in the book already, or that nobody asked for (any more)
# checked     checksums; mismatches of them
# illegal     happenings that the table of phases does not have
FOLLOWED = record_type(
    ("bridge", bridging.BRIDGE),
    "i8 phase connection book slot depth messages levels trades trade_id old old_trades gaps",
    "i8 trade_kind checked mismatches crossings drifts illegal",
)

# l2 … events  outlets
# decoded      address of the DECODED
# scratch      room for the text of a checksum
# records      room for the records of one message
# connections  address of CONNECTION rows
# followed     address of FOLLOWED rows by instrument id
# instruments  how many
# empty        an empty snapshot
FEED = record_type(
    "i8 track l2 trades events decoded scratch records capacity connections followed instruments",
    ("event", SYSTEM_EVENT),
    ("empty", L2_UPDATE),
)
CONNECTION_BYTES, FOLLOWED_BYTES = CONNECTION.itemsize, FOLLOWED.itemsize
L2_BYTES = L2_UPDATE.itemsize
EVENT_AT = FEED.fields["event"][1]  # type: ignore[index]

assert FOLLOWED.fields["bridge"][1] == 0  # type: ignore[index]


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
    codec, index, room, capacity = link["codec"], link["index"], feed["records"], feed["capacity"]
    status = codecs.decode(codec, text, length, index, unnamed, room, capacity, feed["decoded"])
    if status != decoded.OK:
        link["refused"] += 1
        instrument = result["instrument"]
        if instrument >= 0:  # at once: what follows it would be published of a book with a hole
            address = feed["followed"] + instrument * FOLLOWED_BYTES
            if records_at(address, 1, FOLLOWED)[0]["connection"] == connection:
                break_book(feed_address, instrument, np.int64(0))
        return np.int64(REFUSED)
    if result["ts_exchange"] > 0:
        link["ts_exchange"] = result["ts_exchange"]
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
        return max(todo, take_groups(feed_address, connection))
    if kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
        _publish_trades(feed_address, connection)
    elif kind == decoded.CHECKSUM:
        return max(todo, _take_checksum(feed_address, connection))
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
def take_groups(feed_address, connection):
    """Each group of the message by itself: several instruments may share one."""
    feed = records_at(feed_address, 1, FEED)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    count = result["count"]
    rows = records_at(feed["records"], max(count, 1), L2_UPDATE)
    if count == 0 and result["kind"] == decoded.SNAPSHOT:
        # An empty book: a record without a price carries the flags (apply_update).
        rows[0] = feed["empty"]
        rows[0]["instrument"] = result["instrument"]
        count = 1
    if count == 0:
        return _take_group(feed_address, connection, np.int64(0), np.int64(0))
    todo, first = np.int64(NOTHING), np.int64(0)
    for at in range(count):
        if rows[at]["flags"] & enums.LAST:
            result["instrument"] = rows[at]["instrument"]
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
    is_base = result["kind"] == decoded.SNAPSHOT
    # Two connections carry it while one replaces the other: a new base is where it changes.
    changes = followed["connection"] != connection and not link["bridged"]
    action, happening = np.int64(bridging.DROP), phases.JOINED
    if followed["connection"] == UNWANTED or (changes and not is_base):
        pass
    elif is_base:
        if changes:
            followed["connection"] = connection
        happening = phases.BASED if link["bridged"] else phases.WHOLE
        if bridging.take_snapshot(address, result["last_id"]):
            action = np.int64(bridging.APPLY)
    else:
        first_id, last_id = result["first_id"], result["last_id"]
        action = bridging.take_depth(address, first_id, last_id, result["previous_id"])
    if action == bridging.DROP:
        followed["old"] += 1
        return np.int64(NOTHING)
    if action == bridging.GAP:
        break_book(feed_address, instrument, followed["bridge"]["missed"])
        return np.int64(BROKEN)
    if action == bridging.WAIT_SNAPSHOT:
        happen(address, phases.KEPT)
        return np.int64(KEEP if link["bridged"] else NOTHING)
    before = happen(address, happening)
    count = _apply(feed_address, connection, first, count)
    if count < 0:
        break_book(feed_address, instrument, np.int64(0))
        return np.int64(BROKEN)
    _publish(feed_address, first, count)
    if is_base and before in (phases.GAP, phases.RESYNCING):
        tell(feed_address, connection, enums.EVENT_RESYNC, instrument, count)
    return np.int64(NOTHING)


@compiled
def _apply(feed_address, connection, first, count):
    """Apply a group to the book kept here: how many records it has now, or minus 1: it is wrong.

    Where the venue serves a depth and deletes nothing beyond it, deletes are appended (Kraken).
    """
    feed = records_at(feed_address, 1, FEED)[0]
    link = records_at(feed["connections"] + connection * CONNECTION_BYTES, 1, CONNECTION)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    address = feed["followed"] + result["instrument"] * FOLLOWED_BYTES
    followed = records_at(address, 1, FOLLOWED)[0]
    book, depth = followed["book"], followed["depth"]
    for at in range(first, first + min(count, AHEAD)):
        prefetch_update(book, feed["records"] + at * L2_BYTES)
    for at in range(first, first + count):
        if at + AHEAD < first + count:
            prefetch_update(book, feed["records"] + (at + AHEAD) * L2_BYTES)
        apply_update(book, feed["records"] + at * L2_BYTES)
    bid, ask = np.int64(enums.BID), np.int64(enums.ASK)
    if link["codec"] in (codecs.KRAKEN, codecs.KRAKEN_V1):
        if depth > 0 and max(levels(book, bid), levels(book, ask)) > depth:
            alone = first + count == result["count"]  # a message has one book's group
            if not alone or kraken.truncate(book, depth, feed["decoded"]) != decoded.OK:
                return np.int64(-1)
            count = result["count"] - first
        if result["checksum"] != NO_ID:
            followed["checked"] += 1
            if kraken.checksum(book, feed["scratch"]) != result["checksum"]:
                followed["mismatches"] += 1
                return np.int64(-1)
        return count
    if best_price(book, bid) > best_price(book, ask) > 0:
        followed["crossings"] += 1
        if link["codec"] != codecs.BITFINEX:  # its levels come one by one, and checksums tell
            return np.int64(-1)
    return count


@compiled
def _take_checksum(feed_address, connection):
    """A checksum in a message of its own holds for the book as it is (Bitfinex)."""
    feed = records_at(feed_address, 1, FEED)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    instrument = result["instrument"]
    followed = records_at(feed["followed"] + instrument * FOLLOWED_BYTES, 1, FOLLOWED)[0]
    if followed["phase"] != phases.LIVE or followed["connection"] != connection:
        return np.int64(NOTHING)
    followed["checked"] += 1
    own = bitfinex.book_checksum(followed["book"], followed["slot"], feed["scratch"])
    if own == result["checksum"]:
        return np.int64(NOTHING)
    followed["mismatches"] += 1
    break_book(feed_address, instrument, np.int64(0))
    return np.int64(BROKEN)


@compiled
def _publish(feed_address, first, count):
    feed = records_at(feed_address, 1, FEED)[0]
    instrument = records_at(feed["decoded"], 1, DECODED)[0]["instrument"]
    rows = feed["records"] + first * L2_BYTES
    send_many(feed["track"], feed["l2"], rows, count, np.int64(L2_BYTES))
    records_at(feed["followed"] + instrument * FOLLOWED_BYTES, 1, FOLLOWED)[0]["levels"] += count


@compiled
def _publish_trades(feed_address, connection):
    """Trades as they come; not those that the venue repeats, nor those of a second connection."""
    feed = records_at(feed_address, 1, FEED)[0]
    link = records_at(feed["connections"] + connection * CONNECTION_BYTES, 1, CONNECTION)[0]
    result = records_at(feed["decoded"], 1, DECODED)[0]
    count, kind = result["count"], result["kind"]
    trades = records_at(feed["records"], max(count, 1), TRADE_UPDATE)
    for at in range(count):
        trade = trades[at]
        address = feed["followed"] + np.int64(trade["instrument"]) * FOLLOWED_BYTES
        followed = records_at(address, 1, FOLLOWED)[0]
        if followed["trade_kind"] == 0:
            followed["trade_kind"] = kind
        if link["bridged"]:  # where ids rise; both connections may have it, either may be first
            again = kind != followed["trade_kind"] or trade["trade_id"] <= followed["trade_id"]
        else:
            again = followed["connection"] != connection
        if again or followed["connection"] == UNWANTED or trade["flags"] & enums.SNAPSHOT:
            followed["old_trades"] += 1
            continue
        followed["trade_id"] = trade["trade_id"]
        followed["trades"] += 1
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
    link = records_at(feed["connections"] + connection * CONNECTION_BYTES, 1, CONNECTION)[0]
    link["last_id"] = NO_ID
