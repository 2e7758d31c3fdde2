"""Listings: recorded ones whole, and single pairs by hand."""

import json

import pytest

from mantra.exchanges.kraken.instruments import parse
from mantra.exchanges.listing import HALTED, ONLINE, Listed, decimals_of
from tests.exchanges import recorded

SNAPSHOT = "kraken-data-recorder/instrument_snapshot.json"


def test_the_recorded_snapshot_is_listed_whole():
    listed = parse(recorded.path(SNAPSHOT).read_bytes())
    assert len(listed) == 683
    assert sum(each.status == ONLINE for each in listed) == 672
    assert len({each.symbol for each in listed}) == 683
    assert listed[0] == Listed("EUR/USD", "EUR", "USD", 5, 8, 1, 1, 50_000_000, "0.50", ONLINE)


def test_each_recorded_pair_by_another_way():
    """Steps are one unit of as many decimals as the pair says: what the checksum relies on."""
    raw = recorded.path(SNAPSHOT).read_bytes()
    pairs = json.loads(raw, parse_float=str)["data"]["pairs"]
    assert sum(pair["qty_increment"] == "1E-8" for pair in pairs) > 600
    for each, pair in zip(parse(raw), pairs, strict=True):
        assert each.symbol == pair["symbol"] == f"{each.base}/{each.quote}"
        assert each.price_exponent == decimals_of(str(pair["price_increment"]))
        assert each.volume_exponent == decimals_of(str(pair["qty_increment"]))
        assert (each.tick_size, each.lot_size) == (1, 1)
        expected = float(pair["qty_min"]) * 10**each.volume_exponent
        assert each.min_volume == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        (
            "http_asset_pairs",
            Listed("BTC/USDT", "BTC", "USDT", 1, 8, 1, 1, 5_000, "0.5", ONLINE),
        ),
        (
            "http_asset_pairs_tokenized",
            Listed("AAPLx/USD", "AAPLx", "USD", 2, 8, 1, 1, 1, "0.5", ONLINE),
        ),
    ],
)
def test_rest_answers_are_listed_under_the_names_of_v2(name, listed):
    assert parse(recorded.path(f"nautilus/kraken/{name}.json").read_bytes()) == [listed]


def test_an_answer_of_2021_is_listed_without_its_dark_pools():
    text = recorded.path("cryptofeed/2021-04-17_3525dc8c/KRAKEN.0").read_bytes()
    raw = text.splitlines()[0].partition(b": ")[2].partition(b" header: ")[0]
    raw = raw[raw.index(b"{") :] if not raw.startswith(b"{") else raw
    pairs = json.loads(raw)["result"].values()
    listed = {each.symbol: each for each in parse(raw)}
    assert len(listed) == sum("wsname" in pair for pair in pairs) == 293
    assert "DOGE/BTC" in listed
    assert listed["BTC/USD"].price_exponent == 1


def pair(**facts) -> bytes:
    known = {"wsname": "XDG/XBT", "pair_decimals": 3, "lot_decimals": 2}
    return json.dumps({"error": [], "result": {"A": known | facts}}).encode()


def test_what_old_answers_leave_out_is_the_smallest():
    assert parse(pair()) == [Listed("DOGE/BTC", "DOGE", "BTC", 3, 2, 1, 1, 0, "0", ONLINE)]
    assert parse(pair(tick_size="0.5", ordermin="20"))[0].tick_size == 500


@pytest.mark.parametrize("status", ["cancel_only", "post_only", "limit_only", "reduce_only"])
def test_less_than_online_is_halted(status):
    assert parse(pair(status=status))[0].status == HALTED


@pytest.mark.parametrize(
    "raw",
    [
        b'{"error":["EService:Unavailable"]}',
        b"[]",
        b"{}",
        b"x",
    ],
)
def test_what_is_no_listing_is_refused(raw):
    with pytest.raises(ValueError, match="listing"):
        parse(raw)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"tick_size": "0.0001"}, "'XDG/XBT': decimal '0.0001': too precise"),
        ({"pair_decimals": 19, "tick_size": "1"}, "'XDG/XBT': exponent 19"),
        ({"pair_decimals": -1}, "'XDG/XBT': exponent -1"),
        ({"pair_decimals": None}, "'XDG/XBT': '<='"),
        ({"tick_size": "0"}, "'XDG/XBT': tick, lot"),
        ({"wsname": "XDGXBT"}, "'XDGXBT': not enough values"),
        ({"wsname": "XDG/" + "X" * 21}, "'XDG/"),
    ],
)
def test_a_pair_that_is_none_is_named_and_costs_no_other(facts, said):
    answer, skipped = json.loads(pair()), []
    answer["result"]["B"] = answer["result"]["A"] | {"wsname": "B/C"}
    answer["result"]["A"] |= facts
    assert [one.symbol for one in parse(json.dumps(answer).encode(), skipped)] == ["B/C"]
    assert len(skipped) == 1
    assert skipped[0].startswith(said)
