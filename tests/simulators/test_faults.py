"""What is drawn is what was asked for, counted; damage is what its name says."""

import pytest

from mantra.simulators.faults import FAULTS, NOT_OF_MESSAGES, Faults

TEXT = b'{"a":[1,2,3]}'


@pytest.mark.parametrize(
    ("odds", "said"),
    [
        ({"fire": 0.1}, "no fault .'fire'.; there are: drop, "),
        ({"drop": -0.1}, "odds are from 0 to 1"),
        ({"drop": 0.6, "cut": 0.6}, "those of all messages' faults together"),
        ({"refuse": 1.1}, "odds are from 0 to 1"),
    ],
)
def test_odds_that_are_none_are_refused(odds, said):
    with pytest.raises(ValueError, match=said):
        Faults(odds)


def test_faults_come_at_their_odds_and_are_counted():
    faults = Faults({"drop": 0.1, "close": 0.02, "refuse": 0.5}, seed=5)
    drawn = [faults.draw(book=number % 2 == 0) for number in range(5_000)]
    assert set(drawn) == {"", "drop", "close"}
    assert drawn.count("drop") == faults.done["drop"] == pytest.approx(500, rel=0.2)
    assert faults.books["drop"] == pytest.approx(250, rel=0.3)
    assert sum(faults.hits("refuse") for _ in range(1_000)) == pytest.approx(500, rel=0.2)
    assert not any(faults.hits("slow-tls") for _ in range(100))


def test_the_same_seed_is_the_same_faults_and_calm_is_none():
    first, second = (Faults({"drop": 0.3}, seed=9) for _ in range(2))
    assert [first.draw(True) for _ in range(50)] == [second.draw(True) for _ in range(50)]
    assert first.active
    first.calm = True
    assert not first.active
    assert {first.draw(True) for _ in range(50)} == {""}


def test_damage():
    faults = Faults({})
    assert list(faults.damaged("drop", TEXT)) == []
    assert list(faults.damaged("duplicate", TEXT)) == [TEXT, TEXT]
    assert list(faults.damaged("cut", TEXT)) == [TEXT[: len(TEXT) // 2]]
    (corrupt,) = faults.damaged("corrupt", TEXT)
    assert sum(a != b for a, b in zip(corrupt, TEXT, strict=True)) == 1
    for name in set(FAULTS) - {"drop", "duplicate", "cut", "corrupt", *NOT_OF_MESSAGES}:
        assert list(faults.damaged(name, TEXT)) == [TEXT]
