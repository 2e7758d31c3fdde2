"""From when on a run was being canceled, as far as its requests tell."""

import numpy as np
import pytest

from mantra.messages.enums import CANCEL, NEW
from mantra.messages.records import ORDER_REQUEST, TIMING
from mantra.overseer.answers import TIMER_ORDERS, TIMER_SWEEP
from mantra.replay_actor.overseer import _canceling_from

SWEEP, ORDERS = TIMER_SWEEP, TIMER_ORDERS


def canceling_from(timings, requests):
    """Of (timer, requests sent) at 100, 200, …; and (kind, model, origin)."""
    steps = np.zeros(len(timings), TIMING)
    sent = np.zeros(len(requests), ORDER_REQUEST)
    for index, (timer, work) in enumerate(timings):
        steps[index]["timer"], steps[index]["work"] = timer, work
        steps[index]["ts_start"] = 100 * (index + 1)
    for row, (kind, model, origin) in zip(sent, requests, strict=True):
        row["kind"], row["model"], row["ts_origin"] = kind, model, origin
    first, uncaused = _canceling_from(steps, sent)
    return first, uncaused.tolist()


@pytest.mark.parametrize(
    ("timings", "requests", "expected"),
    [
        # Nothing was open in the end, or all cancels had an ideal order as their cause.
        ([(SWEEP, 1)], [(NEW, 0, 90)], (1, [])),
        ([(SWEEP, 1), (SWEEP, 1)], [(NEW, 0, 90), (CANCEL, 0, 150)], (2, [])),
        # The last sweep canceled by itself.
        ([(SWEEP, 1), (SWEEP, 1)], [(NEW, 0, 90), (CANCEL, 0, 201)], (1, [1])),
        # Model 1 had something open, model 0 was looked at in the same step.
        ([(ORDERS, 3), (SWEEP, 0), (SWEEP, 1)], [(CANCEL, 1, 301)], (1, [0])),
        # A loss limit canceled, and others went on: that was no end.
        ([(SWEEP, 1), (SWEEP, 1)], [(CANCEL, 0, 101), (NEW, 1, 150)], (2, [0])),
    ],
)
def test_it_is_the_first_cancel_at_the_end_that_no_ideal_order_caused(timings, requests, expected):
    assert canceling_from(timings, requests) == expected
