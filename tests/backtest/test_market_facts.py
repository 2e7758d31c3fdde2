"""An archive is set beside the simulation."""

from mantra.archive import ArchiveWriter
from mantra.backtest.market_facts import compare
from mantra.exchanges.simulated.facts import simulated
from mantra.exchanges.simulated.generator import default_tables


def test_an_archive_of_simulated_data_has_the_facts_of_simulated_data(tmp_path):
    l2, trades = simulated(4_000)
    with ArchiveWriter(tmp_path, {"tables": default_tables().as_dict()}) as writer:
        writer.append("l2", l2)
        writer.append("trades", trades)
    head, _, *lines = compare(str(tmp_path)).splitlines()
    assert head == "| fact | recorded | simulated |"
    assert len(lines) > 20
    for line in lines:
        _, name, recorded, of_simulated, _ = line.split("|")
        assert recorded == of_simulated, name
