"""Backtest: recorded market data back into the queues, and what came of a run.

In:        archives, raw captures of venues; the queues of a run.
Out:       L2Update and TradeUpdate in recorded order and pace; archives; tallies and reports.
Must not know: which models run, who fills. The engine cannot tell a replay from a venue.

replay.py        the actor that sends an archive: at its own pace, a multiple of it, or at most
market_facts.py  recorded market data beside simulated
captures.py      raw captures of venues, read in pieces
import_lines.py  compiled: lines of captures to records
importer.py      captures -> archive, counted to the last line
tally.py         orders, fills, fees, positions, PnL of a run, from its queues
report.py        what the report of a run says
"""
