"""Backtest: recorded market data back into the queues, and what came of a run.

In:        raw captures of venues, archives, the queues of a run.
Out:       L2Update and TradeUpdate in recorded order and pace; archives; tallies and reports.
Must not know: the wiring of a run, terminals. The engine cannot tell a replay from a venue.

importer.py        captures -> archive: the entry, and the rules of how a book begins
captures.py        files -> pieces of whole lines
dumps.py           raw dumps of connections -> lines of a capture
import_survey.py   first pass: instruments and their decimals
import_session.py  second pass: streams, and what is rare
import_lines.py    the compiled loop of both
import_venues.py   the venues: names, fees, how books begin
import_tardis.py   CSV files of Tardis, merged by time
sink.py            arrays in the place of a run's queues
replay.py          the actor that sends an archive: at its own pace, a multiple of it, or at most
default_config.py  a run's config where the user gives none
report.py          what a run did, as data and as text
tally.py           orders, fills, fees, positions and PnL, read off the queues
"""
