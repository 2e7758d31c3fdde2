"""The hot loop of the import: many lines of a venue's capture per crossing from Python.

In:        a BATCH: text of whole lines, the venue's decoder and index, room for records.
Out:       records in the rooms of the batch; an event where Python has to decide something.
Must not know: files, archives. What is rare (snapshots, gaps, refusals) is not handled here.

`import_lines` returns when the piece is done (END), a room is full (FULL: empty both, call again),
or with what Python handles before it calls again; the line in question is then behind it.
"""

import numpy as np

from mantra.compiled import call_step, compiled
from mantra.exchanges import decoded
from mantra.exchanges.bridging import APPLY, BRIDGE, DROP, EMPTY, GAP, take_depth
from mantra.exchanges.decoded import DECODED, KINDS, NO_ID
from mantra.exchanges.symbols import find_symbol
from mantra.icc.memory import records_at
from mantra.messages.decimals import BEFORE_LAST_DIGIT, BYTE
from mantra.messages.enums import SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

# Events.
END = 0
FULL = 1
REFUSED = 2  # a line that is no line, or a message the decoder refuses: see BATCH.reason
HELD = 3  # a depth message without a base; its records lie behind the l2 room's filled part
GAPPED = 4  # as HELD, and something is missing before it
SNAPSHOT_SEEN = 5  # its records lie there too
BLANK = 6  # only within this file

# Why a line is refused: a status of the decoder, or
NOT_A_LINE = len(decoded.STATUSES)  # no `<16 or 19 digits> [@SYMBOL ]<message>`
REASONS = (*decoded.STATUSES, "not a line of <time> <message>")

US_DIGITS, NS_DIGITS = 16, 19
SPACE, ZERO, NINE, RETURN, ASKED = ord(" "), ord("0"), ord("9"), ord("\r"), ord("@")
I8 = np.dtype("i8")
L2_BYTES = L2_UPDATE.itemsize
BRIDGE_BYTES = BRIDGE.itemsize

BATCH = np.dtype(
    [
        # The text.
        ("text", "i8"),
        ("ends", "i8"),  # address of the offsets where lines end
        ("lines", "i8"),
        ("line", "i8"),  # index of the next line
        ("begin", "i8"),  # offset of the next line
        # What the lines are decoded with.
        ("decode", "i8"),  # address of the venue's step: this batch -> status (import_venues.py)
        ("index", "i8"),  # address of the SYMBOL_INDEX
        ("unnamed", "i8"),  # slot for messages without a symbol, or 0
        ("decoded", "i8"),  # address of the DECODED of the last line
        ("bridges", "i8"),  # address of BRIDGE records by instrument id
        ("trade_kinds", "i8"),  # address of i8 by instrument id: which kind is taken, 0: first seen
        # Rooms.
        ("l2", "i8"),
        ("l2_count", "i8"),
        ("l2_capacity", "i8"),
        ("trades", "i8"),
        ("trades_count", "i8"),
        ("trades_capacity", "i8"),
        # The line last read.
        ("message", "i8"),  # address
        ("length", "i8"),  # of the message; 0: blank line, -1: not a line
        ("slot", "i8"),  # of the symbol that the line names, else `unnamed`
        ("room", "i8"),  # where its records go
        ("room_records", "i8"),
        ("ts_first", "i8"),  # of the first line, ns since the epoch
        ("ts_local", "i8"),  # of the line last read
        ("reason", "i8"),  # of REFUSED: index into REASONS
        ("position", "i8"),  # of REFUSED: byte of the line
        # Counts.
        ("kinds", "i8", (len(KINDS),)),  # messages decoded
        ("old", "i8"),  # depth messages that were in the book already
        ("other_trades", "i8"),  # trades of the kind not taken
        ("clock_back", "i8"),  # lines whose local time is before the line before
        ("blank", "i8"),
        ("no_levels", "i8"),  # depth messages without any level
    ],
    align=True,
)


@compiled
def next_message(batch_address):
    """Go to the next line: its message, length, slot and time are in the batch.

    `ts_local` never goes back: a clock that does is counted, and stands still.
    """
    batch = records_at(batch_address, 1, BATCH)[0]
    batch["length"], batch["slot"] = 0, batch["unnamed"]
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
    if at < end and byte[at] == ASKED:  # an answer to REST does not name the symbol asked for
        symbol = at + 1
        while at < end and byte[at] != SPACE:
            at += 1
        batch["slot"] = find_symbol(batch["index"], batch["text"] + symbol, at - symbol)
        at += 1
    batch["position"], batch["message"] = at - begin, batch["text"] + at
    batch["length"] = max(end - at, 0)


