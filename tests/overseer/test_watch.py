"""The run's state, what time does, and the counters an observer reads."""

from mantra.messages.enums import (
    ACCEPTED,
    ASK,
    CANCELED,
    EVENT_ORDER_TIMEOUT,
    IOC,
)
from tests.overseer.overseer_desk import Desk, text


def test_canceling_cancels_all_of_all_models_and_pending_says_when_it_is_done():
    with Desk(models=(("a", 2), ("b", 2))) as desk:
        for name in "ab":
            desk.want(name, 0, price=100, volume=1)
            desk.want(name, 1, price=110, volume=1, side=ASK)
        live = desk.step()
        assert desk.pending == 4
        for request in live[:3]:
            desk.update(request, ACCEPTED)
        desk.cancel_all()
        assert len(desk.step()) == 3
        assert desk.step() == []
        desk.update(live[3], ACCEPTED)
        assert len(desk.step()) == 1
        for count, request in enumerate(live, start=1):
            desk.update(request, CANCELED)
            assert desk.step() == []
            assert desk.pending == 4 - count


def test_a_request_is_timed_out_once_and_told():
    with Desk() as desk:
        desk.want("a", 0, price=100, volume=1)
        (request,) = desk.step()
        desk.look_at_clock()
        assert desk.step() == []
        desk.pass_time(int(desk.overseer.context[0]["timeout_ticks"]) + 1)
        desk.look_at_clock()
        assert [text(r) for r in desk.step()] == ["cancel bid 1@100"]
        desk.look_at_clock()
        assert desk.step() == []
        told = [e for e in desk.heard("events") if e["kind"] == EVENT_ORDER_TIMEOUT]
        assert [t["value"] for t in told] == [request["order_id"]]
        assert desk.counters("a")["timeouts"] == 1


def test_an_open_order_is_not_timed_out():
    with Desk() as desk:
        desk.want("a", 0, price=100, volume=1)
        (request,) = desk.step()
        desk.update(request, ACCEPTED)
        desk.step()
        desk.pass_time(int(desk.overseer.context[0]["timeout_ticks"]) * 10)
        desk.look_at_clock()
        assert desk.step() == []


def test_an_ioc_order_that_does_not_end_by_itself_is_canceled_after_the_time_out():
    with Desk() as desk:
        desk.want("a", 0, price=100, volume=1, tif=IOC)
        (request,) = desk.step()
        desk.update(request, ACCEPTED)
        desk.step()
        desk.pass_time(int(desk.overseer.context[0]["timeout_ticks"]) + 1)
        desk.look_at_clock()
        assert [text(r) for r in desk.step()] == ["cancel bid 1@100"]


def test_counters_say_what_was_sent_answered_and_is_open():
    with Desk(models=(("a", 2), ("b", 2))) as desk:
        desk.want("b", 0, price=100, volume=10)
        desk.want("b", 1, price=100, volume=10)
        first, second = desk.step()
        desk.update(first, ACCEPTED)
        desk.fill(first, 4, 6)
        desk.update(second, ACCEPTED)
        desk.want("b", 1)
        desk.step()
        counters = desk.counters("b")
        assert list(counters["requests"]) == [2, 0, 1]
        assert (counters["updates"], counters["fills"], counters["open"]) == (2, 1, 2)
        assert desk.counters("a")["open"] == 0


def test_counters_are_written_at_the_end_of_a_run_even_if_it_was_never_idle():
    with Desk() as desk:
        desk.want("a", 0, price=100, volume=10)
        desk.stepper.step()
        desk.overseer.on_stop()
        assert desk.overseer.arrays["counters"][0]["changed"] == 0
        assert desk.overseer.arrays["counters"][0]["requests"][0] == 1


def test_an_idle_step_says_that_there_was_nothing_to_do():
    with Desk() as desk:
        desk.want("a", 0, price=100, volume=10)
        assert desk.stepper.step() > 0
        assert desk.stepper.step() == 0
