"""The life of a book, path by path and pair by pair."""

import itertools

import pytest

from mantra.market_data import phases as p


def after(*happenings: int, start: int = p.OFF) -> int:
    phase = start
    for happening in happenings:
        phase = int(p.NEXT_PHASE[phase, happening])
        assert phase != p.ILLEGAL
    return phase


def test_the_table_has_a_row_for_every_phase_and_a_column_for_all_that_happens():
    assert p.NEXT_PHASE.shape == (len(p.PHASES), len(p.HAPPENINGS))
    assert set(p.NEXT_PHASE.flat) == {p.ILLEGAL, *range(len(p.PHASES))}


@pytest.mark.parametrize(
    ("path", "phase"),
    [
        ((p.ASKED, p.KEPT, p.KEPT, p.BASED, p.JOINED, p.JOINED), p.LIVE),  # Binance, Bitstamp
        ((p.ASKED, p.WHOLE, p.JOINED), p.LIVE),  # Kraken, Coinbase, Bitfinex
        ((p.ASKED, p.WHOLE, p.BROKE, p.KEPT), p.GAP),
        ((p.ASKED, p.WHOLE, p.BROKE, p.ASKED, p.KEPT, p.WHOLE), p.LIVE),
        ((p.ASKED, p.KEPT, p.BASED, p.BROKE, p.ASKED, p.KEPT, p.BASED), p.BRIDGING),
        ((p.ASKED, p.WHOLE, p.CUT, p.ASKED), p.SUBSCRIBING),
    ],
)
def test_paths(path, phase):
    assert after(*path) == phase


@pytest.mark.parametrize("phase", [p.GAP, p.RESYNCING, p.WAITING, p.SUBSCRIBING, p.OFF])
def test_a_book_that_is_not_right_gets_right_by_a_base_only(phase):
    right = {p.BRIDGING, p.LIVE}
    for happening in range(len(p.HAPPENINGS)):
        if p.NEXT_PHASE[phase, happening] in right:
            assert happening in (p.BASED, p.WHOLE)


def test_a_change_is_applied_to_a_right_book_only():
    legal = [phase for phase in range(len(p.PHASES)) if p.NEXT_PHASE[phase, p.JOINED] >= 0]
    assert legal == [p.BRIDGING, p.LIVE]


def test_a_cut_ends_everything_and_every_phase_can_be_left_for_live():
    assert (p.NEXT_PHASE[:, p.CUT] == p.OFF).all()
    for phase in range(len(p.PHASES)):
        reached = {phase}
        for _, happening in itertools.product(p.PHASES, range(len(p.HAPPENINGS))):
            reached |= {int(p.NEXT_PHASE[one, happening]) for one in reached} - {p.ILLEGAL}
        assert p.LIVE in reached
