"""Telemetry, the writing side: clock, stamps, timers, histograms. Cheap enough for the hot path.

In:        ticks, and what actors send and receive.
Out:       origin and publish stamps in every message; timing queues and histograms in shared
           memory, for any observer.
Must not know: what an actor does between two stamps.

tsc.py         the tick counter
clock.py       ticks <-> UTC: calibration, drift, error bound
histogram.py   HDR-style histogram of ticks, in flat memory
tracked.py     receive and send: stamps written by the producer itself, so no actor can forget
timers.py      the timers of an actor: names, histograms, in shared memory
"""
