"""The built-in simulated venue: seeded order flow as market data, at a set rate.

In:        instruments from the tables, a seed, a rate.
Out:       L2Update and TradeUpdate as venues send them: snapshots, then trades and groups.
Must not know: who trades on it. No order moves its market: a MockExchange fills from its data.

distributions.py  sizes, distances, pauses as tables of 1,024 quantiles, measured on real data
layout.py         the state of a generator, drawn
orderflow.py      next event -> trades and one atomic group: pure, compiled, integers only
generator.py      building that state; default instruments
venue.py          the actor: pacing and queues
"""
