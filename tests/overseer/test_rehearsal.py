"""The rehearsal: the understudy works in private, the run sees nothing of it."""

from mantra.icc.atomics import prefetch
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import CANCEL, NEW
from mantra.overseer.rehearsal import EVERY
from mantra.overseer.state import CONTEXT
from tests.overseer.overseer_desk import Desk

REHEARSALS = 8


def test_an_idle_overseer_rehearses_orders_that_nobody_sees():
    with Desk(rehearses=True) as desk:
        for _ in range(EVERY * REHEARSALS + 1):
            desk.step()
        rehearsal = desk.overseer._rehearsal
        counted = rehearsal._stepper.actors[1].arrays["counters"][0]
        assert rehearsal.script.context["count"][0] == REHEARSALS
        assert counted["requests"][NEW] >= REHEARSALS // 2 - 1
        assert counted["requests"][CANCEL] >= REHEARSALS // 2 - 1
        assert counted["illegal"] == 0
        assert desk.overseer.arrays["counters"]["requests"].sum() == 0


def test_it_rehearses_only_if_told_to():
    with Desk() as desk:
        for _ in range(EVERY + 1):
            desk.step()
        assert desk.overseer.context["rehearsal"][0] == 0


def test_asking_for_memory_changes_nothing():
    words = aligned_zeros(1, CONTEXT)
    before = words.tobytes()
    prefetch(address_of(words))
    assert words.tobytes() == before
