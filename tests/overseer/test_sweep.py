"""What is sent for each row, as a trader would tell it."""

import pytest

from mantra.messages.enums import ACCEPTED, AMEND, CANCEL, CANCELED, NEW
from mantra.overseer.overseer import VenueTerms
from tests.overseer.overseer_desk import Desk, play, scenarios, text

SCENARIOS = """
= an order that is wanted is sent once
want bid 10@100               | new bid 10@100
wait                          | -
accepted                      | -
want bid 10@100               | -
wait                          | -

= a request in flight is not repeated, and what was wanted meanwhile is sent when it is gone
want bid 10@100               | new bid 10@100
want bid 10@101               | -
want bid 10@102               | -
accepted                      | cancel bid 10@100
want bid 10@103               | -
canceled                      | new bid 10@103

= an order no longer wanted is canceled
want ask 10@100               | new ask 10@100
accepted; want nothing        | cancel ask 10@100
canceled                      | -

= what is wanted again while its cancel is in flight is sent anew
want ask 10@100               | new ask 10@100
accepted                      | -
want nothing                  | cancel ask 10@100
want ask 10@100               | -
canceled                      | new ask 10@100

= another volume or side or time in force is another order
want bid 10@100               | new bid 10@100
accepted; want bid 11@100     | cancel bid 10@100
canceled                      | new bid 11@100
accepted; want ask 11@100     | cancel bid 11@100
canceled                      | new ask 11@100
accepted; want ask 11@100 post-only | cancel ask 11@100
canceled                      | new ask 11@100

= a partly filled order is kept until the model wants another volume or price
want bid 10@100               | new bid 10@100
accepted; fill 4/6            | -
want bid 10@100               | -
want bid 6@100                | cancel bid 10@100

= a filled order is not sent again until the row is written anew
want bid 10@100               | new bid 10@100
accepted; fill 10/0           | -
wait                          | -
want bid 10@100               | new bid 10@100

= a row written before its fill was read does not count as written anew
want bid 10@100               | new bid 10@100
accepted                      | -
fill 10/0; want bid 10@101    | -
wait                          | -
want bid 10@101               | new bid 10@101

= a fill may be read before the accepted that came first
want bid 10@100               | new bid 10@100
fill 4/6                      | -
want bid 10@101               | -
accepted                      | cancel bid 10@100
canceled                      | new bid 10@101
fill 10/0                     | -
accepted; want nothing        | -

= a fill that crosses our cancel ends the order, and the late refusal of the cancel is no surprise
want bid 10@100               | new bid 10@100
accepted; want bid 10@101     | cancel bid 10@100
fill 10/0                     | -
gone                          | -
want bid 10@102               | new bid 10@102

= a cancel refused because the order is gone is not repeated: its fill is on the way
want bid 10@100               | new bid 10@100
accepted; want bid 10@101     | cancel bid 10@100
gone                          | -
want bid 10@102               | -
fill 10/0                     | -
want bid 10@102               | new bid 10@102

= a cancel refused for another reason is repeated after a pause
want bid 10@100               | new bid 10@100
accepted; want nothing        | cancel bid 10@100
cancel-rejected               | -
wait                          | -
pause                         | cancel bid 10@100
canceled                      | -

= a rejected order is not repeated until its content or revision changes
want bid 10@100 post-only     | new bid 10@100
rejected                      | -
want bid 10@100 post-only     | -
want bid 10@100 post-only rev=1 | new bid 10@100
rejected                      | -
want bid 10@99 post-only rev=1  | new bid 10@99

= an order the venue canceled unasked is not repeated until its content changes
want bid 10@100               | new bid 10@100
accepted                      | -
canceled                      | -
want bid 10@100               | -
want bid 10@99                | new bid 10@99

= an ioc order fires once for each version of its row
want bid 10@100 ioc           | new bid 10@100
accepted; fill 4/6; expired   | -
wait                          | -
want bid 10@100 ioc           | new bid 10@100
want bid 10@101 ioc           | -
accepted                      | -
expired                       | new bid 10@101

= an ioc order is not canceled: it ends by itself
want bid 10@100 ioc           | new bid 10@100
accepted                      | -
want nothing                  | -
expired                       | -

= a market order has no price, and needs one to be budgeted
want ask 10@0 market          | -
trade 100                     | -
wait                          | new ask 10@0
accepted; fill 10/0           | -
wait                          | -

= no answer in time: the order is unknown, and canceled whatever is wanted
want bid 10@100               | new bid 10@100
silence                       | cancel bid 10@100
wait                          | -
gone                          | -
silence                       | new bid 10@100

= a late answer to the first request does not end the waiting for that to the blind cancel
want bid 10@100               | new bid 10@100
silence                       | cancel bid 10@100
accepted                      | -
canceled                      | new bid 10@100

= the kill switch cancels everything and sends nothing until it is released
want bid 10@100               | new bid 10@100
want ask 10@110 #1            | new ask 10@110
accepted; kill                | cancel bid 10@100
accepted #1                   | cancel ask 10@110
canceled; canceled #1         | -
want bid 10@101               | -
unkill                        | new bid 10@101, new ask 10@110

= a halted venue gets no new orders, but cancels
want bid 10@100               | new bid 10@100
accepted; halt; want bid 10@101 | cancel bid 10@100
canceled                      | -
want ask 10@110 #1            | -
resume                        | new bid 10@101, new ask 10@110
"""

