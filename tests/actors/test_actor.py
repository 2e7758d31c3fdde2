"""The contract itself."""

import pytest

from mantra.actors.actor import Actor
from tests.actors.toys import Counter


def test_an_actor_without_on_start_says_so():
    with pytest.raises(NotImplementedError):
        Actor("bare").on_start(None)


def test_a_context_exists_only_once_started():
    with pytest.raises(AssertionError, match="counter"):
        _ = Counter("counter", 1).context_address


def test_an_actor_writes_no_vectors_unless_it_says_so():
    assert Counter("counter", 1).vectors() == {}
