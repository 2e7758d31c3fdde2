"""Market data as venues send it -> L2Update and TradeUpdate, in order and whole, or flagged.

In:        messages of connections, snapshots asked for beside them.
Out:       [l2] [trades] [events]; what is missing or wrong, counted and asked for again.
Must not know: who reads the queues; TLS, WebSockets (transport), what a venue's bytes mean
(exchanges).

phases.py    the life of a book that follows a venue: one table
take.py      one message, decoded, checked, applied, published: compiled
raw.py       raw frames, as they came, to files
feed.py      the memory in which books follow, and the way in for Python
venues.py    the five venues, and what one stream of a venue is told and says
listings.py  listings of venues: asked for, kept on disk, made into tables
cross_check.py  a followed book beside a fresh snapshot: where they cannot both be right
handler.py   MarketDataHandler: the actor; connections, new bases, what is refused
"""
