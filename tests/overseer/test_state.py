"""Layouts and names of the Overseer's records."""

from mantra.messages.records import IDEAL_ORDER
from mantra.overseer import refusals, state


def test_all_private_state_is_whole_words():
    for record in (
        state.ORDER,
        state.ROW,
        state.MODEL,
        state.LIMITS,
        state.POSITION,
        state.BALANCE,
        state.LEDGER,
        state.MARKET_STATE,
        state.VENUE_STATE,
        state.COUNTERS,
    ):
        assert record.itemsize % 8 == 0
        assert all(
            field[0].base == "i8" or field[0] == state.BUCKET for field in record.fields.values()
        )


def test_the_terms_of_an_ideal_order_are_one_word():
    terms = [
        name
        for name, (_, at) in IDEAL_ORDER.fields.items()
        if 8 * state.TERMS_WORD <= at < 8 * state.TERMS_WORD + 7
    ]
    assert terms == ["instrument", "side", "type", "time_in_force"]


def test_every_reason_of_refusal_has_its_name():
    reasons = {name: value for name, value in vars(refusals).items() if name.startswith("REFUSED_")}
    assert sorted(reasons.values()) == list(range(len(refusals.REFUSALS)))
    for name, value in reasons.items():
        if value:
            assert refusals.REFUSALS[value] == name.removeprefix("REFUSED_").lower().replace(
                "_", "-"
            )
