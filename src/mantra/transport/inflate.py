"""Compressed messages (RFC 7692, permessage-deflate) -> as they were, by zlib's own `inflate`.

In:        a connection's INFLATER, a whole message's payload, its fragments joined.
Out:       the message in the inflater's room, valid until the connection's next turn; or why not.
Must not know: frames, sockets, who agreed on what.

All messages of a turn share the room, which is twice the longest message: none is begun when one
half is full, so each has room. What would inflate to more than the longest message is stopped
there: no message, however small, makes anybody allocate anything.

The window is always zlib's largest. It reads what was packed with any smaller one.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import address_of, aligned_zeros, record_type, records_at
from mantra.transport import foreign

Z_SYNC_FLUSH, Z_OK, Z_STREAM_END = np.int64(2), 0, 1
RAW_DEFLATE = -15  # no header, no checksum; a window of 2 ** 15 bytes
AT_A_BLOCKS_END = 128  # all of `data_type`, when a block has ended with a byte
INVALID_PAYLOAD, MESSAGE_TOO_BIG = np.int64(1007), np.int64(1009)  # RFC 6455, section 7.4.1

# zlib's z_stream: what it has yet to read, room to write to, both counted; its own affairs.
Z_STREAM = record_type(
    *("i8 next_in", "i4 avail_in", "i8 total_in", "i8 next_out", "i4 avail_out", "i8 total_out"),
    *("i8 msg state zalloc zfree opaque", "i4 data_type", "i8 adler reserved"),
)

# stream        its beginning: what zlib is called with
# tail          00 00 ff ff: what ends a message's last block and is not sent (section 7.2.2)
# forgets       1: each message is packed by itself (server_no_context_takeover)
# room used     its address, and how many of its bytes hold messages of this turn
# limit         the longest message
INFLATER = record_type(("stream", Z_STREAM), "i8 tail forgets room used limit")
TAIL_AT = INFLATER.fields["tail"][1]  # type: ignore[index]
TAIL, TAIL_BYTES = 0xFFFF0000, 4


@compiled
def is_full(inflater_address):
    """Whether no message may be begun in this turn."""
    inflater = records_at(inflater_address, 1, INFLATER)[0]
    return inflater["used"] > inflater["limit"]


@compiled
def inflate(inflater_address, payload, length):
    """Inflate a message behind those of this turn: how long it is; or minus the close code."""
    inflater = records_at(inflater_address, 1, INFLATER)[0]
    stream = inflater["stream"]
    if inflater["forgets"]:
        foreign.inflateReset(inflater_address)
    most = inflater["limit"] + 1
    stream["next_out"], stream["avail_out"] = inflater["room"] + inflater["used"], most
    for _ in range(2):
        stream["next_in"], stream["avail_in"] = payload, length
        while stream["avail_in"] > 0:
            status = foreign.inflate(inflater_address, Z_SYNC_FLUSH)
            if stream["avail_out"] == 0:
                return -MESSAGE_TOO_BIG
            if status == Z_STREAM_END:  # a last block: another may follow (section 7.2.3.4)
                foreign.inflateReset(inflater_address)
            elif status != Z_OK:
                return -INVALID_PAYLOAD
        payload, length = inflater_address + TAIL_AT, np.int64(TAIL_BYTES)
    if stream["data_type"] != AT_A_BLOCKS_END:  # the message's end was no block's
        return -INVALID_PAYLOAD
    return most - stream["avail_out"]


class Inflater:
    """Owner of an INFLATER for messages of up to `limit` bytes; `close` gives back zlib's memory.

    Raises MemoryError.
    """

    def __init__(self, limit: int, forgets: bool):
        self.room = np.empty(2 * limit + 1, np.uint8)
        self.record = aligned_zeros(1, INFLATER)
        self.record["room"], self.record["limit"] = address_of(self.room), limit
        self.record["tail"], self.record["forgets"] = TAIL, forgets
        self.address = address_of(self.record)
        version = foreign.zlibVersion()
        if foreign.inflateInit2_(self.address, RAW_DEFLATE, version, Z_STREAM.itemsize) != Z_OK:
            raise MemoryError("zlib has no memory for another connection")

    def close(self) -> None:
        """Free what zlib holds; messages in the room stay."""
        foreign.inflateEnd(self.address)