@compiled
def decode_next(batch_address):
    """Decode the next line behind the filled l2 room: END if it is good, REFUSED, FULL, BLANK."""
    batch = records_at(batch_address, 1, BATCH)[0]
    line, begin, back = batch["line"], batch["begin"], batch["clock_back"]
    next_message(batch_address)
    if batch["length"] == 0:
        batch["blank"] += 1
        return np.int64(BLANK)
    if batch["length"] < 0:
        batch["reason"] = NOT_A_LINE
        return np.int64(REFUSED)
    batch["room"] = batch["l2"] + batch["l2_count"] * L2_BYTES
    batch["room_records"] = batch["l2_capacity"] - batch["l2_count"]
    status = call_step(batch["decode"], batch_address)
    if status == decoded.TOO_MANY_LEVELS and batch["l2_count"] > 0:
        batch["line"], batch["begin"], batch["clock_back"] = line, begin, back
        return np.int64(FULL)
    if status != decoded.OK:
        batch["reason"] = status
        batch["position"] += records_at(batch["decoded"], 1, DECODED)[0]["position"]
        return np.int64(REFUSED)
    return np.int64(END)


@compiled
def import_lines(batch_address):
    """Decode lines into the rooms until an event: see the head of this file."""
    batch = records_at(batch_address, 1, BATCH)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    while batch["line"] < batch["lines"]:
        if batch["trades_count"] == batch["trades_capacity"]:
            return np.int64(FULL)
        event = decode_next(batch_address)
        if event == BLANK:
            continue
        if event != END:
            return event
        kind = seen["kind"]
        batch["kinds"][kind] += 1
        if kind == decoded.DEPTH:
            event = _depth(batch_address)
            if event != END:
                return event
        elif kind == decoded.SNAPSHOT:
            return np.int64(SNAPSHOT_SEEN)
        elif kind in (decoded.TRADE, decoded.AGGREGATE_TRADE):
            _trade(batch_address)
    return np.int64(END)


@compiled
def _depth(batch_address):
    batch = records_at(batch_address, 1, BATCH)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    count = seen["count"]
    bridge_address = batch["bridges"] + seen["instrument"] * BRIDGE_BYTES
    base = records_at(bridge_address, 1, BRIDGE)[0]["state"] == EMPTY
    if count == 0:
        batch["no_levels"] += 1
        if base:
            return np.int64(END)  # nothing to begin a book with: the next one is the base
    action = take_depth(bridge_address, seen["first_id"], seen["last_id"], seen["previous_id"])
    if action == APPLY:
        stamp(batch_address, base)
        batch["l2_count"] += count
    elif action == DROP:
        batch["old"] += 1
    else:
        return np.int64(GAPPED if action == GAP else HELD)
    return np.int64(END)


@compiled
def stamp(batch_address, whole_book):
    """Give the records behind the filled l2 room the local time, and SNAPSHOT if they are a base"""
    batch = records_at(batch_address, 1, BATCH)[0]
    count = records_at(batch["decoded"], 1, DECODED)[0]["count"]
    if count == 0:
        return
    room = batch["l2"] + batch["l2_count"] * L2_BYTES
    levels = records_at(room, count, L2_UPDATE)
    for i in range(count):
        levels[i]["ts_origin"] = batch["ts_local"]
        if whole_book:
            levels[i]["flags"] |= SNAPSHOT


@compiled
def _trade(batch_address):
    batch = records_at(batch_address, 1, BATCH)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    kinds = records_at(batch["trade_kinds"], seen["instrument"] + 1, I8)
    if kinds[seen["instrument"]] == 0:
        kinds[seen["instrument"]] = seen["kind"]
    if kinds[seen["instrument"]] != seen["kind"]:
        batch["other_trades"] += 1
        return
    room = batch["l2"] + batch["l2_count"] * L2_BYTES
    trades = records_at(batch["trades"], batch["trades_capacity"], TRADE_UPDATE)
    trades[batch["trades_count"]] = records_at(room, 1, TRADE_UPDATE)[0]
    trades[batch["trades_count"]]["ts_origin"] = batch["ts_local"]
    batch["trades_count"] += 1


# ---------------------------------------------------------------- the first pass

SURVEY = np.dtype(
    [
        ("price_step", "i8"),  # greatest common divisor of all prices, in the index's units
        ("volume_step", "i8"),
        ("snapshots", "i8"),
        ("chained", "i8"),  # depth messages that say the last id before them, as futures do
    ],
    align=True,
)
SURVEY_BYTES = SURVEY.itemsize


@compiled
def survey_lines(batch_address, surveys):
    """As `import_lines`, but only look: fills SURVEY records by instrument id. REFUSED or END."""
    batch = records_at(batch_address, 1, BATCH)[0]
    seen = records_at(batch["decoded"], 1, DECODED)[0]
    while batch["line"] < batch["lines"]:
        event = decode_next(batch_address)
        if event == BLANK or (event == END and seen["count"] == 0):
            continue
        if event != END:
            return event
        survey = records_at(surveys + seen["instrument"] * SURVEY_BYTES, 1, SURVEY)[0]
        if seen["kind"] == decoded.SNAPSHOT:
            survey["snapshots"] += 1
        elif seen["previous_id"] != NO_ID:
            survey["chained"] += 1
        levels = records_at(batch["l2"], seen["count"], L2_UPDATE)
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
