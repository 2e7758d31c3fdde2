"""Order books: levels in flat memory, written by L2 updates, asked by models and mock exchanges.

In:        L2_UPDATE records; single levels.
Out:       best, n-th level, volume to a price, price for a volume; crossed and locked counts.
Must not know: where updates come from, who asks, queues, clocks, venues.

book.py      all that other rooms call: new_book, apply_update, the queries
side.py      one side: table and window kept in step, grown on need
table.py     price -> volume: a hash in buckets of cache lines
window.py    the order of levels: a bitmap of ticks near the touch, a sorted rest
layout.py    the bytes of all that
machine.py   memory by address, bits, eight words compared at once
"""
