"""Actors: the contract, what an actor is given, and who runs it.

In:        actors (name, on_start, step, on_stop) and a plan that maps them to cores.
Out:       running processes, pinned, watched, ended cleanly; or steps on demand, in tests.
Must not know: what any actor does. Nothing of trading is imported here.

actor.py        the contract
control.py      the run's control segment: state, halt, one row per actor with heartbeat and gauges
spine.py        what an actor is given: its queues, vectors, track, timers
core_loop.py    the compiled loop over the actors of one core
pacing.py       what sources share: phases, and room on a queue for those that wait
stepper.py      runs actors in the caller's thread, step by step
core_process.py one core of the map: a pinned process
supervisor.py   start order, heartbeats, restart or halt, clean end
"""
