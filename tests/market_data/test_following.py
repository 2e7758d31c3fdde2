"""The reader that checks the handler convicts what it is there to convict."""

import numpy as np
import pytest

from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE
from tests.market_data.following import OPTIONS, Reader, all_faults

WHOLE = FIRST | LAST
BASE = [(0, WHOLE | SNAPSHOT, BID, 99, 5)]


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.setattr(Reader, "queues", ())
    return Reader("no run", 2)


def read(reader, *rows):
    made = np.zeros(len(rows), L2_UPDATE)
    for at, (instrument, flags, side, price, volume) in enumerate(rows):
        made[at]["instrument"], made[at]["flags"], made[at]["side"] = instrument, flags, side
        made[at]["price"], made[at]["volume"] = price, volume
    reader.levels(made)


def test_books_are_what_is_published(reader):
    read(reader, *BASE, (0, FIRST, BID, 98, 7), (0, LAST, ASK, 101, 2), (0, WHOLE, BID, 99, 0))
    assert reader.books[0] == ({98: 7}, {101: 2})
    read(reader, *BASE)
    assert reader.books[0] == ({99: 5}, {})
    assert not reader.wrong


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(0, WHOLE, BID, 99, 5)], "a change of a broken book"),
        ([*BASE, (1, WHOLE, BID, 99, 5)], "1: a change of a broken book"),
        ([*BASE, (0, FIRST, BID, 98, 7), (0, FIRST, BID, 97, 7)], "a group in the group"),
        ([*BASE, (0, LAST, BID, 98, 7)], "a level outside of its group"),
        ([*BASE, (0, FIRST, BID, 98, 7), (1, 0, BID, 97, 7)], "1: a level outside of its group"),
    ],
)
def test_what_must_not_be_published_is_convicted(reader, rows, said):
    read(reader, *rows)
    assert any(said in one for one in reader.wrong)


def test_after_a_gap_only_a_base_may_come(reader):
    read(reader, *BASE)
    reader.broken[0] = True
    read(reader, (0, WHOLE, BID, 98, 7))
    assert reader.wrong
    reader.wrong.clear()
    read(reader, *BASE, (0, WHOLE, BID, 98, 7))
    assert not reader.wrong


def test_nothing_is_lost_where_nothing_tells():
    odds = all_faults(0.1, 0.01, 0.2)
    assert "drop" not in odds["bitstamp"]
    assert odds["kraken"]["drop"] == 0.1
    assert OPTIONS["kraken"] == ("--reach", "5")
