"""Backtest: recorded data into archives, replay, the tally of a run.

In:        recorded captures, archives, the queues of a run.
Out:       archives; what happened in a run.
Must not know: processes, the wiring of a run (system), terminals.

importer.py        captures -> archive: the entry, and the rules of how a book begins
captures.py        files -> pieces of whole lines
import_survey.py   first pass: instruments and their decimals
import_session.py  second pass: streams, and what is rare
import_lines.py    the compiled loop of both
default_config.py  a run's config where the user gives none
report.py          what a run did, as data and as text
tally.py           orders, fills, fees, positions and PnL, read off the queues
"""
