"""An archive and a model make a config: every instrument traded, every venue mocked and rich."""

import pytest

from mantra.archive import ArchiveWriter
from mantra.backtest.default_config import config_for_archive
from mantra.config import ConfigError
from mantra.system import build_system
from tests.archive.rows import l2_rows
from tests.backtest.made_run import some_tables


@pytest.fixture
def archive(tmp_path):
    with ArchiveWriter(tmp_path / "archive", {"tables": some_tables().as_dict()}) as writer:
        writer.append("l2", l2_rows(3))
    return tmp_path / "archive"


def test_each_instrument_gets_a_model_and_its_venue_a_mock(archive):
    config = config_for_archive(archive, "quoter", {})
    assert [(m.name, m.model, m.instruments) for m in config.models] == [
        ("quoter-0", "quoter", ["BTCUSDT@north"]),
        ("quoter-1", "quoter", ["ETHUSDT@north"]),
        ("quoter-2", "quoter", ["ETHBTC@north"]),
    ]
    assert (config.source.kind, config.source.data) == ("replay", archive)
    names = [actor.name for actor in build_system(config, "made").actors]
    assert names == ["feed", "mock-north", *(m.name for m in config.models), "overseer", "recorder"]


def test_an_asset_that_is_base_and_quote_is_ample_as_a_quote(archive):
    (venue,) = config_for_archive(archive, "quoter", {}).venues
    assert venue.balances == {"BTC": "10000000", "USDT": "10000000", "ETH": "1000"}


def test_a_models_file_names_its_actors(archive):
    config = config_for_archive(archive, "/a/my.best model-with-a-long-name.py", {})
    assert config.models[0].name == "my-best-model-with-a-0"


def test_options_change_it(archive):
    config = config_for_archive(archive, "quoter", {"source.speed": 2.0, "recorder.enabled": False})
    assert (config.source.speed, config.recorder.enabled) == (2.0, False)
    with pytest.raises(ConfigError, match=r"the options: source.speed = -1.0: expected 'max' or"):
        config_for_archive(archive, "quoter", {"source.speed": -1.0})


def test_what_is_no_archive_or_has_no_tables_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"--data: .*/nowhere: no such directory"):
        config_for_archive(tmp_path / "nowhere", "quoter", {})
    with ArchiveWriter(tmp_path / "bare") as writer:
        writer.append("l2", l2_rows(3))
    with pytest.raises(ConfigError, match=r"--data .*bare: this archive holds no instrument"):
        config_for_archive(tmp_path / "bare", "quoter", {})
