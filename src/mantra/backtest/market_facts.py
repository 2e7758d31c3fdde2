"""Recorded market data beside simulated: `python -m mantra.backtest.market_facts ARCHIVE`.

Prints the facts of an archive's first instrument and of as many messages of the simulated venue,
as a Markdown table; docs/decisions/008-simulated-venue.md says which are meant to agree.
"""

import sys

from mantra.archive import ArchiveReader
from mantra.exchanges.simulated.facts import facts, simulated, table
from mantra.messages.tables import Tables

VOLUME_EXPONENT = 5  # of the simulated BTC-USDT


def compare(directory: str) -> str:
    """The table. Raises ArchiveError if there is no archive, KeyError if it has no tables."""
    reader = ArchiveReader(directory)
    row = Tables.from_dict(reader.metadata["tables"]).instruments[0]
    l2, trades = (rows[rows["instrument"] == 0] for rows in map(reader.read, ("l2", "trades")))
    unit = 10 ** max(int(row["volume_exponent"]) - VOLUME_EXPONENT, 0)
    columns = {
        "recorded": facts(l2, trades, int(row["tick_size"]), unit),
        "simulated": facts(*simulated(len(l2) + len(trades))),
    }
    return table(columns)


if __name__ == "__main__":
    print(compare(*sys.argv[1:]))
