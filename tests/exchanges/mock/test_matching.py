"""The matching rules, as scenarios; each is played on the compiled exchange and on its twin."""

import pytest

from mantra.exchanges.mock.layout import LEVELS_MAX, ORDERS_MAX
from mantra.exchanges.mock.matching import match_trade
from mantra.icc.memory import aligned_zeros
from mantra.messages.enums import ASK, BID, EXPIRED, FIRST, LAST, MARKET, REASON_UNFILLED, SNAPSHOT
from mantra.messages.records import TRADE_UPDATE
from tests.exchanges.mock.compiled_exchange import CompiledExchange
from tests.exchanges.mock.naive import NaiveExchange
from tests.exchanges.mock.scenarios import Player, make_tables

SCENARIOS = {
    "a trade at a resting order's price fills it up to the trade's volume": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        trade  sell 100 x 0.5 #70
        >      1 fill 0.5 @ 100 maker leaves 1.5 fee 0.0005 BTC #70
        trade  sell 100 x 9 #71
        >      1 fill 1.5 @ 100 maker leaves 0 fee 0.0015 BTC #71
    """,
    "a trade through it fills it at its own price, up to the trade's volume": """
        book   99 x 5 | 101 x 5
        new    1 sell 100 x 2
        >      1 accepted 2 @ 100
        trade  buy 100.5 x 0.5 #70
        >      1 fill 0.5 @ 100 maker leaves 1.5 fee 0.05 USD #70
    """,
    "trades of the same side, or not as far as the price, fill nothing": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        trade  buy 100 x 5 #70
        trade  buy 99 x 5 #71
        trade  sell 100.5 x 5 #72
    """,
    "orders share a trade by price, then by time, and its volume is given out once": """
        book   99 x 5 | 101 x 5
        new    1 buy 99.5 x 1
        >      1 accepted 1 @ 99.5
        new    2 buy 100 x 1
        >      2 accepted 1 @ 100
        new    3 buy 100 x 1
        >      3 accepted 1 @ 100
        trade  sell 99.5 x 2.5 #70
        >      2 fill 1 @ 100 maker leaves 0 fee 0.001 BTC #70
        >      3 fill 1 @ 100 maker leaves 0 fee 0.001 BTC #70
        >      1 fill 0.5 @ 99.5 maker leaves 0.5 fee 0.0005 BTC #70
    """,
    "the opposite side of the book crossing an order fills it at its own price": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        level  ask 99.5 x 0.5                # group 2
        >      1 fill 0.5 @ 100 maker leaves 1.5 fee 0.0005 BTC #2
        level  ask 99.5 x 0.5, ask 100 x 0.5   # the level is told again: new volume
        >      1 fill 0.5 @ 100 maker leaves 1 fee 0.0005 BTC #3
        >      1 fill 0.5 @ 100 maker leaves 0.5 fee 0.0005 BTC #3
        level  ask 100.5 x 7
    """,
    "a crossing inside a group counts only if it is there at the end": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        level  ask 100 x 3, ask 100 x 0
    """,
    "an order that crosses takes level by level at their prices; the rest rests": """
        book   99 x 5 | 101 x 1, 102 x 1, 103 x 1
        new    1 buy 102 x 2.5
        >      1 accepted 2.5 @ 102
        >      1 fill 1 @ 101 taker leaves 1.5 fee 0.002 BTC #1
        >      1 fill 1 @ 102 taker leaves 0.5 fee 0.002 BTC #1
        trade  sell 102 x 9 #70
        >      1 fill 0.5 @ 102 maker leaves 0 fee 0.0005 BTC #70
    """,
    "what was taken cannot be taken again before the market tells the level anew": """
        book   99 x 5 | 101 x 1, 102 x 1
        new    1 buy 101 x 0.6 ioc
        >      1 accepted 0.6 @ 101
        >      1 fill 0.6 @ 101 taker leaves 0 fee 0.0012 BTC #1
        new    2 buy 101 x 0.6 ioc
        >      2 accepted 0.6 @ 101
        >      2 fill 0.4 @ 101 taker leaves 0.2 fee 0.0008 BTC #1
        >      2 expired 0.2
        new    3 buy 101 x 0.6 post-only          # nothing left to take there
        >      3 accepted 0.6 @ 101
        level  ask 102 x 3                        # another level: nothing new at 101
        level  ask 101 x 0.2
        >      3 fill 0.2 @ 101 maker leaves 0.4 fee 0.0002 BTC #3
    """,
    "a level can be deleted by the market after it was taken": """
        book   99 x 5 | 101 x 1, 102 x 1
        new    1 buy 101 x 1
        >      1 accepted 1 @ 101
        >      1 fill 1 @ 101 taker leaves 0 fee 0.002 BTC #1
        level  ask 101 x 0
        new    2 buy market x 1
        >      2 accepted 1 @ market
        >      2 fill 1 @ 102 taker leaves 0 fee 0.002 BTC #2
    """,
    "a market order walks the book; what is left expires": """
        book   99 x 1, 98 x 1 | 101 x 5
        new    1 sell market x 3
        >      1 accepted 3 @ market
        >      1 fill 1 @ 99 taker leaves 2 fee 0.198 USD #1
        >      1 fill 1 @ 98 taker leaves 1 fee 0.196 USD #1
        >      1 expired 1
        new    2 sell market x 1
        >      2 accepted 1 @ market
        >      2 expired 1
    """,
    "an IOC takes what is there and expires": """
        book   99 x 5 | 101 x 1
        new    1 buy 101.5 x 3 ioc
        >      1 accepted 3 @ 101.5
        >      1 fill 1 @ 101 taker leaves 2 fee 0.002 BTC #1
        >      1 expired 2
        new    2 buy 100 x 1 ioc
        >      2 accepted 1 @ 100
        >      2 expired 1
        cancel 2
        >      2 cancel-rejected unknown-order
    """,
    "two orders of ours that cross each other both rest against the market": """
        book   99 x 5 | 101 x 5
        new    1 buy 100.5 x 1
        >      1 accepted 1 @ 100.5
        new    2 sell 99.5 x 1
        >      2 accepted 1 @ 99.5
        trade  sell 100 x 1 #70
        >      1 fill 1 @ 100.5 maker leaves 0 fee 0.001 BTC #70
        trade  buy 100 x 1 #71
        >      2 fill 1 @ 99.5 maker leaves 0 fee 0.0995 USD #71
    """,
    "both sides are matched when a snapshot has jumped past both": """
        book   99 x 5 | 101 x 5
        new    1 sell 100.5 x 1
        >      1 accepted 1 @ 100.5
        new    2 buy 99.5 x 1
        >      2 accepted 1 @ 99.5
        book   110 x 1 | 111 x 1
        >      1 fill 1 @ 100.5 maker leaves 0 fee 0.1005 USD #2
        book   90 x 1 | 91 x 0.2
        >      2 fill 0.2 @ 99.5 maker leaves 0.8 fee 0.0002 BTC #3
    """,
    "without a whole book nothing new is accepted, and nothing that rests is filled": """
        new    1 buy 100 x 1
        >      1 rejected no-book
        book   99 x 5 | 101 x 5
        new    2 buy 100 x 1
        >      2 accepted 1 @ 100
        new    3 buy 99.5 x 1
        >      3 accepted 1 @ 99.5
        lose
        trade  sell 99 x 9 #70
        level  ask 99 x 9
        new    4 buy 100 x 1
        >      4 rejected no-book
        amend  2 101 x _
        >      2 amend-rejected no-book
        cancel 3
        >      3 canceled 1
        book   99 x 5 | 100 x 0.3
        >      2 fill 0.3 @ 100 maker leaves 0.7 fee 0.0003 BTC #3
    """,
}

