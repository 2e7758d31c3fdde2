"""The life of a book that follows a venue: one table. Everything about it is in this file.

    OFF          nobody asked for it, or its connection is gone
    SUBSCRIBING  asked for, nothing has come yet
    WAITING      changes come and are kept; the snapshot they belong to is still to come
    BRIDGING     the snapshot is in, no change has joined it yet
    LIVE         follows
    GAP          something is missing or wrong: nothing is published until there is a new base
    RESYNCING    a new base has been asked for

What is published is right in BRIDGING and LIVE, and in these only anything is published.
"""

import numpy as np

OFF, SUBSCRIBING, WAITING, BRIDGING, LIVE, GAP, RESYNCING = range(7)
PHASES = ("off", "subscribing", "waiting", "bridging", "live", "gap", "resyncing")

# What happens to it.
ASKED = np.int64(0)  # a subscription, or a new base, has been asked for
KEPT = np.int64(1)  # a change came that has no base yet
BASED = np.int64(2)  # a snapshot that changes must still join: asked for beside the stream
WHOLE = np.int64(3)  # a snapshot in the stream itself: what follows joins by itself
JOINED = np.int64(4)  # a change was applied
BROKE = np.int64(5)  # a change is missing, a checksum is wrong, the book is crossed
CUT = np.int64(6)  # its connection ended
HAPPENINGS = ("asked", "kept", "based", "whole", "joined", "broke", "cut")

ILLEGAL = -1

NEXT_PHASE = np.array(
    [
        # ASKED       KEPT       BASED     WHOLE    JOINED   BROKE      CUT
        [SUBSCRIBING, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, OFF],  # OFF
        [SUBSCRIBING, WAITING, BRIDGING, LIVE, ILLEGAL, GAP, OFF],  # SUBSCRIBING
        [WAITING, WAITING, BRIDGING, LIVE, ILLEGAL, GAP, OFF],  # WAITING
        [RESYNCING, ILLEGAL, BRIDGING, LIVE, LIVE, GAP, OFF],  # BRIDGING
        [RESYNCING, ILLEGAL, BRIDGING, LIVE, LIVE, GAP, OFF],  # LIVE
        [RESYNCING, GAP, BRIDGING, LIVE, ILLEGAL, GAP, OFF],  # GAP
        [RESYNCING, RESYNCING, BRIDGING, LIVE, ILLEGAL, RESYNCING, OFF],  # RESYNCING
    ]
)
