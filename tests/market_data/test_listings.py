"""Listings over TLS from a server process, kept on disk, made into tables."""

import contextlib
import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges.listing import HALTED, ONLINE, Listed
from mantra.market_data import listings
from mantra.market_data.listings import ListingError, add_to, fetch, load, tables_of
from mantra.market_data.venues import VENUES
from mantra.transport.limits import RateLimit
from mantra.transport.tls import TransportError
from tests.exchanges import recorded
from tests.market_data import listing_server
from tests.market_data.listing_server import ListingServer

ALL = pytest.mark.parametrize("venue", VENUES)
NOWHERE = ("https://localhost:1", None)
BTC = Listed("BTC/USD", "BTC", "USD", 2, 8, 1, 1, 10, "0.5", ONLINE)
processes = pytest.mark.processes


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ListingServer(tmp_path_factory.mktemp("listings")) as made:
        yield made


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # No waiting between tries.
    monkeypatch.setattr("random.random", lambda: 0.0)
    monkeypatch.setattr("mantra.market_data.listings.RateLimit", lambda *_: RateLimit(9, 0.001))
    return tmp_path / "mantra" / "listings"


# ---------------------------------------------------------------- asking


@processes
@ALL
def test_each_venue_is_asked_in_its_own_way(server, venue):
    found = fetch(venue, *server.places[venue])
    pairs = [f"{one.base}/{one.quote}" for one in found]
    assert pairs == list(listing_server.PAIRS)
    assert {one.status for one in found} == {ONLINE}


@processes
def test_who_cannot_be_trusted_or_reached_is_named(server):
    with pytest.raises(TransportError, match=r"https://localhost:\d+/0/public/AssetPairs.*certif"):
        fetch("kraken", server.rest)
    with pytest.raises(TransportError, match="https://localhost:1/"):
        fetch("kraken", *NOWHERE)
    with pytest.raises(ListingError, match=r"/AssetPairs: CA file /no/file: .*No such file"):
        fetch("kraken", server.rest, "/no/file")


@processes
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "no listing|listing b'<html>'"),
        (b'{"error":["EService:Busy"]}', "result"),
        (b'{"result":{}}', "it lists nothing of use: no rows"),
        (
            b'{"result":{"A":{"wsname":"A/B"}}}',
            "it lists nothing of use: 'A/B': no 'pair_decimals'",
        ),
    ],
)
def test_an_answer_that_lists_nothing_is_an_error(server, body, reason):
    server.answer("kraken", body)
    try:
        with pytest.raises(ListingError, match=reason):
            fetch("kraken", *server.places["kraken"])
    finally:
        server.answer("kraken")


@processes
def test_an_answer_of_another_status_is_an_error(server):
    server.forget("kraken")
    try:
        with pytest.raises(ListingError, match="/AssetPairs: status 404: b'no such thing'"):
            fetch("kraken", *server.places["kraken"])
    finally:
        server.answer("kraken")


# ---------------------------------------------------------------- keeping


@processes
def test_a_listing_is_kept_for_a_day(server, cache, monkeypatch):
    first = load("kraken", places=server.places)
    assert not first.from_cache
    assert len(first.instruments) == 3
    assert abs(first.taken_at - time.time_ns()) < 60 * 10**9
    server.forget("kraken")
    again = load("kraken", places=server.places)
    server.answer("kraken")
    assert again == first._replace(from_cache=True)
    assert os.listdir(cache) == ["kraken.json"], "and no half-written file"
    monkeypatch.setattr(listings, "FRESH_NS", 0)
    assert not load("kraken", places=server.places).from_cache


@processes
def test_a_refresh_asks_though_the_kept_one_is_young(server):
    first = load("coinbase", places=server.places)
    second = load("coinbase", refresh=True, places=server.places)
    assert second.taken_at > first.taken_at
    assert load("coinbase", places=server.places).taken_at == second.taken_at


@processes
def test_without_the_venue_the_kept_listing_does_and_says_why(tmp_path):
    with ListingServer(tmp_path) as server:
        first = load("kraken", places=server.places)
    kept = load("kraken", refresh=True, places=server.places)
    assert kept.instruments == first.instruments
    assert kept.from_cache
    assert kept.problem.startswith(f"kraken: GET {server.rest}/0/public/AssetPairs failed")


