"""Which message led to which call of a model."""

import numpy as np
import pytest

from mantra.archive import ArchiveError
from mantra.messages.records import TIMING, TRADE_UPDATE
from mantra.replay_actor.model import _find_calls


def rows_of(dtype, *origins):
    rows = np.zeros(len(origins), dtype)
    rows["ts_origin"] = origins
    return rows


def found(messages, timings):
    return _find_calls(rows_of(TRADE_UPDATE, *messages), rows_of(TIMING, *timings), "trades")


def test_a_call_was_made_when_the_message_of_its_origin_was_taken():
    assert found([10, 20, 30], [10, 20, 30]) == [1, 2, 3]


def test_messages_of_one_origin_led_to_one_call_each():
    assert found([10, 10, 30], [10, 10, 30]) == [1, 2, 3]


def test_messages_that_led_to_no_call_are_passed_over():
    assert found([10, 20, 30], [30]) == [3]


@pytest.mark.parametrize("timings", [[15], [10, 10], [20, 10]])
def test_a_call_without_its_message_means_that_messages_are_missing(timings):
    with pytest.raises(ArchiveError, match="messages of the recording are missing"):
        found([10, 20], timings)
