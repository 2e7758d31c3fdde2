"""What each venue says no to, and how. What it says yes to, its codec's client tests follow:
tests/market_data/test_venues.py."""

import json

import pytest

from mantra.simulators import rest
from mantra.simulators.dialects import DIALECTS, Client
from mantra.simulators.market import Market

ASKS = {
    "binance": '{{"method":"SUBSCRIBE","params":["{0}@depth@100ms"],"id":7}}',
    "bitfinex": '{{"event":"subscribe","channel":"book","symbol":"{0}","len":"25"}}',
    "bitstamp": '{{"event":"bts:subscribe","data":{{"channel":"diff_order_book_{0}"}}}}',
    "coinbase": '{{"type":"subscribe","channel":"level2","product_ids":["{0}"]}}',
    "kraken": '{{"method":"subscribe","params":{{"channel":"book","symbol":["{0}"]}}}}',
}
NO = {
    "binance": {"result": None, "id": 7},  # it takes no notice
    "bitfinex": {"event": "error", "msg": "symbol: invalid", "code": 10300},
    "bitstamp": {"event": "bts:error"},
    "coinbase": {"type": "error", "message": "nothing is not a valid product"},
    "kraken": {"success": False, "error": "Currency pair not supported nothing"},
}
ALL = pytest.mark.parametrize("venue", sorted(DIALECTS))


@pytest.fixture
def dialect(venue):
    return DIALECTS[venue](Market(rest.symbols(venue, 2)))


@ALL
def test_an_unknown_symbol_is_refused_as_the_venue_does(dialect, venue):
    client = Client()
    (said,) = (json.loads(text) for text in dialect.answer(client, ASKS[venue].format("nothing")))
    assert said | NO[venue] == said
    assert not client.wanted


@ALL
@pytest.mark.parametrize("text", ["", "[]", "7", '{"a":1}', '{"method":"subscribe"}', "\0"])
def test_what_is_no_request_is_complained_about(dialect, text):
    (said,) = dialect.answer(Client(), text)
    assert "no request" in said
    json.loads(said)


@ALL
def test_what_ended_is_no_longer_told(dialect, venue):
    client, name = Client(), rest.symbols(venue, 2)[0]
    list(dialect.answer(client, ASKS[venue].format(name)))
    change = dialect.market.change(dialect.market.symbols[name])
    assert list(dialect.tell(client, change))
    dialect.leave(client)
    assert not list(dialect.say(change))


def test_bitfinex_numbers_channels_and_has_so_many_a_connection():
    names = rest.symbols("bitfinex", 40)
    dialect, client = DIALECTS["bitfinex"](Market(names)), Client()
    said = [next(dialect.answer(client, ASKS["bitfinex"].format(name))) for name in names]
    assert ["subscribed" in text for text in said] == [True] * 30 + [False] * 10
    assert json.loads(said[-1])["code"] == 10305
    assert json.loads(next(dialect.answer(client, ASKS["bitfinex"].format(names[0]))))["code"]
    assert len(set(client.numbers.values())) == 30
    number = json.loads(said[0])["chanId"]
    (answer,) = dialect.answer(client, json.dumps({"event": "unsubscribe", "chanId": number}))
    assert json.loads(answer) == {"event": "unsubscribed", "status": "OK", "chanId": number}
    assert len(client.wanted) == 29


def test_pings_of_the_venues_own_form_are_answered():
    for venue, ping, pong in (
        ("kraken", '{"method":"ping"}', '"pong"'),
        ("bitstamp", '{"event":"bts:heartbeat"}', '"success"'),
        ("bitfinex", '{"event":"ping","cid":3}', '"cid": 3'),
    ):
        (said,) = DIALECTS[venue](Market(["A"])).answer(Client(), ping)
        assert pong in said
