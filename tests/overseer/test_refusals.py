"""Each reason not to send has one number and one name; what may lift it names reasons there are."""

from mantra.overseer import refusals
from mantra.overseer.refusals import REFUSALS
from mantra.overseer.state import COUNTERS

NUMBERS = {
    name: number
    for name, number in vars(refusals).items()
    if isinstance(number, int) and not name.startswith("LIFTED_BY_")
}
LIFTS = {name: mask for name, mask in vars(refusals).items() if name.startswith("LIFTED_BY_")}


def test_a_reasons_number_is_the_place_of_its_name():
    for constant, number in NUMBERS.items():
        assert REFUSALS[number] == constant.lower().replace("_", "-")
    assert sorted(NUMBERS.values()) == list(range(len(REFUSALS)))


def test_every_reason_has_a_counter_and_a_bit_of_a_word():
    assert COUNTERS["refused"].shape == (len(REFUSALS),)
    assert len(REFUSALS) < 63


def test_what_may_be_lifted_is_a_set_of_reasons():
    expected = {
        "BALANCE": {"BALANCE_UNKNOWN", "BALANCE"},
        "FILL": {"POSITION"},
        "END": {"OPEN_ORDERS", "POSITION", "BALANCE"},
        "TRADE": {"NO_PRICE", "COLLAR"},
        "RESUME": {"VENUE_HALTED"},
    }
    for name, mask in LIFTS.items():
        reasons = {reason for reason, number in NUMBERS.items() if mask >> number & 1}
        assert reasons == expected.pop(name.removeprefix("LIFTED_BY_"))
        assert mask >> len(REFUSALS) == 0
    assert not expected
