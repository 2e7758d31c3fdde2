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


def test_a_book_has_no_more_levels_than_it_may_and_one_symbol_may_be_deep():
    market = Market(["A", "B"], 5, deep=300)
    assert [len(market.symbols[name].keys[BID]) for name in "AB"] == [300, 40]
    for _ in range(20_000):
        market.change(market.symbols["B"])
    assert max(map(len, market.symbols["B"].keys)) <= market.symbols["B"].most + 6
    for side in (BID, ASK):
        prices = [price for price, _ in market.symbols["B"].levels(side)]
        assert prices == sorted(market.symbols["B"].sides[side], reverse=side == BID)


def test_a_symbol_begins_and_ends():
    market = Market(["A", "B"])
    before = market.change(market.symbols["A"]).symbol
    market.end("A")
    market.end("A")
    assert {market.change().symbol.name for _ in range(50)} == {"B"}
    again = market.begin("A")
    assert again is not before
    assert again.changes == before.changes == 1
    assert {market.change().symbol.name for _ in range(50)} == {"A", "B"}
