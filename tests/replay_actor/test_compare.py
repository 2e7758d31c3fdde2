"""Rows against rows."""

import numpy as np

from mantra.messages.records import FILL, ORDER_REQUEST, PUBLISHER_BITS
from mantra.replay_actor.compare import compare, first_difference, tell


def requests(*prices):
    rows = np.zeros(len(prices), ORDER_REQUEST)
    rows["price"], rows["order_id"] = prices, range(len(prices))
    return rows


def test_equal_rows_do_not_differ_whenever_and_by_whom_they_were_published():
    before, after = requests(5, 6, 7), requests(5, 6, 7)
    after["published"] = 99 << PUBLISHER_BITS | 3
    assert first_difference(before, after) is None
    assert compare("requests", np.arange(3), before, after)["difference"] is None


def test_the_first_row_that_differs_is_found():
    assert first_difference(requests(5, 6, 7), requests(5, 8, 9)) == 1


def test_a_side_that_ends_early_differs_where_it_ends():
    assert first_difference(requests(5, 6), requests(5)) == 1
    assert first_difference(requests(), requests(5)) == 0


def test_fields_of_several_words_are_compared():
    before, after = np.zeros(2, FILL), np.zeros(2, FILL)
    after["unused_words"][1, 2] = 1
    assert first_difference(before, after) == 1


def test_a_difference_names_both_sides_its_number_and_its_place_in_the_archive():
    outcome = compare("requests", np.array([4, 9]), requests(5, 6), requests(5, 8))
    assert outcome["difference"]["archive_row"] == 9
    said = tell(outcome)
    assert "message 1 on [requests] (row 9 of that stream in the archive) differs" in said
    assert "price: recorded 6, replayed 8" in said


def test_what_one_side_lacks_is_said():
    lacking = compare("requests", np.array([4, 9]), requests(5, 6), requests(5))
    assert "the replay ends before it" in tell(lacking)
    too_many = compare("requests", np.array([4]), requests(5), requests(5, 8))
    assert "the recording ends before it" in tell(too_many)