EXCHANGES = [CompiledExchange, NaiveExchange]


@pytest.mark.parametrize("make_exchange", EXCHANGES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario, make_exchange):
    for line, expected, said in Player(make_exchange).play(SCENARIOS[scenario]):
        assert said == expected, line


def test_volume_of_others_that_stands_before_an_order_is_served_first():
    player = Player(CompiledExchange)
    player.play("book 99 x 5 | 101 x 5\nnew 1 buy 100 x 1\nnew 2 buy 100 x 1")
    state = player.exchange.state
    state.head["orders"][0]["queue_ahead"], state.head["orders"][1]["queue_ahead"] = 30, 50

    def trade(price, volume):
        record = aligned_zeros(1, TRADE_UPDATE)
        record["side"], record["price"], record["volume"] = ASK, price, volume
        match_trade(state.head, state.markets[0], record[0])
        return [message[3] for message in player.exchange.flush() if message[0] == "fill"]

    assert trade(1_000, 20) == []
    assert state.head["orders"]["queue_ahead"][:2].tolist() == [10, 30]
    assert trade(1_000, 60) == [50], "10 pass, 50 for the first, none left for the 20 that follow"
    assert trade(995, 60) == [50, 10], "through the price: nobody stands before it any more"
    assert trade(1_000, 90) == [90], "and so it stays"


