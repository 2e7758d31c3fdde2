"""The tally's sums are those of a list of all messages, to the unit that rounding allows."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest

from mantra.backtest.tally import Tally
from mantra.messages.enums import (
    ASK,
    BID,
    CANCEL,
    EXPIRED,
    KINDS,
    MAKER,
    NEW,
    ORDER_EVENTS,
    REASONS,
)
from tests.backtest.made_run import MadeRun, exactly, random_fills, some_tables


@pytest.fixture
def made():
    with MadeRun() as made:
        made.tally = Tally(made.run, some_tables())
        yield made


def test_requests_order_events_and_reasons_are_counted(made):
    for kind in (NEW, NEW, CANCEL):
        made.say("requests", kind=kind)
    for event, reason in ((0, 0), (EXPIRED, 9), (EXPIRED, 9), (1, 2)):
        made.say("orders", event=event, reason=reason)
    made.tally.update()
    assert made.tally.requests == dict(zip(KINDS, (2, 0, 1), strict=True))
    counts = {ORDER_EVENTS[0]: 1, ORDER_EVENTS[EXPIRED]: 2, ORDER_EVENTS[1]: 1}
    assert made.tally.order_events == dict.fromkeys(ORDER_EVENTS, 0) | counts
    assert made.tally.reasons == {REASONS[9]: 2, REASONS[2]: 1}


def rounded(amount, asset, rounding):
    return amount.quantize(Decimal(1).scaleb(-int(asset["exponent"])), rounding)


@pytest.mark.parametrize("seed", [1, 2])
def test_positions_pnl_and_fees_are_those_of_the_naive_sums(made, seed):
    tables, tally = made.tally.tables, made.tally
    fills = random_fills(tables, 120, seed)
    last = {0: 6_000_017, 1: 333_333, 2: 5_432}
    for number, fill in enumerate(fills):
        made.say("fills", **fill)
        if number % 50 == 0:
            tally.update()  # sums go on over several looks
    for instrument, price in last.items():
        made.say("trades", instrument=instrument, price=price - 1, volume=1)
        made.say("trades", instrument=instrument, price=price, volume=1)
    tally.update()
    assert tally.fills == len(fills)
    for key in {(fill["model"], fill["instrument"]) for fill in fills}:
        own = [fill for fill in fills if (fill["model"], fill["instrument"]) == key]
        check_position(tally, key, own, last[key[1]])


def check_position(tally, key, fills, last):
    instrument, tables = key[1], tally.tables
    facts, position = tables.instruments[instrument], tally.positions[key]
    quote = tables.assets[facts["quote"]]
    unit = Decimal(1).scaleb(-int(quote["exponent"]))
    cash = volume = Decimal(0)
    for fill in fills:
        price, amount = exactly(tables, instrument, fill)
        bought = fill["side"] == BID
        worth = rounded(price * amount, quote, ROUND_CEILING if bought else ROUND_FLOOR)
        cash += -worth if bought else worth
        volume += amount if bought else -amount
    assert position.fills == len(fills)
    assert position.maker_fills == sum(fill["liquidity"] == MAKER for fill in fills)
    bought = sum(f["volume"] for f in fills if f["side"] == BID)
    sold = sum(f["volume"] for f in fills if f["side"] == ASK)
    assert (position.bought, position.sold, position.volume) == (bought, sold, bought - sold)
    last_price = Decimal(last).scaleb(-int(facts["price_exponent"]))
    pnl = cash + rounded(volume * last_price, quote, ROUND_FLOOR)
    assert tally.pnl(*key) * unit == pnl
    by_asset = {}
    for fill in fills:
        by_asset[fill["fee_asset"]] = by_asset.get(fill["fee_asset"], 0) + fill["fee"]
    assert position.fees == by_asset
    in_quote = Decimal(by_asset.get(int(facts["quote"]), 0)) * unit
    base = Decimal(by_asset.get(int(facts["base"]), 0))
    in_quote += base.scaleb(-int(tables.assets[facts["base"]]["exponent"])) * last_price
    assert abs(tally.fees_in_quote(*key) * unit - in_quote) < unit


def test_without_a_trade_there_is_no_pnl_and_fees_only_in_the_quote_asset(made):
    fill = {"model": 0, "instrument": 0, "side": BID, "price": 5, "volume": 2, "fee": 3}
    made.say("fills", **fill, fee_asset=2)
    made.tally.update()
    assert made.tally.pnl(0, 0) is None
    assert made.tally.fees_in_quote(0, 0) == 3
    made.say("fills", **fill, fee_asset=0)
    made.tally.update()
    assert made.tally.fees_in_quote(0, 0) is None


def test_what_it_missed_is_said_to_the_message():
    with MadeRun({"requests": 16}) as made:
        tally = Tally(made.run, some_tables())
        for _ in range(40):
            made.say("requests", kind=NEW)
        tally.update()
        assert tally.lost >= 24
        assert tally.lost + tally.requests["new"] == 40
