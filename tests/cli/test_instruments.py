"""instruments, beside a server of listings."""

import json

import pytest

from mantra.cli import instruments
from mantra.market_data.venues import VENUES
from mantra.transport.limits import RateLimit
from tests.market_data.listing_server import PAIRS, ListingServer, listings

pytestmark = pytest.mark.processes


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


@pytest.fixture
def config(server, tmp_path):
    return write(tmp_path / "places.toml", server, VENUES)


def write(path, server, venues, rest=None):
    """A config that says where these venues are."""
    facts = f'rest = "{rest or server.rest}"\nca_file = "{server.ca_file}"\n'
    path.write_text("".join(f"[venues.{venue}]\n{facts}" for venue in venues))
    return path


def test_the_venues_that_can_be_asked_for_are_those_there_are():
    assert list(VENUES) == [*instruments.VENUES]


def test_every_instrument_of_every_venue_is_listed_and_counted(mantra, config):
    ended = mantra("instruments", "--config", config)
    assert (ended.code, ended.err) == (0, "")
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ended.out.splitlines()]
    numbers = ["0.01", "0.0001", "0.0001", "5", "online"]
    assert ["binance", "BTCUSD", "BTC", "USD", *numbers] in cells
    numbers = ["5 digits", "0.00000001", "0.00006", "0", "online"]
    assert ["bitfinex", "tETHUSD", "ETH", "USD", *numbers] in cells
    assert ["kraken", "ETH/BTC", "ETH", "BTC"] in [row[:4] for row in cells]
    counts = [row[:5] for row in cells if len(row) == 7]
    assert counts == [[venue, "3", "3", "0", "0"] for venue in VENUES]


def test_as_json_it_is_one_object(mantra, config):
    found = mantra("instruments", "--config", config, "--venue", "coinbase", "--json").json
    assert [row["symbol"] for row in found["instruments"]] == [p.replace("/", "-") for p in PAIRS]
    assert found["instruments"][0] == {
        **{"venue": "coinbase", "symbol": "BTC-USD", "base": "BTC", "quote": "USD"},
        **{"tick": "0.01", "lot": "0.00000001", "min_volume": "0.00000001"},
        **{"min_notional": "1", "status": "online"},
    }
    (venue,) = found["venues"]
    counted = {"instruments": 3, "online": 3, "halted": 0, "from_cache": False, "skipped": []}
    assert counted.items() <= venue.items()
    assert venue["age_h"] < 0.1
    assert found["errors"] == []


@pytest.fixture
def one_halted(server):
    answer = listings()["kraken"][1]
    answer["result"]["ETHUSD"]["status"] = "cancel_only"
    answer["result"]["ETHBTC"]["tick_size"] = "1e-99"
    server.answer("kraken", json.dumps(answer).encode())
    yield
    server.answer("kraken")


@pytest.mark.parametrize(
    ("arguments", "symbols"),
    [
        ((), ["BTC/USD", "ETH/USD"]),
        (("--status", "online"), ["BTC/USD"]),
        (("--status", "halted"), ["ETH/USD"]),
        (("--quote", "usd", "--venue", "kraken"), ["BTC/USD", "ETH/USD"]),
        (("--quote", "EUR"), []),
    ],
)
@pytest.mark.usefixtures("one_halted")
def test_what_is_shown_may_be_chosen(mantra, config, arguments, symbols):
    options = ("--config", config, "--venue", "kraken", *arguments)
    ended = mantra("instruments", *options, "--json")
    assert [row["symbol"] for row in ended.json["instruments"]] == symbols
    (counts,) = ended.json["venues"]
    assert (counts["online"], counts["halted"], len(counts["skipped"])) == (1, 1, 1)
    told = mantra("instruments", *options)
    assert told.code == 0
    assert told.err.startswith("kraken: skipped 'ETH/XBT': decimal '1e-99'")


def test_a_venue_that_cannot_be_reached_is_shown_as_it_was(mantra, tmp_path):
    with ListingServer(tmp_path) as server:
        config = write(tmp_path / "places.toml", server, VENUES)
        options = ("--venue", "kraken", "--config", config)
        mantra("instruments", *options)
    young = mantra("instruments", *options)
    assert (young.code, young.err) == (0, ""), "nobody was asked"
    ended = mantra("instruments", *options, "--refresh")
    assert ended.code == 0
    assert "ETH/BTC" in ended.out
    assert ended.err.startswith(f"kraken: GET {server.rest}/0/public/AssetPairs failed: ")
    assert "; shown is its listing of 20" in ended.err


def test_without_any_listing_of_a_venue_the_others_are_shown_and_it_is_code_2(
    mantra, server, config, tmp_path, cache
):
    away = tmp_path / "away.toml"
    rest = config.read_text().partition("[venues.kraken]")[0]
    away.write_text(rest + write(away, server, ["kraken"], "https://localhost:1").read_text())
    ended = mantra("instruments", "--config", away)
    assert ended.code == 2
    assert "tETHBTC" in ended.out
    assert "ETH/BTC" not in ended.out
    assert ended.err.startswith("mantra: kraken: GET https://localhost:1/")
    assert f"no earlier listing is kept in {cache / 'kraken.json'}" in ended.err
    ended = mantra("instruments", "--config", away, "--json")
    assert ended.code == 2
    assert len(ended.json["instruments"]) == 12
    assert ended.json["errors"][0].startswith("kraken: GET https://localhost:1/")


@pytest.mark.parametrize("text", ["venues = 5", "[venues]\nkraken = 5", "x = ", "[[venues]]"])
def test_a_config_that_says_no_places_is_refused(mantra, tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    ended = mantra("instruments", "--config", path)
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}: " in ended.err


def test_what_is_no_venue_is_refused(mantra):
    assert mantra("instruments", "--venue", "nasdaq").code == 2
