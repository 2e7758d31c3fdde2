"""Requests: every refusal with its reason; cancels and amends against fills."""

import pytest

from tests.exchanges.mock.compiled_exchange import CompiledExchange
from tests.exchanges.mock.naive import NaiveExchange
from tests.exchanges.mock.scenarios import Player

SCENARIOS = {
    "a price is positive and on the tick": """
        book   99 x 5 | 101 x 5
        new    1 buy 0 x 1
        >      1 rejected bad-price
        new    1 buy -100 x 1
        >      1 rejected bad-price
        new    1 buy 100.2 x 1
        >      1 rejected bad-price
    """,
    "a volume is positive, in lots, and large enough": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 0
        >      1 rejected bad-volume
        new    1 buy 100 x -1
        >      1 rejected bad-volume
        new    1 buy 100 x 0.25        # lots of 0.1
        >      1 rejected bad-volume
        new    1 buy 100 x 0.1         # at least 0.2
        >      1 rejected bad-volume
        new    1 buy 40 x 0.2          # at least 10 USD
        >      1 rejected bad-volume
        new    1 sell market x 0.1
        >      1 rejected bad-volume
        new    1 buy 50 x 0.2
        >      1 accepted 0.2 @ 50
    """,
    "an id is unique among the open orders": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 1
        >      1 accepted 1 @ 100
        new    1 buy 100 x 1
        >      1 rejected duplicate-id
        cancel 1
        >      1 canceled 1
        new    1 buy 100 x 1
        >      1 accepted 1 @ 100
        new    0 buy 100 x 1
        >      0 rejected malformed
    """,
    "post-only is refused if it would take": """
        book   99 x 5 | 101 x 5
        new    1 buy 101 x 1 post-only
        >      1 rejected would-take
        new    1 buy 100.5 x 1 post-only
        >      1 accepted 1 @ 100.5
        amend  1 101 x _
        >      1 amend-rejected would-take
        new    2 sell 99 x 1 post-only
        >      2 rejected would-take
    """,
    "an order holds what it may cost, until it is filled or ended": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 60
        >      1 accepted 60 @ 100
        >      USD 10000 held 6000
        new    2 buy 100 x 41
        >      2 rejected no-balance
        new    3 sell 100 x 10.1
        >      3 rejected no-balance
        new    4 buy 90 x 40
        >      4 accepted 40 @ 90
        >      USD 10000 held 9600
        trade  sell 100 x 10 #70
        >      1 fill 10 @ 100 maker leaves 50 fee 0.01 BTC #70
        >      BTC 19.99 held 0
        >      USD 9000 held 8600
        cancel 1
        >      1 canceled 50
        >      USD 9000 held 3600
        new    5 sell 110 x 19
        >      5 accepted 19 @ 110
        >      BTC 19.99 held 19
    """,
    "a price better than the limit gives back what was held for the worse one": """
        book   99 x 5 | 101 x 5
        new    1 buy 110 x 2
        >      1 accepted 2 @ 110
        >      USD 10000 held 220
        >      1 fill 2 @ 101 taker leaves 0 fee 0.004 BTC #1
        >      BTC 11.996 held 0
        >      USD 9798 held 0
    """,
    "a market buy holds what the walk will cost, exactly": """
        book   99 x 5 | 101 x 1, 9000 x 1, 9999 x 5
        new    1 buy market x 3
        >      1 rejected no-balance
        new    1 buy market x 2
        >      1 accepted 2 @ market
        >      USD 10000 held 9101
        >      1 fill 1 @ 101 taker leaves 1 fee 0.002 BTC #1
        >      BTC 10.998 held 0
        >      USD 9899 held 9000
        >      1 fill 1 @ 9000 taker leaves 0 fee 0.002 BTC #1
        >      BTC 11.996 held 0
        >      USD 899 held 0
    """,
    "a market sell that finds too little gets its hold back": """
        book   99 x 1 | 101 x 1
        new    1 sell market x 3
        >      1 accepted 3 @ market
        >      BTC 10 held 3
        >      1 fill 1 @ 99 taker leaves 2 fee 0.198 USD #1
        >      BTC 9 held 2
        >      USD 10098.802 held 0
        >      1 expired 2
        >      BTC 9 held 0
    """,
    "the fill was first: the cancel is refused": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 1
        >      1 accepted 1 @ 100
        trade  sell 100 x 1 #70
        >      1 fill 1 @ 100 maker leaves 0 fee 0.001 BTC #70
        cancel 1
        >      1 cancel-rejected unknown-order
        amend  1 101 x 2
        >      1 amend-rejected unknown-order
    """,
    "the cancel was first: the trade fills nothing, and part of a fill is final": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 1
        >      1 accepted 1 @ 100
        trade  sell 100 x 0.4 #70
        >      1 fill 0.4 @ 100 maker leaves 0.6 fee 0.0004 BTC #70
        cancel 1
        >      1 canceled 0.6
        trade  sell 100 x 1 #71
    """,
    "amend changes price and total volume, and holds accordingly": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        >      USD 10000 held 200
        trade  sell 100 x 0.5 #70
        >      1 fill 0.5 @ 100 maker leaves 1.5 fee 0.0005 BTC #70
        >      BTC 10.4995 held 0
        >      USD 9950 held 150
        amend  1 99 x _
        >      1 amended 1.5 @ 99
        >      USD 9950 held 148.5
        amend  1 _ x 3                  # in all: 0.5 are filled
        >      1 amended 2.5 @ 99
        >      USD 9950 held 247.5
        amend  1 _ x 200
        >      1 amend-rejected no-balance
        amend  1 _ x 0.5                # not more than is filled
        >      1 amend-rejected bad-volume
        amend  1 _ x 0.25
        >      1 amend-rejected bad-volume
        amend  1 99.1 x _
        >      1 amend-rejected bad-price
        amend  1 _ x 0.6
        >      1 amended 0.1 @ 99
        >      USD 9950 held 9.9
        cancel 1
        >      1 canceled 0.1
        >      USD 9950 held 0
    """,
    "an amend that crosses takes": """
        book   99 x 5 | 101 x 1
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        amend  1 101 x _
        >      1 amended 2 @ 101
        >      1 fill 1 @ 101 taker leaves 1 fee 0.002 BTC #1
        trade  sell 101 x 5 #70
        >      1 fill 1 @ 101 maker leaves 0 fee 0.001 BTC #70
    """,
    "less volume keeps the place in the queue; more, or another price, loses it": """
        book   99 x 5 | 101 x 5
        new    1 buy 100 x 2
        >      1 accepted 2 @ 100
        new    2 buy 100 x 2
        >      2 accepted 2 @ 100
        amend  1 _ x 1
        >      1 amended 1 @ 100
        trade  sell 100 x 0.2 #70
        >      1 fill 0.2 @ 100 maker leaves 0.8 fee 0.0002 BTC #70
        amend  1 _ x 1.5
        >      1 amended 1.3 @ 100
        trade  sell 100 x 0.2 #71
        >      2 fill 0.2 @ 100 maker leaves 1.8 fee 0.0002 BTC #71
        amend  2 99.5 x _
        >      2 amended 1.8 @ 99.5
        amend  2 100 x _
        >      2 amended 1.8 @ 100
        trade  sell 100 x 0.2 #72
        >      1 fill 0.2 @ 100 maker leaves 1.1 fee 0.0002 BTC #72
    """,
}

