"""What venues say: reservations end exactly once, strangers are counted, losses make us stop."""

from mantra.messages.enums import (
    ACCEPTED,
    ASK,
    CANCELED,
    EVENT_CONNECTED,
    EVENT_DISCONNECTED,
    EVENT_ORDER_UNKNOWN,
    EVENT_OVERRUN,
    EXPIRED,
    IOC,
    REJECTED,
)
from tests.overseer.overseer_desk import PLENTY, Desk, text

USDT = 2
COST = 10_000  # of 10@100


def one_order(desk, **terms):
    desk.want("a", 0, price=100, volume=10, **terms)
    (request,) = desk.step()
    assert desk.reserved(0, USDT) == COST
    return request


def test_a_reservation_ends_when_a_balance_names_the_order_and_not_before():
    with Desk() as desk:
        request = one_order(desk)
        desk.update(request, ACCEPTED)
        desk.balance(0, USDT, PLENTY)  # Of something else: may be older than our order.
        desk.step()
        assert desk.reserved(0, USDT) == COST
        desk.balance(0, USDT, PLENTY, COST, request["order_id"])
        desk.step()
        assert desk.reserved(0, USDT) == 0


def test_a_balance_of_another_asset_or_venue_does_not_end_it():
    with Desk() as desk:
        request = one_order(desk)
        desk.balance(0, 0, PLENTY, 0, request["order_id"])
        desk.balance(1, USDT, PLENTY, 0, request["order_id"])
        desk.step()
        assert desk.reserved(0, USDT) == COST


def test_a_rejection_ends_it_without_a_balance():
    with Desk() as desk:
        desk.update(one_order(desk), REJECTED)
        desk.step()
        assert desk.reserved(0, USDT) == 0


def test_a_filled_order_stays_reserved_until_its_balance_is_read():
    with Desk() as desk:
        request = one_order(desk)
        desk.update(request, ACCEPTED)
        desk.fill(request, 10, 0)
        desk.step()
        assert (desk.reserved(0, USDT), desk.pending) == (COST, 0)
        desk.balance(0, USDT, PLENTY - COST, 0, request["order_id"])
        desk.step()
        assert desk.reserved(0, USDT) == 0


def test_an_ioc_order_stays_reserved_until_it_has_ended_and_a_balance_was_read():
    with Desk() as desk:
        request = one_order(desk, tif=IOC)
        desk.update(request, ACCEPTED)
        desk.balance(0, USDT, PLENTY - 4000, 0, request["order_id"])
        desk.step()
        assert desk.reserved(0, USDT) == COST
        desk.update(request, EXPIRED)
        desk.step()
        assert desk.reserved(0, USDT) == 0


def test_an_order_that_ended_with_all_its_volume_left_took_nothing():
    with Desk() as desk:
        request = one_order(desk, tif=IOC)
        desk.update(request, EXPIRED, leaves=10)
        desk.step()
        assert desk.reserved(0, USDT) == 0


def test_an_ended_order_no_balance_ever_names_is_given_up_after_the_time_out():
    with Desk() as desk:
        request = one_order(desk)
        desk.update(request, ACCEPTED)
        desk.fill(request, 10, 0)
        desk.step()
        desk.look_at_clock()
        assert desk.reserved(0, USDT) == COST
        desk.pass_time(int(desk.overseer.context[0]["timeout_ticks"]) + 1)
        desk.look_at_clock()
        assert desk.reserved(0, USDT) == 0
        assert desk.counters("a")["unsettled"] == 1


def test_two_orders_cannot_spend_the_same_balance():
    with Desk(rich=False) as desk:
        desk.balance(0, USDT, 2 * COST - 1)
        desk.want("a", 0, price=100, volume=10)
        desk.want("a", 1, price=100, volume=10)
        (request,) = desk.step()
        desk.update(request, ACCEPTED)
        assert desk.step() == []
        desk.balance(0, USDT, 2 * COST - 1, COST, request["order_id"])
        assert desk.step() == []
        desk.balance(0, USDT, 2 * COST, COST)
        assert [text(r) for r in desk.step()] == ["new bid 10@100"]


