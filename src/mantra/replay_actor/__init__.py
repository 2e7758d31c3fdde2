"""Feed what a run recorded back into one of its actors, and see whether it sends the same.

In:        a run's directory: its archive holds every queue, timings included, and its config.
Out:       whether the outputs are the same; else the first that differs, both sides of it.
Must not know: processes. The actor is stepped (actors/stepper.py), by recorded time.

    replay_actor.py  which of these fits, and the sentence that says what came of it
    recording.py     the run: rows of its queues, the actor made anew, what was lost
    bench.py         one actor in a Stepper, its inputs in our hand, and a clock we set
    compare.py       rows against rows
    model.py         a ModelActor: [l2] [trades] [fills] -> [ideals]
    overseer.py      the Overseer: ideals, answers -> [requests]
    exchange.py      a MockExchange: [l2] [trades] [requests] -> [orders] [fills] [balances]

The order in which an actor took from its several queues, and how much at once, is in its TIMINGs:
one each piece of work. What they do not say, each file says, with what is assumed instead.
"""

from mantra.replay_actor.replay_actor import replay_actor

__all__ = ["replay_actor"]
