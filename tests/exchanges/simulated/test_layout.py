"""The generator's records lie as drawn."""

from mantra.exchanges.simulated.layout import (
    CENTER,
    FREE,
    GENERATOR,
    GROUP_MAX,
    MARKET,
    SNAPSHOT_LEVELS,
    TICKS_MAX,
)
from mantra.icc.memory import CACHE_LINE, offsets
from mantra.messages.records import L2_UPDATE


def test_words_and_messages_are_aligned():
    assert GENERATOR.itemsize % 8 == MARKET.itemsize % 8 == 0
    l2_at, trades_at = offsets(GENERATOR, "l2 trades")
    assert l2_at % 8 == trades_at % 8 == 0
    assert GENERATOR.fields["tables"][1] % CACHE_LINE == 0
    assert l2_at + GROUP_MAX * L2_UPDATE.itemsize == trades_at


def test_a_snapshot_fits_a_group_and_the_free_range_leaves_room_at_the_edges():
    assert 2 * SNAPSHOT_LEVELS <= GROUP_MAX
    assert CENTER + FREE * 3 // 2 < TICKS_MAX
