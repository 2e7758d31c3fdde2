"""A venue in a process of its own: started as users start it, asked for the truth, ended."""

import json
import ssl
import urllib.request

import pytest
from websockets.sync.client import connect

from mantra.simulators.process import VenueProcess, make_certificate

pytestmark = pytest.mark.processes


def test_a_venue_is_asked_for_the_truth_and_told_to_list():
    with VenueProcess("coinbase", ["BTC-USD", "ETH-USD"], 500, {"drop": 1.0}, "--seed=3") as venue:
        trust = ssl.create_default_context(cafile=venue.ca_file)
        with connect(venue.url, ssl=trust, close_timeout=0.2) as socket:
            socket.send('{"type":"subscribe","channel":"level2","product_ids":["BTC-USD"]}')
            with pytest.raises(TimeoutError):
                socket.recv(0.3)
            done = venue.calm()
            assert done["done"]["drop"] >= done["books"]["drop"] > 5
            said = json.loads(socket.recv(5))
            assert said["sequence_num"] > 5
        books = venue.books()
        assert set(books) == {"BTC-USD", "ETH-USD"}
        assert all(isinstance(price, int) for price in books["BTC-USD"][0])
        venue.go()
        venue.list_symbol("NEW-USD")
        venue.delist_symbol("ETH-USD")
        assert set(venue.books()) == {"BTC-USD", "NEW-USD"}
        listing = f"{venue.rest}/api/v3/brokerage/market/products"
        with urllib.request.urlopen(listing, context=trust) as answer:
            rows = {row["product_id"]: row["status"] for row in json.load(answer)["products"]}
        assert rows == {"BTC-USD": "online", "ETH-USD": "delisted", "NEW-USD": "online"}
    assert venue.process.returncode == 0


def test_what_does_not_start_says_so():
    with pytest.raises(RuntimeError, match="did not start: 2"):
        _ = VenueProcess("mtgox", ["BTCUSD"], 1).url


def test_a_certificate_is_for_this_machine_only(tmp_path):
    ca_file, context = make_certificate(tmp_path)
    assert ca_file.read_text().startswith("-----BEGIN CERTIFICATE")
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER
