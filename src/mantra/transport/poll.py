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

Most of what a small message costs is per turn and per read: a wake-up, `epoll_wait`, `recv`. With
`gather_ns` a thread that need not be prompt sleeps until a turn is due, and then finds many
connections with several messages each. A turn that is late begins at once: under load there is no
sleep.
"""

import platform

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import offsets, records_at
from mantra.telemetry.tsc import read_tsc
from mantra.transport import foreign, frames
from mantra.transport.frames import compact, parse, put

MSG_DONTWAIT, EPOLLERR, EPOLLHUP = 0x40, 8, 16
IPPROTO_TCP, TCP_QUICKACK, FOUR = np.int64(6), np.int64(12), np.int64(4)
CLOCK_MONOTONIC, TIMER_ABSTIME = np.int64(1), np.int64(1)
SECOND_NS = 1_000_000_000
PROMPT_MAX = 1  # connections read in a turn that does not gather: none waits for another's read
TIMESPEC_AT, OFF_AT = offsets(frames.POLL, "seconds off")

# struct epoll_event is packed on x86-64 only; `row` is the low half of its 64 bits of user data.
_padding = [] if platform.machine() == "x86_64" else [("padding", "i4")]
READY = np.dtype([("events", "u4"), *_padding, ("row", "i4"), ("unused", "i4")])


@compiled
def poll(poll_address, timeout_ms):
    """Fill the batch from all connections that are ready; how much is in it.

    Returns when the batch is full or nothing is left, or after `timeout_ms` (-1: no limit); where
    turns are to gather, that is what is waited for, and nothing else. If the batch has `events`,
    Python's turn comes before the next call: -1 until then, and the batch stays as it is.
    """
    batch = records_at(poll_address, 1, frames.POLL)[0]
    if batch["events"] > 0:
        return np.int64(-1)
    unfinished = batch["unfinished"]
    batch["count"], batch["unfinished"] = 0, 0
    batch["turn"] += 1
    if unfinished:
        resume(poll_address)
        timeout_ms = np.int64(0)
    elif batch["gather_ns"] > 0:
        gather(poll_address)
        timeout_ms = np.int64(0)
    ready = records_at(batch["ready"], frames.READY_MAX, READY)
    most = np.int64(frames.READY_MAX if batch["gather_ns"] > 0 else PROMPT_MAX)
    count = foreign.epoll_wait(batch["epoll"], batch["ready"], most, timeout_ms)
    for i in range(count):
        if batch["count"] < batch["capacity"]:
            visit(poll_address, np.int64(ready[i]["row"]), np.int64(ready[i]["events"]))
    return batch["count"]


@compiled
def gather(poll_address):
    """Sleep until this turn is due, if it is not yet."""
    batch = records_at(poll_address, 1, frames.POLL)[0]
    timespec = poll_address + TIMESPEC_AT
    foreign.clock_gettime(CLOCK_MONOTONIC, timespec)
    now = batch["seconds"] * SECOND_NS + batch["nanoseconds"]
    if now < batch["due"]:
        now = batch["due"]
        batch["seconds"], batch["nanoseconds"] = now // SECOND_NS, now % SECOND_NS
        foreign.clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, timespec, np.int64(0))
    batch["due"] = now + batch["gather_ns"]


@compiled
def resume(poll_address):
    """Visit the connections that had more than the last batch could hold, each in its turn."""
    batch = records_at(poll_address, 1, frames.POLL)[0]
    connections = records_at(batch["connections"], frames.ROWS_MAX, frames.CONNECTION)
    for i in range(frames.ROWS_MAX):
        row = (batch["next"] + i) % frames.ROWS_MAX
        if connections[row]["more"]:
            if batch["count"] == batch["capacity"]:
                batch["next"], batch["unfinished"] = row, 1
                return
            visit(poll_address, row, np.int64(0))


@compiled
def visit(poll_address, number, events):
    """Read one connection once, and hand out what is whole. The batch has room."""
    batch = records_at(poll_address, 1, frames.POLL)[0]
    row_address = batch["connections"] + number * frames.CONNECTION_BYTES
    row = records_at(row_address, 1, frames.CONNECTION)[0]
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
    if ending != 0 and not more and row["open"]:
        more = batch["count"] == batch["capacity"]
        if not more:
            put(poll_address, row_address, ending, np.int64(0), np.int64(0))
    row["more"] = np.int64(more)
    batch["unfinished"] |= row["more"]


@compiled
def receive(poll_address, row_address, events):
    """Take what the kernel has, once; whether there was something."""
    batch = records_at(poll_address, 1, frames.POLL)[0]
    row = records_at(row_address, 1, frames.CONNECTION)[0]
    target, room = batch["scratch"], np.int64(frames.SCRATCH_BYTES)
    if row["ssl"] == 0:
        # Never 0: a frame that is not whole fits the buffer, or `parse` had refused it.
        target, room = row["buffer"] + row["end"], row["capacity"] - row["end"]
    # To acknowledge at once costs three times what reading does, and `recv` does it: later, please,
    # with the second segment or after 40 ms. The kernel forgets it at every pause: tcp(7).
    foreign.setsockopt(row["fd"], IPPROTO_TCP, TCP_QUICKACK, poll_address + OFF_AT, FOUR)
    got = foreign.recv(row["fd"], target, room, np.int64(MSG_DONTWAIT))
    row["ts_received"] = read_tsc()
    if got <= 0:
        # -1 is EAGAIN, or an error that epoll shows too, if not now then in the next turn.
        if got == 0 or events & (EPOLLERR | EPOLLHUP):
            put(poll_address, row_address, np.int64(frames.ENDED), np.int64(0), np.int64(0))
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
    row = records_at(row_address, 1, frames.CONNECTION)[0]
    while row["end"] < row["capacity"]:
        room = min(row["capacity"] - row["end"], np.int64(1 << 30))
        got = foreign.SSL_read(row["ssl"], row["buffer"] + row["end"], room)
        if got <= 0:
            why = foreign.SSL_get_error(row["ssl"], got)
            if why == foreign.SSL_ERROR_ZERO_RETURN:
                return np.int64(frames.ENDED)
            return np.int64(0 if why in foreign.SSL_WAITS else frames.TLS_FAILED)
        row["end"] += got
        if foreign.BIO_ctrl_pending(row["bio"]) == 0:
            break  # if there is a record whose rest did not fit, it has filled the buffer
    return np.int64(0)
