"""Pre-trade limits: refused at the limit's edge, counted by reason, lifted when it is gone."""

import pytest

from mantra.messages.enums import ACCEPTED, ASK, CANCELED, IOC, MARKET
from mantra.overseer.overseer import ModelLimits, OrderLimits, VenueTerms
from tests.overseer.overseer_desk import PLENTY, Desk, text, two_venues

# Prices have 2 decimals, volumes 5, amounts 8: notional in units = price × volume × 10.


def limited(**limits):
    return {"a": ModelLimits(instruments={0: OrderLimits(**limits)})}


def sent(desk, **ideal):
    desk.want("a", 0, **ideal)
    return [text(request) for request in desk.step()]


def test_an_order_at_the_volume_limit_goes_and_one_above_is_refused():
    with Desk(limits=limited(order_volume_max=10)) as desk:
        assert sent(desk, price=100, volume=11) == []
        assert sent(desk, price=100, volume=10) == ["new bid 10@100"]
        assert desk.refused("a") == {"volume": 1}


def test_an_order_at_the_notional_limit_goes_and_one_above_is_refused():
    with Desk(limits=limited(order_notional_max=10_000)) as desk:
        assert sent(desk, price=100, volume=11) == []
        assert sent(desk, price=100, volume=10) == ["new bid 10@100"]
        assert desk.refused("a") == {"notional": 1}


@pytest.mark.parametrize("side", [0, 1])
def test_a_price_inside_the_collar_goes_and_one_outside_is_refused(side):
    with Desk(limits=limited(collar_ppm=10_000)) as desk:
        assert sent(desk, price=1000, volume=1, side=side) == []
        assert desk.refused("a") == {"no-price": 1}
        desk.trade(0, 1000)
        desk.step()
        assert len(desk.step()) == 1  # What was refused for want of a price goes with the price.
        desk.want("a", 1, price=1011, volume=1, side=side)
        desk.want("a", 2, price=989, volume=1, side=side)
        assert desk.step() == []
        desk.want("a", 1, price=1010, volume=1, side=side)
        desk.want("a", 2, price=990, volume=1, side=side)
        assert len(desk.step()) == 2
        assert desk.refused("a") == {"no-price": 1, "collar": 2}


def test_live_orders_count_as_filled_for_the_position_limit():
    with Desk(limits=limited(position_max=10)) as desk:
        desk.want("a", 0, price=100, volume=6)
        (first,) = desk.step()
        desk.want("a", 1, price=99, volume=5)
        desk.want("a", 2, price=101, volume=10, side=ASK)
        (second,) = desk.step()
        assert text(second) == "new ask 10@101"
        assert desk.refused("a") == {"position": 1}
        desk.update(first, ACCEPTED)
        desk.fill(first, 6, 0)
        desk.want("a", 1, price=99, volume=4)
        assert [text(r) for r in desk.step()] == ["new bid 4@99"]


def test_a_refused_order_goes_when_a_fill_makes_room():
    with Desk(limits=limited(position_max=10)) as desk:
        desk.want("a", 0, price=100, volume=10)
        (bid,) = desk.step()
        desk.update(bid, ACCEPTED)
        desk.fill(bid, 10, 0)
        desk.want("a", 1, price=101, volume=10, side=ASK)
        (ask,) = desk.step()
        desk.want("a", 2, price=99, volume=10)
        assert desk.step() == []
        desk.update(ask, ACCEPTED)
        desk.fill(ask, 10, 0)
        assert [text(r) for r in desk.step()] == ["new bid 10@99"]


def test_a_model_has_no_more_open_orders_than_its_limit():
    with Desk(limits={"a": ModelLimits(open_orders_max=2)}) as desk:
        for row in range(3):
            desk.want("a", row, price=100 + row, volume=1)
        first, _ = desk.step()
        assert desk.refused("a") == {"open-orders": 1}
        desk.update(first, ACCEPTED)
        desk.want("a", 0)
        desk.step()
        desk.update(first, CANCELED)
        assert [text(r) for r in desk.step()] == ["new bid 1@102"]