@processes
def test_what_was_kept_of_another_place_does_not_count(server):
    """Else a venue would be taken for its simulation."""
    load("kraken", places=server.places)
    with pytest.raises(ListingError):
        load("kraken", places={"kraken": NOWHERE})


def test_without_either_the_venue_the_host_and_what_to_do_are_named(cache):
    with pytest.raises(ListingError) as raised:
        load("kraken", places={"kraken": NOWHERE})
    said = str(raised.value)
    assert said.startswith("kraken: GET https://localhost:1/")
    assert f"no earlier listing is kept in {cache / 'kraken.json'}" in said
    assert "[venues.kraken]" in said


@processes
def test_skipped_rows_are_said_and_kept(server):
    answer = listing_server.listings()["kraken"][1]
    answer["result"]["ETHUSD"]["tick_size"] = "0.0001"
    server.answer("kraken", json.dumps(answer).encode())
    try:
        first = load("kraken", places=server.places)
    finally:
        server.answer("kraken")
    assert [one.symbol for one in first.instruments] == ["BTC/USD", "ETH/BTC"]
    (said,) = first.skipped
    assert said.startswith("'ETH/USD': decimal '0.0001': too precise")
    assert load("kraken", places=server.places).skipped == first.skipped


@processes
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format":0}',
        b'{"format":1,"rest":"https://elsewhere"}',
        b"\xff",
        b'{"format":1,"venue":"kraken","taken_at":1,"skipped":[],"instruments":[[1]]}',
    ],
)
def test_a_damaged_or_foreign_file_is_as_none(server, cache, content):
    cache.mkdir(parents=True)
    (cache / "kraken.json").write_bytes(content)
    assert not load("kraken", places=server.places).from_cache
    assert load("kraken", places=server.places).from_cache


@processes
def test_a_listing_of_the_future_is_asked_for_anew(server, cache):
    load("kraken", places=server.places)
    path = cache / "kraken.json"
    facts = json.loads(path.read_bytes())
    path.write_text(json.dumps(facts | {"taken_at": time.time_ns() + 10**12}))
    assert not load("kraken", places=server.places).from_cache


@processes
def test_a_disk_that_takes_nothing_is_a_problem_and_no_more(server, cache):
    cache.parent.mkdir(parents=True)
    cache.touch()  # a file where the folder should be
    found = load("kraken", places=server.places)
    assert len(found.instruments) == 3
    assert found.problem.startswith("kraken: the listing cannot be kept: ")


# ---------------------------------------------------------------- tables


def test_tables_hold_every_instrument_with_the_venues_fees():
    eth = Listed("ETH/BTC", "ETH", "BTC", 5, 10, 5, 100, 0, "0", HALTED)
    tables = tables_of({"kraken": [BTC, eth], "bitstamp": [BTC]})
    assert tables.instrument_names() == ["BTC/USD@kraken", "ETH/BTC@kraken", "BTC/USD@bitstamp"]
    exponents = {row["name"].decode(): int(row["exponent"]) for row in tables.assets}
    assert exponents == {"BTC": 8, "ETH": 10, "USD": 8}
    first, second, _ = tables.instruments
    assert (first["min_volume"], first["min_notional"]) == (10, 50_000_000)
    assert (second["tick_size"], second["lot_size"]) == (5, 100)
    assert (first["maker_fee_ppm"], first["taker_fee_ppm"]) == (2_500, 4_000)


def test_an_asset_holds_the_finest_volume_of_any_venue():
    fine = Listed("btcusd", "BTC", "USD", 2, 11, 1, 1, 0, "0", ONLINE)
    tables = tables_of({"kraken": [BTC], "bitstamp": [fine]})
    assert int(tables.assets[tables.asset("BTC")]["exponent"]) == 11


