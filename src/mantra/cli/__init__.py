"""The `mantra` command.

In:        what a user types.
Out:       text or, with --json, one JSON object on standard output; exit code 0, 1 or 2.
Must not know: how anything is done: each command calls one function of another room.

main.py        the group; commands load what they need only when called, so --help is quick
runs.py        demo, backtest, run, halt, replay
capture.py     capture
data.py        import, archive
simulate.py    simulate
instruments.py instruments
machine.py     doctor, shm, bench
status.py      the live line of a run, and progress bars
"""

from mantra.cli.main import main

__all__ = ["main"]