def test_what_is_said_of_an_order_nobody_sent_is_counted_and_told():
    with Desk() as desk:
        request = one_order(desk)
        for order_id in (0, -1, 5, int(request["order_id"]) + 2048):
            stranger = request.copy()
            stranger["order_id"] = order_id
            desk.update(stranger, CANCELED)
            desk.step()
            (told,) = [e for e in desk.heard("events") if e["kind"] == EVENT_ORDER_UNKNOWN]
            assert told["value"] == order_id
        assert desk.counters()["unknown"] == 4
        assert desk.pending == 1


def test_a_fill_of_a_forgotten_order_still_moves_its_models_position():
    with Desk(models=(("a", 1), ("b", 1))) as desk:
        desk.want("b", 0, price=100, volume=10)
        (request,) = desk.step()
        request["order_id"] += 2048
        desk.fill(request, 10, 0)
        desk.step()
        held = desk.overseer.arrays["positions"]
        assert (held[4]["position"], held[0]["position"]) == (10, 0)
        assert desk.counters()["unknown"] == 1


def test_messages_with_ids_out_of_range_change_nothing():
    with Desk() as desk:
        before = {name: array.copy() for name, array in desk.overseer.arrays.items()}
        desk.balance(7, USDT, 1)
        desk.balance(0, 99, 1)
        desk.balance(-1, -1, 1)
        desk.trade(99, 100)
        desk.trade(0, -1)
        desk.event(EVENT_DISCONNECTED, 99)
        desk.event(EVENT_DISCONNECTED, -1)
        desk.say("fills", instrument=99, model=0, order_id=0, leaves=1)
        desk.say("fills", instrument=0, model=99, order_id=0, leaves=1)
        desk.step()
        for name in ("balances", "positions", "ledgers", "markets", "venues"):
            assert (desk.overseer.arrays[name] == before[name]).all(), name


def test_a_lost_answer_makes_the_overseer_cancel_all_and_send_nothing():
    with Desk(capacities={"fills": 4}) as desk:
        request = one_order(desk)
        desk.want("a", 1, price=110, volume=1, side=ASK)
        (other,) = desk.step()
        desk.update(request, ACCEPTED)
        desk.update(other, ACCEPTED)
        desk.step()
        desk.heard("events")
        for leaves in range(9, 0, -1):
            desk.fill(request, 1, leaves)
        desk.stepper.step()
        (told,) = [e for e in desk.heard("events") if e["kind"] == EVENT_OVERRUN]
        assert told["value"] == 9 - 4
        assert [text(r) for r in desk.step(2)] == ["cancel bid 10@100", "cancel ask 1@110"]
        desk.want("a", 2, price=50, volume=1)
        assert desk.step() == []
        assert desk.refused("a") == {"stopped": 1}


def test_lost_trades_do_no_harm():
    with Desk(capacities={"trades": 4}) as desk:
        for price in range(1, 20):
            desk.trade(0, price)
        desk.step(3)
        assert desk.overseer.arrays["markets"][0]["last_price"] == 19
        desk.want("a", 0, price=10, volume=1)
        assert len(desk.step()) == 1


def test_one_instrument_of_a_venue_may_be_halted():
    with Desk() as desk:
        desk.event(EVENT_DISCONNECTED, 0, instrument=1)
        desk.step()
        desk.want("a", 0, price=100, volume=1, instrument=1)
        desk.want("a", 1, price=100, volume=1, instrument=0)
        (request,) = desk.step()
        assert request["instrument"] == 0
        desk.event(EVENT_CONNECTED, 0, instrument=1)
        assert len(desk.step()) == 1


def test_rows_are_looked_at_only_when_all_answers_are_read():
    """More answers than one step reads: the row waits, so that it never acts on half of them."""
    with Desk() as desk:
        request = one_order(desk)
        desk.update(request, ACCEPTED)
        for _ in range(100):
            desk.balance(0, USDT, PLENTY)
        desk.balance(0, USDT, 0)
        desk.want("a", 1, price=100, volume=1)
        assert desk.step() == []
        assert desk.step() == []
        assert desk.refused("a") == {"balance": 1}


def test_a_fill_moves_the_position_of_the_model_whose_order_it_was_whatever_the_venue_echoes():
    with Desk(models=(("a", 1), ("b", 1))) as desk:
        desk.want("a", 0, price=100, volume=10)
        (request,) = desk.step()
        desk.update(request, ACCEPTED)
        request["model"] = 1
        desk.fill(request, 10, 0)
        desk.step()
        held = desk.overseer.arrays["positions"]
        assert (held[0]["position"], held[4]["position"]) == (10, 0)
