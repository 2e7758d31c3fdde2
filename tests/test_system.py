"""The wiring makes of a config what it says, and says which key it cannot."""

import pytest

from mantra.archive import ArchiveWriter
from mantra.config import ConfigError, check_config, load_config
from mantra.exchanges.simulated.generator import default_tables
from mantra.system import build_system, describe_system
from tests.archive.rows import l2_rows

MODEL = {"name": "one", "model": "quoter", "instruments": ["BTC-USDT@sim-a"]}
VENUE = {"name": "sim-a", "balances": {"BTC": "1", "USDT": "1000"}}


def build(**changes):
    raw = {"source": {"kind": "simulated"}, "venues": [VENUE], "models": [MODEL]} | changes
    return build_system(check_config(raw, "mine.toml"), "wired")


def test_the_example_is_wired():
    system = build_system(load_config(None), "wired")
    assert [actor.name for actor in system.actors] == [
        "feed-sim-a",
        "feed-sim-b",
        "mock-sim-a",
        "mock-sim-b",
        "quoter-btc-a",
        "quoter-eth-a",
        "quoter-btc-b",
        "imbalance-b",
        "overseer",
        "recorder",
    ]
    assert system.directory.name == "wired"
    assert system.models == ["quoter-btc-a", "quoter-eth-a", "quoter-btc-b", "imbalance-b"]
    names = system.tables.instrument_names()
    assert [names[i] for i in system.actors[7].instruments] == ["BTC-USDT@sim-b", "ETH-USDT@sim-b"]


def test_who_writes_and_reads_is_described():
    described = describe_system(build(queues={"l2": 64, "timings-one": 32}))
    queues = {queue["name"]: queue for queue in described["queues"]}
    assert (queues["l2"]["capacity"], queues["l2"]["record_bytes"]) == (64, 56)
    assert queues["timings-one"]["capacity"] == 32
    assert queues["l2"]["written_by"] == ["feed-sim-a"]
    assert queues["l2"]["read_by"] == ["mock-sim-a", "one", "recorder"]
    assert queues["requests"]["written_by"] == ["overseer"]
    assert queues["fills"]["read_by"] == ["one", "overseer", "recorder"]
    assert queues["timings-one"]["written_by"] == ["one"]
    assert all("recorder" in queue["read_by"] for queue in queues.values())
    assert described["vectors"]["cache-one"] == {"rows": 4, "written_by": "one"}
    cores = described["cores"]
    assert sum((line["actors"] for line in cores), []) == [
        "feed-sim-a",
        "mock-sim-a",
        "one",
        "overseer",
        "recorder",
    ]
    assert "BTC-USDT@sim-a" in described["instruments"]


def test_fees_of_the_config_replace_those_of_the_tables():
    before = default_tables().instruments
    after = build(venues=[VENUE | {"maker_fee_ppm": -5, "taker_fee_ppm": 0}]).tables.instruments
    here = after["venue"] == 0
    assert (after["maker_fee_ppm"][here] == -5).all()
    assert (after["taker_fee_ppm"][here] == 0).all()
    assert (after["maker_fee_ppm"][~here] == before["maker_fee_ppm"][~here]).all()
    assert (build().tables.instruments["taker_fee_ppm"] == before["taker_fee_ppm"]).all()


def test_messages_and_rate_are_shared_among_the_sources():
    other = VENUE | {"name": "sim-b"}
    system = build(
        venues=[VENUE, other], source={"kind": "simulated", "messages": 5, "rate": 1000, "seed": 3}
    )
    first, second = system.actors[:2]
    assert (first.messages, second.messages) == (3, 3)
    assert (first.rate, second.rate) == (500, 500)
    assert (first.seed, second.seed) == (3, 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"venues": [VENUE | {"name": "sim-x"}]},
            r"venues\[0\].name: venue 'sim-x' is not in the tables; known: sim-a, sim-b",
        ),
        (
            {"venues": [VENUE | {"balances": {"DOGE": "1"}}]},
            r"venues\[0\].balances: asset 'DOGE' is not in the tables; known: ",
        ),
        (
            {"venues": [VENUE | {"balances": {"BTC": "0." + "1" * 20}}]},
            r"venues\[0\].balances: ",
        ),
        (
            {"models": [MODEL | {"instruments": ["BTC-EUR@sim-a"]}]},
            r"models\[0\].instruments: instrument 'BTC-EUR@sim-a' is not in the tables; known: ",
        ),
        (
            {"models": [MODEL | {"instruments": ["BTC-USDT@sim-b"]}]},
            r"models\[0\].instruments: 'BTC-USDT@sim-b': no \[\[venues\]\] entry for its venue",
        ),
        (
            {"models": [MODEL | {"instruments": ["BTC-USDT@sim-a"] * 2}]},
            r"models\[0\].instruments: 'BTC-USDT@sim-a' is there twice",
        ),
        ({"models": [MODEL, MODEL]}, r"models\[1\].name = 'one': another model has this name"),
        ({"models": [MODEL | {"model": "none.py"}]}, r"models\[0\]: no model 'none.py'"),
        (
            {"models": [MODEL | {"parameters": {"lot": 1}}]},
            r"models\[0\]: .*quoter.py: no parameter 'lot'; there are: half_spread, ",
        ),
        (
            {"models": [MODEL | {"limits": {"position_max": "0.0000000001"}}]},
            r"limits of model 'one': ",
        ),
        ({"queues": {"l3": 64}}, r"queues: no queue 'l3'; there are: l2, trades, "),
        ({"source": {"kind": "replay", "data": "/nowhere"}}, r"source.data: /nowhere: no such"),
    ],
)
def test_what_the_config_names_and_is_not_there(changes, said):
    with pytest.raises(ConfigError, match=said):
        build(**changes)


def test_an_archive_without_tables_is_no_source(tmp_path):
    with ArchiveWriter(tmp_path) as writer:
        writer.append("l2", l2_rows(5))
    with pytest.raises(ConfigError, match=r"source.data = .*: this archive holds no instrument t"):
        build(source={"kind": "replay", "data": str(tmp_path)})


def test_limits_are_in_the_units_of_each_instrument():
    limits = {"position_max": "1.5", "order_notional_max": "100", "daily_loss_max": "7"}
    system = build(models=[MODEL | {"limits": limits | {"requests_per_second": 3}}])
    overseer = next(actor for actor in system.actors if actor.name == "overseer")
    given = overseer.limits["one"]
    instrument = system.tables.instrument("BTC-USDT@sim-a")
    facts = system.tables.instruments[instrument]
    quote = int(system.tables.assets[facts["quote"]]["exponent"])
    orders = given.instruments[instrument]
    assert orders.position_max == 15 * 10 ** (int(facts["volume_exponent"]) - 1)
    assert orders.order_notional_max == 100 * 10**quote
    assert orders.order_volume_max == 0
    assert given.loss_max == {int(facts["quote"]): 7 * 10**quote}
    assert (given.requests_per_second, given.requests_burst) == (3, 3)
