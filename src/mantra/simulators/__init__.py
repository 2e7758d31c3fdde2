"""Venues on loopback: real servers that speak a venue's public protocol, and misbehave on demand.

In:        a seed, a rate, symbols; faults and how often.
Out:       WebSocket and REST as the venue has them, over TLS or not; the truth, for who checks.
Must not know: the engine's way of reading any of it: texts are made here with plain Python.

market.py    the truth: books and trades, from a seed
dialects.py  the venues' public protocols, spoken from the truth
server.py    sockets, TLS, upgrades, REST; one thread a client
faults.py    what can go wrong on the way, and the dice
"""