EXCHANGES = [CompiledExchange, NaiveExchange]


@pytest.mark.parametrize("make_exchange", EXCHANGES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario, make_exchange):
    for line, expected, said in Player(make_exchange).play(SCENARIOS[scenario]):
        assert said == expected, line


@pytest.mark.parametrize("make_exchange", EXCHANGES)
@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", 3), ("kind", -1), ("side", 2), ("side", -1), ("type", 2), ("time_in_force", 3)],
)
def test_what_no_enumeration_knows_is_refused_as_malformed(make_exchange, field, value):
    player = Player(make_exchange)
    player.play("book 99 x 5 | 101 x 5")
    terms = {"kind": 0, "order_id": 7, "price": 1_000, "volume": 100, field: value}
    player._request(**terms)
    ((kind, order_id, event, reason, *_),) = player.exchange.flush()
    assert (kind, order_id, event, reason) == ("order", 7, 1, 12)


def test_amounts_beyond_an_int64_are_refused_not_wrapped():
    for make_exchange in EXCHANGES:
        player = Player(make_exchange)
        steps = player.play(
            """
            book   99 x 5 | 101 x 5
            new    1 buy 100000000000000000 x 90000000000000000
            >      1 rejected bad-volume
            new    1 sell 100 x 90000000000000000
            >      1 rejected bad-volume
            new    1 buy 900000000000000000 x 1
            >      1 rejected bad-price
            """
        )
        assert all(said == expected for _, expected, said in steps)
