"""The hot loop of the import: many lines of a venue's capture per crossing from Python.

In:        a BATCH: text of whole lines, a feed (market_data) whose outlets are sinks.
Out:       what the feed publishes; an event where Python has to decide something.
Must not know: files, archives. What is rare (snapshots, gaps, refusals) is not handled here.

`import_lines` returns when the piece is done (END), a sink is to be emptied (FULL), or with what
Python handles before it calls again; the line in question is then behind it (but for OPENED).
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges import bridging, codecs, decoded
from mantra.exchanges.decoded import DECODED, KINDS, NO_ID
from mantra.exchanges.symbols import SYMBOL, find_symbol
from mantra.icc.memory import record_type, records_at
from mantra.market_data import take
from mantra.market_data.take import (
    CONNECTION,
    CONNECTION_BYTES,
    FEED,
    FOLLOWED,
    FOLLOWED_BYTES,
    LEVELS_MAX,
)
from mantra.messages.decimals import BEFORE_LAST_DIGIT, BYTE
from mantra.messages.enums import SNAPSHOT
from mantra.messages.records import L2_UPDATE
from mantra.telemetry.tracked import OUTLET

# Events.
END = 0
FULL = 1  # a sink may not hold the next message
REFUSED = 2  # a line that is no line, or a message that is refused: see BATCH.reason
OPENED = 3  # the line is the first of its connection, and still to be read
ENDED = 4  # the line says that its connection ended
TOLD = 5  # a message that Python has to do something about, or a snapshot

# Why a line is refused: a status of the decoder, or
NOT_A_LINE = len(decoded.STATUSES)  # no `<16 or 19 digits> [#SERIAL |@SYMBOL ]<message>`
REASONS = (*decoded.STATUSES, "not a line of <time> <message>")

CONNECTIONS_MAX = 1 << 16  # serials of a capture: 169 connections anew each day for a year
US_DIGITS, NS_DIGITS = 16, 19
SPACE, ZERO, NINE, RETURN, ASKED, SERIAL = (ord(mark) for mark in " 09\r@#")
I8 = np.dtype("i8")

BATCH = record_type(
    # The text: addresses of it and of the offsets where lines end; the next line, where it begins.
    "i8 text ends lines line begin",
    # What the lines are decoded with: addresses of the feed and of its DECODED; for the survey the
    # codec; the SYMBOL_INDEX; the slot for messages without a symbol, or 0.
    "i8 feed decoded codec index unnamed",
    # By instrument id: the connection that carried the book before (bridged), or the last one
    # opened when the book's own ended.
    "i8 before",
    "i8 latest",  # connection opened last
    # The line last read.
    "i8 message",  # address
    "i8 length",  # of the message; 0: none, -1: not a line
    "i8 connection",  # the serial that the line names, else -1
    "i8 slot",  # of the symbol that the line names, else `unnamed`
    "i8 ts_first ts_local",  # of the first line and of the last one, ns since the epoch
    "i8 reason position",  # of REFUSED: index into REASONS, byte of the line
    # Counts.
    ("kinds", "i8", (len(KINDS),)),  # messages decoded
    "i8 clock_back",  # lines whose local time is before the line before
    "i8 blank",
    "i8 no_levels",  # depth messages without any level
    "i8 baseless",  # depth messages of books without a base, where none is kept
)


@compiled
def next_message(batch_address):
    """Go to the next line: its message, length, slot, connection and time.

    `ts_local` never goes back: a clock that does is counted, and stands still.
    """
    batch = records_at(batch_address, 1, BATCH)[0]
    batch["length"], batch["slot"], batch["connection"] = 0, batch["unnamed"], -1
    line, begin = batch["line"], batch["begin"]
    end = records_at(batch["ends"], batch["lines"], I8)[line]
    batch["line"], batch["begin"] = line + 1, end + 1
    byte = records_at(batch["text"], max(end, 1), BYTE)
    if end > begin and byte[end - 1] == RETURN:
        end -= 1
    if end == begin:
        return
    time, at = np.int64(0), begin
    limit = min(end, begin + NS_DIGITS)
    while at < limit and ZERO <= byte[at] <= NINE and time < BEFORE_LAST_DIGIT:
        time = time * 10 + np.int64(byte[at]) - ZERO
        at += 1
    digits = at - begin
    if digits not in (US_DIGITS, NS_DIGITS) or at >= end or byte[at] != SPACE:
        batch["position"], batch["length"] = at - begin, -1
        return
    if digits == US_DIGITS:
        time *= 1_000
    if batch["ts_first"] == 0:
        batch["ts_first"] = time
    if time < batch["ts_local"]:
        batch["clock_back"] += 1
    else:
        batch["ts_local"] = time
    at += 1
    if at < end and byte[at] == SERIAL:
        serial, first = np.int64(0), at + 1
        at += 1
        while at < end and ZERO <= byte[at] <= NINE and serial < CONNECTIONS_MAX:
            serial = serial * 10 + np.int64(byte[at]) - ZERO
            at += 1
        if at == first or at >= end or byte[at] != SPACE or serial >= CONNECTIONS_MAX:
            batch["position"], batch["length"] = at - begin, -1
            return
        batch["connection"] = serial
        at += 1
    elif at < end and byte[at] == ASKED:  # an answer to REST does not name the symbol asked for
        symbol = at + 1
        while at < end and byte[at] != SPACE:
            at += 1
        batch["slot"] = find_symbol(batch["index"], batch["text"] + symbol, at - symbol)
        at += 1
    batch["position"], batch["message"] = at - begin, batch["text"] + at
    batch["length"] = max(end - at, 0)


@compiled
def import_lines(batch_address):
    """Take lines until an event: see the head of this file."""
    batch = records_at(batch_address, 1, BATCH)[0]
    feed = records_at(batch["feed"], 1, FEED)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    while batch["line"] < batch["lines"]:
        if _filled(feed["l2"]) >= LEVELS_MAX or _filled(feed["trades"]) >= LEVELS_MAX:
            return np.int64(FULL)
        line, begin, back = batch["line"], batch["begin"], batch["clock_back"]
        next_message(batch_address)
        if batch["length"] < 0:
            batch["reason"] = NOT_A_LINE
            return np.int64(REFUSED)
        if batch["length"] == 0:
            if batch["connection"] >= 0:
                return np.int64(ENDED)
            batch["blank"] += 1
            continue
        row = _connection(batch_address)
        batch["connection"] = row
        link_address = feed["connections"] + row * CONNECTION_BYTES
        link = records_at(link_address, 1, CONNECTION)[0]
        if link["index"] == 0:
            batch["line"], batch["begin"], batch["clock_back"] = line, begin, back
            return np.int64(OPENED)
        todo = _take(batch_address, row)
        if todo == take.REFUSED:
            batch["reason"] = seen["status"]
            batch["position"] += seen["position"]
            return np.int64(REFUSED)
        kind = seen["kind"]
        batch["kinds"][kind] += 1
        if kind == decoded.DEPTH:
            batch["no_levels"] += np.int64(seen["count"] == 0)
            address = feed["followed"] + seen["instrument"] * FOLLOWED_BYTES
            state = records_at(address, 1, FOLLOWED)[0]["bridge"]["state"]
            waits = state == bridging.WAITING and not link["bridged"]
            batch["baseless"] += np.int64(waits and todo != take.BROKEN)
        if todo != take.NOTHING or kind == decoded.SNAPSHOT:
            return np.int64(TOLD)
    return np.int64(END)


@compiled
def _filled(outlet_address):
    return records_at(outlet_address, 1, OUTLET)[0]["producer"]["next"]


@compiled
def _connection(batch_address):
    """The connection of the line just read: its own, or for a snapshot that of its book."""
    batch = records_at(batch_address, 1, BATCH)[0]
    if batch["connection"] >= 0:
        return batch["connection"]
    feed = records_at(batch["feed"], 1, FEED)[0]
    if batch["slot"] != 0:
        instrument = np.int64(records_at(batch["slot"], 1, SYMBOL)[0]["instrument"])
        followed = records_at(feed["followed"] + instrument * FOLLOWED_BYTES, 1, FOLLOWED)[0]
        if followed["connection"] >= 0:
            return followed["connection"]
    return batch["latest"]


@compiled
def _take(batch_address, row):
    """`take_message` for the line just read, and whose connection carries which book.

    A live handler knows that from what it subscribed to; here a book belongs to whichever
    connection speaks of it first, but to none that was open already when its last one ended.
    """
    batch = records_at(batch_address, 1, BATCH)[0]
    feed_address, text, length = batch["feed"], batch["message"], batch["length"]
    feed = records_at(feed_address, 1, FEED)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    link = records_at(feed["connections"] + row * CONNECTION_BYTES, 1, CONNECTION)[0]
    last_id = link["last_id"]
    todo = take.take_message(feed_address, row, text, length, batch["ts_local"], batch["slot"])
    instrument = seen["instrument"]
    if todo == take.REFUSED or instrument < 0:
        return todo
    followed = records_at(feed["followed"] + instrument * FOLLOWED_BYTES, 1, FOLLOWED)[0]
    before = records_at(batch["before"], instrument + 1, I8)
    carried = followed["connection"]
    if carried == row:
        return todo
    if link["bridged"]:
        if batch["slot"] == batch["unnamed"]:  # not an answer to REST
            before[instrument], followed["connection"] = carried, row
    elif carried < 0 and row > before[instrument]:
        followed["connection"], link["last_id"] = row, last_id
        todo = take.take_message(feed_address, row, text, length, batch["ts_local"], batch["slot"])
    return todo


@compiled
def begin_here(feed_address, connection):
    """Make the change just decoded, which found no base, the base of its book: all that is known"""
    feed = records_at(feed_address, 1, FEED)[0]
    seen = records_at(feed["decoded"], 1, DECODED)[0]
    seen["kind"] = decoded.SNAPSHOT
    rows = records_at(feed["records"], seen["count"], L2_UPDATE)
    for i in range(seen["count"]):
        rows[i]["flags"] |= SNAPSHOT
    return take.take_groups(feed_address, connection)


# ---------------------------------------------------------------- the first pass

SURVEY = record_type(
    "i8 price_step volume_step",  # greatest common divisors of all, in the index's units
    "i8 snapshots",
    "i8 chained",  # depth messages that say the last id before them, as futures do
)
SURVEY_BYTES = SURVEY.itemsize


@compiled
def survey_lines(batch_address, surveys, records):
    """Only look: fills SURVEY records by instrument id; `records` is room for LEVELS_MAX levels."""
    batch = records_at(batch_address, 1, BATCH)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    while batch["line"] < batch["lines"]:
        next_message(batch_address)
        if batch["length"] <= 0:
            continue
        status = codecs.decode(
            batch["codec"],
            batch["message"],
            batch["length"],
            batch["index"],
            batch["slot"],
            records,
            np.int64(LEVELS_MAX),
            batch["decoded"],
        )
        if status != decoded.OK:
            batch["reason"] = status
            return np.int64(REFUSED)
        if seen["count"] == 0:
            continue
        survey = records_at(surveys + seen["instrument"] * SURVEY_BYTES, 1, SURVEY)[0]
        if seen["kind"] == decoded.SNAPSHOT:
            survey["snapshots"] += 1
        elif seen["previous_id"] != NO_ID:
            survey["chained"] += 1
        levels = records_at(records, seen["count"], L2_UPDATE)
        price_step, volume_step = survey["price_step"], survey["volume_step"]
        for i in range(seen["count"]):
            price_step = common_divisor(price_step, levels[i]["price"])
            volume_step = common_divisor(volume_step, levels[i]["volume"])
        survey["price_step"], survey["volume_step"] = price_step, volume_step
    return np.int64(END)


@compiled
def common_divisor(a, b):
    """Greatest common divisor; 0 divides nothing and is divided by all."""
    while b != 0:
        if a != 0 and b % a == 0:
            return a  # nearly always at once: a is the step already
        a, b = b, (a % b if a != 0 else np.int64(0))
    return a
