"""WebSocket frames (RFC 6455) as a server sends them, in a connection's buffer -> whole messages.

In:        a CONNECTION whose buffer has bytes between `begin` and `end`.
Out:       a MESSAGE in the batch for each whole message, in place; for a control frame, whole with
           its header; for a breach of the protocol.
Must not know: sockets, TLS, what is in a message. That text is UTF-8 is the codec's to check.

    offset   0        joined           begin                end            capacity
             | given  | fragments so   | (gap) | not yet    | free          |
             | out    | far, in a row  |       | parsed     |               |

Nothing is copied but fragments: each moves down to the end of those before it, over the headers
between. A control frame ends the parse until the next turn, so no fragment that follows can move
onto it before Python has read it. `compact` makes room, when what was given out has been used.

A compressed message, if the two sides agreed on that, is handed out from the inflater's room.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import record_type, records_at
from mantra.messages.decimals import byte_at
from mantra.transport import foreign
from mantra.transport.inflate import INFLATER, MESSAGE_TOO_BIG, inflate, is_full

# Kinds of MESSAGE: opcodes of RFC 6455, section 5.2, and what else can happen to a connection.
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ENDED = 16  # the other side sent its last byte, or the connection was reset
TLS_FAILED = 17  # a record was forged or damaged
BREACH = 18  # of the WebSocket protocol; `length` is the close code

# Close codes of RFC 6455, section 7.4.1. As arguments: a plain int is a type of its own to Numba.
PROTOCOL_ERROR = np.int64(1002)
CONTROL_BYTES_MAX = 125
RESERVED, COMPRESSED, KIND = 0x70, 0x40, 0x4F  # bits of a frame's first byte


# What was found in a turn.
#   address length       valid until the next turn
#   ts_received          ticks right after the read that brought its last byte
#   connection stream    row; what stays the same when the connection is made anew
MESSAGE = record_type("i8 address length ts_received connection stream kind")

# One connection.
#   open            1: compiled code reads it; 0: it is Python's, or nobody's
#   fd ssl bio      socket; SSL *, 0 for plain TCP; BIO *, the memory that `ssl` reads from
#   buffer capacity, begin end joined joined_bytes   see the drawing above
#   joined_kind     of the message that is in fragments, and COMPRESSED; 0: none is
#   inflater        address of an INFLATER; 0: no compression was agreed
#   more            1: there is something to do without a read
#   turn            of the last visit
#   ts_received     ticks right after the last read
#   bytes messages  from the kernel, and handed out, since it opened
#   row stream      its own number, its stream's
CONNECTION = record_type(
    "i8 open fd ssl bio buffer capacity begin end joined joined_bytes joined_kind inflater "
    "more turn ts_received bytes messages row stream"
)
CONNECTION_BYTES = CONNECTION.itemsize

# All connections of a thread.
#   connections               address of the CONNECTIONs, ROWS_MAX of them
#   batch capacity count      address of the MESSAGEs, how many it can hold, how many it holds
#   events                    of the batch: what is for Python, which sets it back to 0
#   unfinished next           whether a connection has `more`; the row to begin with then
#   ready                     address of epoll's events, READY_MAX of them
#   scratch                   SCRATCH_BYTES for what goes from the kernel to OpenSSL
#   gather_ns                 between the beginnings of two turns, at least; 0: as soon as it can
#   due seconds nanoseconds   of the next turn (monotonic ns); a timespec
#   off                       0, for options of sockets
POLL = record_type(
    "i8 epoll connections batch capacity count events unfinished next turn ready scratch "
    "gather_ns due seconds nanoseconds off"
)
ROWS_MAX, READY_MAX, SCRATCH_BYTES = 512, 256, 1 << 18


@compiled
def put(poll_address, row_address, kind, address, length):
    """Append to the batch. The caller has seen to it that there is room."""
    batch = records_at(poll_address, 1, POLL)[0]
    row = records_at(row_address, 1, CONNECTION)[0]
    count = batch["count"]
    message = records_at(batch["batch"], count + 1, MESSAGE)[count]
    message["address"], message["length"], message["kind"] = address, length, kind
    message["connection"], message["stream"] = row["row"], row["stream"]
    message["ts_received"] = row["ts_received"]
    batch["count"] = count + 1
    if kind <= BINARY:
        row["messages"] += 1
        return
    batch["events"] += 1
    if kind >= ENDED:
        row["open"] = 0  # nothing that follows may be looked at


@compiled
def refuse(poll_address, row_address, close_code):
    put(poll_address, row_address, np.int64(BREACH), np.int64(0), close_code)
    return False


@compiled
def parse(poll_address, row_address):
    """Hand out what is whole; False: the rest has yet to come, True: look again next turn."""
    batch = records_at(poll_address, 1, POLL)[0]
    row = records_at(row_address, 1, CONNECTION)[0]
    while batch["count"] < batch["capacity"]:
        at, there = row["buffer"] + row["begin"], row["end"] - row["begin"]
        if there < 2:
            return False
        if row["inflater"] != 0 and is_full(row["inflater"]):
            return True
        first, length, header = byte_at(at), np.int64(byte_at(at + 1)), np.int64(2)
        last, kind = first >> 7, np.int64(first & 15)
        if first & RESERVED or length & 0x80:  # of an extension, if it is agreed; mask: a client's
            agreed = row["inflater"] != 0 and first & RESERVED == COMPRESSED
            if not agreed or length & 0x80 or kind not in (TEXT, BINARY):
                return refuse(poll_address, row_address, PROTOCOL_ERROR)
        if kind >= CLOSE:
            if kind > PONG or length > CONTROL_BYTES_MAX or not last:
                return refuse(poll_address, row_address, PROTOCOL_ERROR)
        elif kind > BINARY or (kind == CONTINUATION) != (row["joined_kind"] != 0):
            return refuse(poll_address, row_address, PROTOCOL_ERROR)
        if length > CONTROL_BYTES_MAX:
            header = np.int64(4 if length == 126 else 10)
            if there < header:
                return False
            length = np.int64(0)
            for i in range(2, header):
                length = length << 8 | byte_at(at + i)
        if length < 0:  # its first bit must be 0
            return refuse(poll_address, row_address, PROTOCOL_ERROR)
        if length > row["capacity"] - header - row["joined_bytes"]:
            return refuse(poll_address, row_address, MESSAGE_TOO_BIG)
        if there < header + length:
            return False
        row["begin"] += header + length
        if kind >= CLOSE:
            put(poll_address, row_address, kind, at, header + length)
            return True
        if last and kind != CONTINUATION:
            hand_out(poll_address, row_address, first & KIND, at + header, length)
        else:
            join(poll_address, row_address, at + header, length, first)
        if row["open"] == 0:
            return False
    return True


@compiled
def hand_out(poll_address, row_address, kind, address, length):
    """Put a whole message into the batch, as it was before it was compressed."""
    if kind & COMPRESSED:
        row = records_at(row_address, 1, CONNECTION)[0]
        inflater = records_at(row["inflater"], 1, INFLATER)[0]
        length = inflate(row["inflater"], address, length)
        if length < 0:
            refuse(poll_address, row_address, -length)
            return
        address = inflater["room"] + inflater["used"]
        inflater["used"] += length
    put(poll_address, row_address, kind & 15, address, length)


@compiled
def join(poll_address, row_address, payload, length, first):
    """Put a fragment behind those before it; hand the message out if it is the last."""
    row = records_at(row_address, 1, CONNECTION)[0]
    if row["joined_kind"] == 0:
        row["joined_kind"], row["joined"] = first & KIND, payload - row["buffer"]
    target = row["buffer"] + row["joined"] + row["joined_bytes"]
    if target != payload:
        foreign.memmove(target, payload, length)
    row["joined_bytes"] += length
    if first >> 7:
        begin = row["buffer"] + row["joined"]
        hand_out(poll_address, row_address, row["joined_kind"], begin, row["joined_bytes"])
        row["joined_kind"], row["joined_bytes"] = 0, 0


@compiled
def compact(row_address):
    """Move what is kept to the front of the buffer: what was handed out is overwritten."""
    row = records_at(row_address, 1, CONNECTION)[0]
    buffer, kept, left = row["buffer"], row["joined_bytes"], row["end"] - row["begin"]
    if kept > 0 and row["joined"] > 0:
        foreign.memmove(buffer, buffer + row["joined"], kept)
    row["joined"] = 0
    if row["inflater"] != 0:
        records_at(row["inflater"], 1, INFLATER)[0]["used"] = 0
    if row["begin"] > kept:
        if left > 0:
            foreign.memmove(buffer + kept, buffer + row["begin"], left)
        row["begin"], row["end"] = kept, kept + left
