"""The truth: from a seed, never crossed, and every change applied as told."""

from mantra.simulators.market import ASK, BID, Market


def test_the_same_seed_is_the_same_market_and_another_is_not():
    def story(seed):
        market = Market(["A", "B"], seed)
        return [(c.symbol.name, c.levels, c.trade) for c in (market.change() for _ in range(300))]

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_what_is_told_makes_the_same_books_and_they_never_cross():
    market = Market(["A", "B", "C"], 7)
    told = {
        name: tuple(dict(side) for side in symbol.sides) for name, symbol in market.symbols.items()
    }
    trades = 0
    for _ in range(3_000):
        change = market.change()
        for side, price, volume in change.levels:
            told[change.symbol.name][side][price] = volume
            if not volume:
                del told[change.symbol.name][side][price]
        assert change.symbol.best(BID) < change.symbol.best(ASK)
        trades += change.trade is not None
    assert all(told[name] == symbol.sides for name, symbol in market.symbols.items())
    assert trades > 500
    assert sum(symbol.changes for symbol in market.symbols.values()) == 3_000


def test_levels_are_told_best_first_as_exact_text():
    symbol = Market(["A"]).symbols["A"]
    bids = symbol.levels(BID, 3)
    assert [price for price, _ in bids] == [999_999, 999_998, 999_997]
    assert symbol.texts((999_999, 123)) == ("9999.99", "0.00123")