@pytest.fixture
def deep() -> CompiledExchange:
    """More asks than one event may take from: 0.1 at each of the ticks from 1 up."""
    exchange = CompiledExchange(0, make_tables(), {0: 10**15, 1: 10**15})
    count = LEVELS_MAX + 100
    for n in range(count):
        flags = SNAPSHOT | FIRST * (n == 0) | LAST * (n == count - 1)
        exchange.update(0, ASK, 10 + 5 * n, 10, flags, 1, 1)
    return exchange


def ask_for(exchange, order_id=1, **terms):
    defaults = {"kind": 0, "side": BID, "type": 0, "time_in_force": 0, "instrument": 0, "model": 0}
    exchange.request(order_id=order_id, **(defaults | terms))
    return exchange.flush()


def test_an_order_that_takes_from_too_many_levels_goes_on_after_the_next_group(deep):
    volume = 10 * (LEVELS_MAX + 50)
    said = ask_for(deep, price=10_000, volume=volume)
    assert sum(message[0] == "fill" for message in said) == LEVELS_MAX
    deep.update(0, BID, 5, 10, FIRST | LAST, 2, 2)
    fills = [message for message in deep.flush() if message[0] == "fill"]
    assert len(fills) == 50
    assert fills[-1][4] == 0, "leaves"


def test_a_market_order_ends_after_as_many_levels_and_holds_only_their_cost(deep):
    said = ask_for(deep, type=MARKET, price=0, volume=10 * (LEVELS_MAX + 50))
    cost = sum(10 + 5 * n for n in range(LEVELS_MAX)) * 10 * 10**5
    assert said[0] == ("balance", 1, 10**15, cost, 1, 1)
    assert sum(message[0] == "fill" for message in said) == LEVELS_MAX
    assert said[-1][:6] == ("order", 1, EXPIRED, REASON_UNFILLED, 0, 500)
    assert deep.state.accounts["held"].tolist() == [0, 0]


def test_one_trade_fills_a_full_table_of_orders():
    exchange = CompiledExchange(0, make_tables(), {0: 10**15, 1: 10**15})
    exchange.update(0, ASK, 20_000, 10, SNAPSHOT | FIRST | LAST, 1, 1)
    for order_id in range(1, ORDERS_MAX + 1):
        ask_for(exchange, order_id, price=1_000 + 5 * order_id, volume=20)
    exchange.trade(0, ASK, 1_000, 20 * ORDERS_MAX, 70, 2)
    fills = [message for message in exchange.flush() if message[0] == "fill"]
    assert [message[1] for message in fills] == list(range(ORDERS_MAX, 0, -1))
    assert exchange.state.head["open"] == 0
