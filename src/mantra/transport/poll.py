"""One turn over all connections: wait, read, decrypt, parse. Compiled, hundreds of messages a call.

In:        a POLL record, how long to wait.
Out:       its batch filled: MESSAGEs, valid until the next turn; `events` counts those for Python.
Must not know: how a connection is made or ends; what is in a message.

The way of a byte: kernel -> one `recv` a readiness, as much as there is -> OpenSSL, through memory,
not by its own reads of the socket -> the connection's buffer -> a message there, in place.

Reading for OpenSSL costs a copy of the encrypted bytes and saves more: OpenSSL makes two reads a
record, or, reading ahead, keeps a large buffer a connection; and the stamp can be taken when the
bytes leave the kernel, before they are decrypted. All messages of one read have its stamp.

Everything is bounded: a connection's buffer, the batch, and what is in OpenSSL's memory, because
nothing is read from the kernel while there is something left to decrypt. What has no room waits in
the kernel, and TCP holds the sender back. epoll is level-triggered: what was not read now is
reported again.
"""

import platform

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import records_at
from mantra.telemetry.tsc import read_tsc
from mantra.transport import foreign
from mantra.transport.frames import (
    CONNECTION,
    CONNECTION_BYTES,
    ENDED,
    POLL,
    TLS_FAILED,
    compact,
    parse,
    put,
)

MSG_DONTWAIT = 0x40
EPOLLERR, EPOLLHUP = 8, 16

# struct epoll_event is packed on x86-64 only; `row` is the low half of its 64 bits of user data.
_padding = [] if platform.machine() == "x86_64" else [("padding", "i4")]
READY = np.dtype([("events", "u4"), *_padding, ("row", "i4"), ("unused", "i4")])


@compiled
def poll(poll_address, timeout_ms):
    """Fill the batch from all connections that are ready; how much is in it.

    Returns when the batch is full or nothing is left, or after `timeout_ms` (-1: no limit). If the
    batch has `events`, Python's turn comes before the next call: -1 until then, and the batch stays
    as it is.
    """
    batch = records_at(poll_address, 1, POLL)[0]
    if batch["events"] > 0:
        return np.int64(-1)
    batch["count"] = 0
    batch["turn"] += 1
    if batch["unfinished"] > 0:
        resume(poll_address)
        timeout_ms = np.int64(0)
    capacity = batch["ready_capacity"]
    count = foreign.epoll_wait(batch["epoll"], batch["ready"], capacity, timeout_ms)
    ready = records_at(batch["ready"], capacity, READY)
    for i in range(count):
        if batch["count"] == batch["capacity"]:
            break
        row_address = batch["connections"] + np.int64(ready[i]["row"]) * CONNECTION_BYTES
        visit(poll_address, row_address, np.int64(ready[i]["events"]))
    return batch["count"]


@compiled
def resume(poll_address):
    """Visit the connections that had more than the last batch could hold, each in its turn."""
    batch = records_at(poll_address, 1, POLL)[0]
    rows, first = batch["rows"], batch["next"]
    connections = records_at(batch["connections"], rows, CONNECTION)
    for i in range(rows):
        row = (first + i) % rows
        if connections[row]["more"]:
            if batch["count"] == batch["capacity"]:
                batch["next"] = row
                return
            row_address = batch["connections"] + row * CONNECTION_BYTES
            visit(poll_address, row_address, np.int64(0))


@compiled
def visit(poll_address, row_address, events):
    """Read one connection once, and hand out what is whole. The batch has room."""
    batch = records_at(poll_address, 1, POLL)[0]
    row = records_at(row_address, 1, CONNECTION)[0]
    if row["open"] == 0:  # Python closed it
        batch["unfinished"] -= row["more"]
        row["more"] = 0
    if row["open"] == 0 or row["turn"] == batch["turn"]:
        return
    row["turn"] = batch["turn"]
    compact(row_address)
    if row["more"] == 0 and not receive(poll_address, row_address, events):
        return
    ending = decrypt(row_address) if row["ssl"] != 0 else np.int64(0)
    more = parse(poll_address, row_address)
    if row["ssl"] != 0 and row["end"] == row["capacity"]:
        more = True  # OpenSSL may have more, for which there was no room
    if row["open"] == 0:
        more = False
    elif ending != 0 and not more:
        if batch["count"] < batch["capacity"]:
            put(poll_address, row_address, ending, np.int64(0), np.int64(0))
        else:
            more = True
    batch["unfinished"] += np.int64(more) - row["more"]
    row["more"] = np.int64(more)


@compiled
def receive(poll_address, row_address, events):
    """Take what the kernel has, once; whether there was something."""
    batch = records_at(poll_address, 1, POLL)[0]
    row = records_at(row_address, 1, CONNECTION)[0]
    target, room = batch["scratch"], batch["scratch_bytes"]
    if row["ssl"] == 0:
        # Never 0: a frame that is not whole fits the buffer, or `parse` had refused it.
        target, room = row["buffer"] + row["end"], row["capacity"] - row["end"]
    got = foreign.recv(row["fd"], target, room, np.int64(MSG_DONTWAIT))
    row["ts_received"] = read_tsc()
    if got <= 0:
        # -1 is EAGAIN, or an error that epoll shows too, if not now then in the next turn.
        if got == 0 or events & (EPOLLERR | EPOLLHUP):
            put(poll_address, row_address, np.int64(ENDED), np.int64(0), np.int64(0))
        return False
    row["bytes"] += got
    if row["ssl"] == 0:
        row["end"] += got
    else:
        foreign.BIO_write(row["bio"], target, got)
    return True


@compiled
def decrypt(row_address):
    """Decrypt into the buffer what OpenSSL has and the buffer has room for: 0, or how it ended."""
    row = records_at(row_address, 1, CONNECTION)[0]
    while row["end"] < row["capacity"]:
        room = min(row["capacity"] - row["end"], np.int64(1 << 30))
        got = foreign.SSL_read(row["ssl"], row["buffer"] + row["end"], room)
        if got <= 0:
            why = foreign.SSL_get_error(row["ssl"], got)
            if why in (foreign.SSL_ERROR_WANT_READ, foreign.SSL_ERROR_WANT_WRITE):
                return np.int64(0)
            return np.int64(ENDED if why == foreign.SSL_ERROR_ZERO_RETURN else TLS_FAILED)
        row["end"] += got
        if foreign.BIO_ctrl_pending(row["bio"]) == 0:
            return np.int64(0)  # a record whose rest did not fit has filled the buffer
    return np.int64(0)