AMENDING = """
= where the venue amends, a cheaper price or smaller volume is an amend
want bid 10@100               | new bid 10@100
accepted; want bid 10@99      | amend bid 10@99
want bid 9@99                 | -
amended                       | amend bid 9@99
amended                       | -
want nothing                  | cancel bid 9@99

= what costs more, or another side, goes by cancel and new
want bid 10@100               | new bid 10@100
accepted; want bid 10@101     | cancel bid 10@100
canceled                      | new bid 10@101
accepted; want ask 10@101     | cancel bid 10@101

= an ask may be amended to any price: it costs the same
want ask 10@100               | new ask 10@100
accepted; want ask 10@110     | amend ask 10@110
amended                       | -

= a refused amend is not repeated: the order is canceled and sent anew
want bid 10@100               | new bid 10@100
accepted; want bid 10@99      | amend bid 10@99
amend-rejected                | cancel bid 10@100
canceled                      | new bid 10@99

= a volume below what is filled already is no amend
want bid 10@100               | new bid 10@100
accepted; fill 6/4; want bid 6@100 | cancel bid 10@100

= a fill that crosses our amend ends the order, the late amended is no surprise
want bid 10@100               | new bid 10@100
accepted; want bid 9@100      | amend bid 9@100
fill 9/0                      | -
amended                       | -
want bid 9@100                | new bid 9@100
"""


@pytest.mark.parametrize(
    ("name", "lines"), list(scenarios(SCENARIOS)), ids=lambda v: v if isinstance(v, str) else ""
)
def test_the_desk_sends_what_a_trader_expects(name, lines):
    with Desk() as desk:
        play(desk, lines)
        assert desk.counters()["illegal"] == desk.counters("a")["illegal"] == 0


@pytest.mark.parametrize(
    ("name", "lines"), list(scenarios(AMENDING)), ids=lambda v: v if isinstance(v, str) else ""
)
def test_the_desk_amends_where_the_venue_can(name, lines):
    with Desk(venues={0: VenueTerms(amends=True)}) as desk:
        play(desk, lines)
        assert desk.counters("a")["illegal"] == 0


def test_a_request_carries_the_origin_model_row_and_terms_of_its_ideal_order():
    with Desk(models=(("a", 1), ("b", 3))) as desk:
        desk.want("b", 2, price=100, volume=7, instrument=3, side=1, tif=2, origin=4711)
        (request,) = desk.step()
        assert (request["ts_origin"], request["model"], request["row"]) == (4711, 1, 2)
        assert (request["instrument"], request["side"], request["type"]) == (3, 1, 0)
        assert (request["time_in_force"], request["kind"]) == (2, NEW)


@pytest.mark.parametrize(("freed", "carried"), [(900, 900), (300, 500)])
def test_a_new_order_carries_the_later_of_its_causes_the_wish_or_the_end_of_the_last(
    freed, carried
):
    with Desk() as desk:
        desk.want("a", 0, price=100, volume=10, origin=100)
        (first,) = desk.step()
        desk.update(first, ACCEPTED, origin=200)
        desk.step()
        desk.want("a", 0, price=101, volume=10, origin=500)
        (cancel,) = desk.step()
        assert (cancel["kind"], cancel["ts_origin"]) == (CANCEL, 500)
        desk.update(first, CANCELED, origin=freed)
        (second,) = desk.step()
        assert (second["kind"], second["price"], second["ts_origin"]) == (NEW, 101, carried)


def test_an_amend_carries_the_new_price_and_the_order_is_then_what_was_amended():
    with Desk(venues={0: VenueTerms(amends=True)}) as desk:
        desk.want("a", 0, price=100, volume=10)
        (new,) = desk.step()
        desk.update(new, ACCEPTED)
        desk.want("a", 0, price=90, volume=5)
        (amend,) = desk.step()
        assert (amend["kind"], amend["order_id"]) == (AMEND, new["order_id"])
        assert text(amend) == "amend bid 5@90"
