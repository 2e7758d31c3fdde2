"""WebSocket and REST over plain sockets: one thread serves hundreds of connections.

In:        endpoints (a URL and a venue's limits), texts to send, the time.
Out:       batches of whole messages by address, each with its receive stamp; what opened or closed.
Must not know: venues, instruments, JSON. It moves bytes.

foreign.py     functions of libc and the interpreter's OpenSSL, zlib, for Python and compiled code
tls.py         a TLS session that verifies: trust store, host name, SNI
frames.py      WebSocket frames in a connection's buffer -> whole messages; the records of this room
inflate.py     compressed messages (permessage-deflate) -> as they were
poll.py        one turn over all connections: wait, read, decrypt, parse; compiled
limits.py      so much in so many seconds; back-off
connection.py  one connection from its host's name to its end
pool.py        streams: connections that are made again, or replaced before their end
rest.py        requests and answers, for a thread that may block
"""
