"""Market data as venues send it -> L2Update and TradeUpdate, in order and whole, or flagged.

In:        messages of connections, snapshots asked for beside them.
Out:       [l2] [trades] [events]; what is missing or wrong, counted and asked for again.
Must not know: who reads the queues; TLS, WebSockets (transport), what a venue's bytes mean
(exchanges).

phases.py    the life of a book that follows a venue: one table
feed.py      one message, decoded, checked, published: compiled
"""
