"""Layouts and names of the Overseer's records."""

from mantra.messages.records import IDEAL_ORDER, QUEUE_RECORDS
from mantra.overseer import state
from mantra.overseer.overseer import Overseer


def test_all_private_state_is_whole_words():
    for record in (
        state.ORDER,
        state.ROW,
        state.MODEL,
        state.POSITION,
        state.BALANCE,
        state.LEDGER,
        state.MARKET_STATE,
        state.VENUE_STATE,
        state.BUCKET,
        state.COUNTERS,
    ):
        assert record.itemsize % 8 == 0
        assert all(field[0].base == "i8" for field in record.fields.values())


def test_the_terms_of_an_ideal_order_are_one_word():
    terms = [name for name, (_, at) in IDEAL_ORDER.fields.items() if 0 <= at - state.TERMS_AT < 7]
    assert terms == ["instrument", "side", "type", "time_in_force"]


def test_what_a_venue_says_fits_the_message_in_hand():
    longest = max(QUEUE_RECORDS[queue].itemsize for queue in Overseer.reads)
    assert state.CONTEXT["message"].itemsize >= longest
