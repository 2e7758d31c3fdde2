"""Workers answer in order and their pins are undone; a worker that hangs is said to."""

import os

import pytest

from mantra.bench import icc_peers

pytestmark = pytest.mark.processes


class Echo:
    def twice(self, value: int) -> int:
        return 2 * value

    def affinity(self) -> set[int]:
        return os.sched_getaffinity(0)


@pytest.fixture
def worker():
    made = icc_peers.Worker(min(os.sched_getaffinity(0)), Echo())
    yield made
    made.end()


def test_a_worker_answers_what_it_was_asked_last(worker):
    for value in (3, 4):
        worker.ask("twice", value)
        assert worker.answer() == 2 * value


def test_a_worker_is_pinned_and_its_parent_is_not(worker):
    before = os.sched_getaffinity(0)
    worker.ask("affinity")
    assert worker.answer() == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_a_worker_without_an_answer_is_not_waited_for_for_ever(worker, monkeypatch):
    monkeypatch.setattr(icc_peers, "ANSWER_S", 0.01)
    with pytest.raises(RuntimeError, match="gave no answer"):
        worker.answer()


def test_pinned_gives_the_cores_back_after_an_error():
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyError), icc_peers.pinned(min(before)):
        raise KeyError
    assert os.sched_getaffinity(0) == before
