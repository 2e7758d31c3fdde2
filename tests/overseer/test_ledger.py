"""Positions, profit and loss, loss limits: against sums done by hand."""

from mantra.messages.enums import ACCEPTED, ASK, CANCELED, EVENT_HALT
from mantra.overseer.ledger import DAY_NS
from mantra.overseer.overseer import ModelLimits
from tests.overseer.overseer_desk import Desk, text

USDT = 2


def traded(desk, model, side, price, volume, **more):
    """An ideal order of a model, sent and filled at once."""
    desk.want(model, 0, price=price, volume=volume, side=side)
    (request,) = desk.step()
    desk.update(request, ACCEPTED)
    desk.fill(request, volume, 0, **more)
    desk.step()


def position(desk, model, instrument=0):
    return desk.overseer.arrays["positions"][model * 4 + instrument]


def pnl(desk, model, asset=USDT):
    return int(desk.overseer.arrays["ledgers"][model * 3 + asset]["pnl"])


def test_profit_is_cash_and_the_position_at_the_last_price_less_fees():
    with Desk() as desk:
        desk.trade(0, 100)
        traded(desk, "a", 0, 100, 10, fee=7)
        assert (position(desk, 0)["position"], pnl(desk, 0)) == (10, -7)
        desk.trade(0, 110)
        desk.step()
        assert pnl(desk, 0) == 1000 - 7
        traded(desk, "a", ASK, 110, 15)
        assert (position(desk, 0)["position"], pnl(desk, 0)) == (-5, 993)
        desk.trade(0, 100)
        desk.step()
        assert pnl(desk, 0) == 993 + 500
        assert position(desk, 0)["working_bid"] == position(desk, 0)["working_ask"] == 0


def test_a_fee_in_the_base_asset_is_valued_at_the_fills_price():
    with Desk() as desk:
        desk.trade(0, 100)
        traded(desk, "a", 0, 100, 10, fee=10, fee_asset=0)  # A thousandth of 10,000 units.
        assert pnl(desk, 0) == -10


def loses(amount):
    return {"a": ModelLimits(loss_max={USDT: amount})}


def test_a_model_that_loses_too_much_is_halted_and_the_others_are_not():
    with Desk(models=(("a", 2), ("b", 1)), limits=loses(999)) as desk:
        desk.trade(0, 100)
        traded(desk, "a", 0, 100, 10)
        traded(desk, "b", 0, 100, 10)
        desk.want("a", 1, price=90, volume=1)
        (live,) = desk.step()
        desk.update(live, ACCEPTED)
        desk.step()
        desk.heard("events")
        desk.trade(0, 90)
        desk.step()
        assert [text(r) for r in desk.step()] == ["cancel bid 1@90"]
        (told,) = [e for e in desk.heard("events") if e["kind"] == EVENT_HALT]
        assert (told["value"], told["detail"], told["venue"]) == (1000, 0, -1)
        desk.update(live, CANCELED)
        desk.want("a", 1, price=91, volume=1)
        desk.want("b", 0, price=91, volume=1)
        (request,) = desk.step()
        assert request["model"] == 1
        assert desk.refused("a") == {"model-halted": 1}
        assert (desk.counters("a")["halted"], desk.counters("b")["halted"]) == (1, 0)


def test_a_loss_at_the_limit_is_allowed():
    with Desk(limits=loses(1000)) as desk:
        desk.trade(0, 100)
        traded(desk, "a", 0, 100, 10)
        desk.trade(0, 90)
        desk.step(2)
        assert desk.counters("a")["halted"] == 0


def test_the_loss_of_all_together_halts_all():
    with Desk(models=(("a", 1), ("b", 1)), total_loss_max={USDT: 1500}) as desk:
        desk.trade(0, 100)
        traded(desk, "a", 0, 100, 10)
        traded(desk, "b", 0, 100, 10)
        desk.trade(0, 90)
        desk.step(2)
        assert desk.counters("a")["halted"] == desk.counters("b")["halted"] == 1


def test_a_loss_counts_from_the_beginning_of_the_day_of_exchange_time():
    with Desk(limits=loses(999)) as desk:
        desk.trade(0, 100, ts_exchange=DAY_NS + 1)
        traded(desk, "a", 0, 100, 10, ts_exchange=DAY_NS + 2)
        desk.trade(0, 95, ts_exchange=2 * DAY_NS - 1)
        desk.step()
        desk.trade(0, 90, ts_exchange=2 * DAY_NS)  # Another day: only this step counts.
        desk.step(2)
        assert desk.counters("a")["halted"] == 0
        desk.trade(0, 85, ts_exchange=3 * DAY_NS - 1)
        desk.step(2)
        assert desk.counters("a")["halted"] == 1
