"""Simulated venues: servers on loopback that speak the venues' public protocols, and misbehave.

In:        a venue's name, symbols, a rate of changes, a seed, the odds of each fault.
Out:       WebSocket and REST over TLS, as the venue has them; the truth, to hold a client against.
Must not know: the engine's market data, transport, queues: it is made from the venues'
documents with json and zlib, so that it can convict them.

Equipment of tests, benches and users (`mantra simulate`), no part of the engine: nothing but cli
and bench may import it.

market.py     the truth: books that change, and trades, from a seed
dialect.py    what they have in common: topics, who follows them, levels in a depth
dialects.py   what each venue's WebSocket answers and tells
rest.py       what each venue's REST answers: the listing, whole books; the symbols' names
faults.py     what can go wrong, and the dice that say when
server.py     sockets: one loop serves all clients of a venue
process.py    a venue in a process of its own, and its certificate
"""