def test_one_instrument_is_added_at_run_time_with_its_new_assets():
    tables = tables_of({"kraken": [BTC]})
    new = Listed("SOL/EUR", "SOL", "EUR", 2, 9, 1, 1, 0, "0.5", ONLINE)
    assert add_to(tables, 0, new) == 1
    assert tables.instrument("SOL/EUR@kraken") == 1
    assert int(tables.assets[tables.asset("SOL")]["exponent"]) == 9
    with pytest.raises(ValueError, match="already"):
        add_to(tables, 0, new)
    finer = Listed("BTC/EUR", "BTC", "EUR", 2, 9, 1, 1, 0, "0", ONLINE)
    with pytest.raises(ValueError, match="'BTC/EUR': volume_exponent 9 is finer"):
        add_to(tables, 0, finer)


def parsed(venue: str, name: str, *marks: bytes) -> list[Listed]:
    """A recorded listing; of a file of many lines the answer behind these marks."""
    raw = recorded.path(name).read_bytes()
    for mark in marks:
        raw = raw.partition(mark)[2]
    raw = raw.splitlines()[0].partition(b" header: ")[0] if marks else raw
    return VENUES[venue].parse_listing(raw)


@pytest.mark.needs_jit
def test_all_recorded_listings_fit_into_one_set_of_tables():
    folder = "cryptofeed/2021-04-17_3525dc8c"
    found = {
        venue: parsed(venue, f"{folder}/{venue.upper()}.0", b" -> ", b": ") for venue in VENUES
    }
    found["kraken"] = parsed("kraken", "kraken-data-recorder/instrument_snapshot.json")
    tables = tables_of(found)
    assert len(tables.instruments) == sum(map(len, found.values())) == 2_560
    bases = {venue: {one.base for one in listed} for venue, listed in found.items()}
    for asset in ("BTC", "ETH", "LTC", "XLM"):
        assert all(asset in names for names in bases.values())
    for asset, venues in {"DOGE": "binance kraken", "DASH": "bitfinex coinbase kraken"}.items():
        assert all(asset in bases[venue] for venue in venues.split())
    for venue, foreign in (("kraken", "XBT"), ("kraken", "XDG"), ("bitfinex", "UST")):
        assert not any(foreign in (one.base, one.quote) for one in found[venue])


# ---------------------------------------------------------------- mangled

STRANGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.sampled_from(
        ["", "0", "-1", "1e-19", "1e-13", "1e400", "0.00000001", "BTC/USD", "A@B", "[x]", "É", "\0"]
    )
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places_in(value, path=()):
    """Paths to all values inside, the outermost first."""
    yield path
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield from places_in(inner, (*path, key))


@ALL
@settings(max_examples=40)
@given(data=st.data())
def test_a_mangled_listing_costs_what_is_mangled_and_never_more(venue, data):
    answer = listing_server.listings()[venue][1]
    for _ in range(data.draw(st.integers(1, 3))):
        paths = [path for path in places_in(answer) if path]
        if not paths:
            break
        *path, last = data.draw(st.sampled_from(paths))
        inside = answer
        for key in path:
            inside = inside[key]
        if data.draw(st.booleans()):
            inside[last] = data.draw(STRANGE)
        else:
            del inside[last]
    skipped: list[str] = []
    found = []
    with contextlib.suppress(ValueError):
        found = VENUES[venue].parse_listing(json.dumps(answer).encode(), skipped)
    tables = tables_of({venue: found})
    assert len(tables.instruments) == len(found)
    assert all(said.encode() for said in skipped)


@ALL
@settings(max_examples=20)
@given(number=st.integers(0, 2), row=STRANGE)
def test_a_mangled_row_costs_no_other(venue, number, row):
    answer = listing_server.listings()[venue][1]
    rows = {
        "binance": lambda: answer["symbols"],
        "coinbase": lambda: answer["products"],
        "bitstamp": lambda: answer,
        "bitfinex": lambda: answer[0],
        "kraken": lambda: answer["result"],
    }[venue]()
    whole = VENUES[venue].parse_listing(json.dumps(answer).encode())
    rows[[*rows][number] if isinstance(rows, dict) else number] = row
    found = VENUES[venue].parse_listing(json.dumps(answer).encode())
    assert [one for one in whole if one not in found] == [whole[number]]
