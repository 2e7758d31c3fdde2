"""Market data as venues send it -> L2Update and TradeUpdate, in order and whole, or flagged.

In:        messages of connections, snapshots asked for beside them.
Out:       [l2] [trades] [events]; what is missing or wrong, counted and asked for again.
Must not know: who reads the queues; TLS, WebSockets (transport), what a venue's bytes mean
(exchanges).

phases.py       the life of a book that follows a venue: one table
take.py         one message, decoded, checked, applied, published: compiled
raw.py          raw frames, as they came, to files
feed.py         the memory in which books follow, and the way in for Python
venues.py       the five venues, and what one stream of a venue is told and says
listings.py     listings of venues: asked for, kept on disk, made into tables
asking.py       what is asked of venues by REST, in threads
bases.py        new bases of books: when one is asked for, what waits for it
cross_check.py  a followed book beside a fresh snapshot: where they cannot both be right
lookout.py      what is looked at now and then: listings, drift
status.py       how a handler stands, for who watches the run
batch.py        the handler's step: one poll, and every message that it brought; compiled
handler.py      MarketDataHandler: the actor, and Python's turn of it
"""