def test_what_the_balance_does_not_cover_is_refused_until_it_does():
    with Desk(rich=False) as desk:
        assert sent(desk, price=100, volume=10) == []
        desk.balance(0, 2, 9_999)
        assert desk.step() == []
        desk.balance(0, 2, 10_000)
        assert [text(r) for r in desk.step()] == ["new bid 10@100"]
        assert desk.refused("a") == {"balance-unknown": 1, "balance": 1}


def test_the_fee_is_part_of_what_a_bid_costs():
    with Desk(tables=two_venues(taker_fee_ppm=1000), rich=False) as desk:
        desk.balance(0, 2, 10_009)
        assert sent(desk, price=100, volume=10) == []
        desk.balance(0, 2, 10_010)
        assert len(desk.step()) == 1


def test_an_ask_costs_its_volume_in_the_base_asset():
    with Desk(rich=False) as desk:
        desk.balance(0, 0, 9_999)
        assert sent(desk, price=100, volume=10, side=ASK) == []
        desk.balance(0, 0, 10_000)
        assert len(desk.step()) == 1


def test_a_market_bid_is_budgeted_at_the_last_price_and_a_slack():
    with Desk(rich=False, market_slack_ppm=100_000) as desk:
        desk.trade(0, 100)
        desk.balance(0, 2, 10_999)
        assert sent(desk, volume=10, kind=MARKET, tif=IOC) == []
        desk.balance(0, 2, 11_000)
        assert len(desk.step()) == 1


def test_an_amount_that_fits_no_integer_is_not_affordable():
    with Desk() as desk:
        assert sent(desk, price=2**62, volume=2**62) == []
        assert sent(desk, price=1, volume=2**62, side=ASK) == []
        assert desk.refused("a") == {"balance": 2}


@pytest.mark.parametrize(
    "ideal",
    [
        {"instrument": 4},
        {"instrument": -1},
        {"side": 2},
        {"kind": 2},
        {"tif": 3},
        {"volume": -1},
        {"price": 0},
        {"price": -5},
    ],
)
def test_an_ideal_order_that_makes_no_sense_is_refused(ideal):
    with Desk() as desk:
        assert sent(desk, **({"price": 100, "volume": 1} | ideal)) == []
        assert desk.refused("a") == {"bad-ideal": 1}


RATES = [
    {"limits": {"a": ModelLimits(requests_per_second=0.01, requests_burst=2)}},
    {"venues": {0: VenueTerms(requests_per_second=0.01, requests_burst=2)}},
]


@pytest.mark.parametrize("settings", RATES)
def test_the_rate_allows_its_burst_and_then_one_request_an_interval(settings):
    with Desk(**settings) as desk:
        for row in range(4):
            desk.want("a", row, price=100 + row, volume=1)
        assert len(desk.step()) == 2
        interval = int(desk.overseer.arrays["buckets"]["interval"].max())
        desk.pass_time(interval)
        desk.look_at_clock()
        assert len(desk.step()) == 1
        assert desk.refused("a") == {"rate": 2}


def test_a_cancel_is_charged_to_the_rate_but_never_refused():
    with Desk(limits={"a": ModelLimits(requests_per_second=0.001, requests_burst=1)}) as desk:
        desk.want("a", 0, price=100, volume=1)
        (request,) = desk.step()
        desk.update(request, ACCEPTED)
        desk.want("a", 0)
        assert [text(r) for r in desk.step()] == ["cancel bid 1@100"]


def test_a_refusal_is_counted_once_for_each_version_of_a_row():
    with Desk(limits=limited(order_volume_max=1)) as desk:
        desk.want("a", 0, price=100, volume=2)
        desk.step(5)
        desk.balance(0, 2, PLENTY)
        desk.step(5)
        assert desk.refused("a") == {"volume": 1}
        desk.want("a", 0, price=100, volume=2)
        desk.step(5)
        assert desk.refused("a") == {"volume": 2}
