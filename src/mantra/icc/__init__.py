"""Inter-core communication: seqlocked broadcast queues and vectors in shared memory.

In:        bytes of fixed-width records, from any process of a run.
Out:       the same bytes, whole or not at all, in every process that asks.
Must not know: what the bytes mean. Nothing of trading, actors or clocks is imported here.

atomics.py         the instructions everything rests on, each with a Python twin
memory.py          addresses <-> arrays of records
shm.py             segments: create, attach, list, clean
queue.py           the broadcast queue: publish, try_consume
queue_segment.py   the queue in shared memory: its layout, attaching producers and consumers
seqlock_vector.py  random-access rows, the latest value wins
"""
