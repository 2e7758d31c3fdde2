"""Listings: a small one in the venue's form, and the recorded one."""

import json
import re

import pytest

from mantra.exchanges.bitfinex import split_symbol
from mantra.exchanges.bitfinex.instruments import LISTING_URL, parse
from mantra.exchanges.listing import ONLINE, Listed
from tests.exchanges import recorded

FACTS = [None, None, None, "0.00006", "2000.0", None, None, None, 0.2, 0.1, None, None]
LISTING = json.dumps(
    [
        ["BTCUSD", "DUSK:UST", "IOTBTC"],
        [["BTCUSD", FACTS], ["DUSK:UST", [None, None, None, "2.0"]]],
        [["IOT", "IOTA"], ["UST", "USDt"], ["DSH", "DASH"]],
    ]
).encode()


def test_a_pair_is_listed_with_common_names():
    units = (8, 8, 1, 1)
    assert parse(LISTING) == [
        Listed("tBTCUSD", "BTC", "USD", *units, 6000, "0", ONLINE),
        Listed("tDUSK:UST", "DUSK", "USDT", *units, 200_000_000, "0", ONLINE),
        Listed("tIOTBTC", "IOTA", "BTC", *units, 0, "0", ONLINE),
    ]


def test_the_parts_are_asked_for_in_their_order():
    assert LISTING_URL.partition("/conf/")[2].split(",") == [
        *("pub:list:pair:exchange", "pub:info:pair", "pub:map:currency:sym")
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"5",
        b'["error",10020,"symbol: invalid"]',
    ],
)
def test_what_is_no_listing_is_refused(raw):
    with pytest.raises(ValueError, match="listing"):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'[["BTCUSD","ETHUSD"],[["BTCUSD",[0,0]]]]', "'BTCUSD': list index"),
        (b'[["BTCUSD","ETHUSD"],[["BTCUSD",[0,0,0,"x"]],[],5]]', "'BTCUSD': decimal 'x'"),
        (b'[["BTCUSD","ETHUSD"],[["BTCUSD",[0,0,0,"1e-9"]],[[1],2]]]', "'BTCUSD': decimal '1e-9'"),
        (b'[["BTCUSD","ETHUSD"],[],[["BTC",5]]]', "'BTCUSD': 'int'"),
        (b'[[5,"ETHUSD"]]', "'a row without a name': 'int'"),
        (b'[["ETHUSD",null],null,null]', "'a row without a name': 'NoneType'"),
    ],
)
def test_a_pair_that_is_none_costs_no_other(raw, said):
    skipped: list[str] = []
    assert [one.symbol for one in parse(raw, skipped)] == ["tETHUSD"]
    assert len(skipped) == 1
    assert skipped[0].startswith(said)


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("tBTCUSD", ("BTC", "USD")),
        ("tDUSK:USD", ("DUSK", "USD")),
        ("BTC:CNHT", ("BTC", "CNHT")),
        ("tTESTBTC:TESTUSD", ("TESTBTC", "TESTUSD")),
        ("trtUSD", ("rtU", "SD")),
    ],
)
def test_a_symbol_has_a_base_and_a_quote(symbol, pair):
    assert split_symbol(symbol) == pair


def test_the_recorded_listing_has_every_pair():
    text = recorded.path("cryptofeed/2021-04-17_3525dc8c/BITFINEX.0").read_text()
    answers = dict(re.findall(r"^\S+/conf/(\S+) -> [0-9.]+: (.*)$", text, re.MULTILINE))
    pairs = json.loads(answers["pub:list:pair:exchange"])[0]
    currencies = set(json.loads(answers["pub:list:currency"])[0])
    listed = parse(answers["pub:list:pair:exchange"].encode())
    assert [one.symbol for one in listed] == ["t" + pair for pair in pairs]
    assert len(listed) == len(set(listed)) == PAIRS
    for pair in pairs:
        assert set(split_symbol(pair)) <= currencies, pair
    assert {one.base for one in listed} >= {"ALGO", "ATOM", "DASH", "IOTA", "MANA", "WBTC"}
    quotes = {one.quote for one in listed}
    assert "USDT" in quotes
    assert "UST" not in quotes


PAIRS = 293
