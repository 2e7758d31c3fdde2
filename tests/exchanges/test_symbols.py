"""The symbol index beside a dict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges.symbols import SYMBOL, SymbolIndex, find_symbol
from mantra.icc.memory import address_of, records_at
from mantra.messages.tables import Tables

NAMES = st.text("ABCDTUS0123/_-", min_size=1, max_size=24)


def make(symbols: list[str], elsewhere: tuple[str, ...] = ()) -> SymbolIndex:
    tables = Tables()
    venues = tables.add_venue("a"), tables.add_venue("b")
    asset = tables.add_asset("?")
    for i, symbol in enumerate(symbols):
        facts = {"price_exponent": i % 9, "volume_exponent": (i + 1) % 9}
        tables.add_instrument(venues[0], symbol, asset, asset, **facts)
    for symbol in elsewhere:
        tables.add_instrument(venues[1], symbol, asset, asset, price_exponent=0, volume_exponent=0)
    return SymbolIndex(tables, venues[0])


def find(index: SymbolIndex, symbol: str) -> tuple[int, int, int] | None:
    raw = np.frombuffer(symbol.encode() + b"X", np.uint8)
    slot = int(find_symbol(index.address, address_of(raw), len(raw) - 1))
    if slot == 0:
        return None
    row = records_at(slot, 1, SYMBOL)[0]
    return tuple(int(row[name]) for name in ("instrument", "price_exponent", "volume_exponent"))


@settings(max_examples=60, deadline=None)
@given(symbols=st.lists(NAMES, unique=True, max_size=30), others=st.lists(NAMES, max_size=10))
def test_every_symbol_is_found_and_no_other(symbols, others):
    index = make(symbols)
    expected = {name: (i, i % 9, (i + 1) % 9) for i, name in enumerate(symbols)}
    for name in symbols + others:
        assert find(index, name) == expected.get(name)
        assert find(index, name.lower()) == expected.get(name)


def test_symbols_of_other_venues_and_odd_lengths_are_not_found():
    index = make(["BTCUSDT"], elsewhere=("ETHUSDT",))
    assert find(index, "ETHUSDT") is None
    assert find(index, "BTCUSD") is None
    assert find(index, "BTCUSDTT") is None
    assert find(index, "") is None
    assert find(index, "B" * 25) is None


def test_symbols_that_differ_by_case_only_are_refused():
    with pytest.raises(ValueError, match="differs by case"):
        make(["BTCUSDT", "btcusdt"])


def test_a_slot_is_had_by_name_or_the_name_is_refused():
    index = make(["BTCUSDT"])
    assert records_at(index.slot("btcusdt"), 1, SYMBOL)[0]["instrument"] == 0
    with pytest.raises(LookupError, match="'XRPUSDT'"):
        index.slot("XRPUSDT")


@pytest.mark.parametrize("form", ["X{:05}USDT", "X{:05}/USD", "tX{:05}USD", "{:05}BTC"])
def test_names_that_differ_in_a_digit_or_two_do_not_crowd(form):
    index = make([form.format(i) for i in range(1000)])
    used = index._slots["words"][:, 0] != 0
    run, longest = 0, 0
    for taken in used.tolist():
        run = run + 1 if taken else 0
        longest = max(longest, run)
    assert longest <= 24  # a search ends at the first free slot
