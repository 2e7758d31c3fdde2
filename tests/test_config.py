"""A config is read whole or refused, with the file, the key, the value and what was expected."""

import copy

import pytest

from mantra.config import EXAMPLE, Config, ConfigError, check_config, load_config

RAW = {
    "source": {"kind": "simulated"},
    "venues": [{"name": "sim-a", "balances": {"BTC": "1"}}],
    "models": [{"name": "one", "model": "quoter", "instruments": ["BTC-USDT@sim-a"]}],
}
REPLAY = {"kind": "replay", "data": "x"}


def changed(path, value):
    """RAW with the value at a path of keys and indices replaced."""
    raw = copy.deepcopy(RAW)
    *parents, last = path
    table = raw
    for parent in parents:
        table = table[parent] if isinstance(parent, int) else table.setdefault(parent, {})
    table[last] = value
    return raw


def refused(raw):
    with pytest.raises(ConfigError) as error:
        check_config(raw, "mine.toml")
    return str(error.value)


def test_the_example_is_read_and_the_least_config_too():
    example = load_config(None)
    assert example == load_config(EXAMPLE)
    assert example.models[0].name == "quoter-btc-a"
    least = check_config(RAW, "mine.toml")
    assert isinstance(least, Config)
    assert (least.recorder.enabled, least.models[0].limits.position_max) == (True, "0")
    assert least.venues[0].maker_fee_ppm is None


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("source", "kind"), "other", "source = {'kind': 'other'}: input tag 'other'"),
        (("source", "rate"), -1, "source.rate = -1: input should be greater than or equal to 0"),
        (("source", "messages"), "x", "source.messages = 'x': input should be a valid integer"),
        (("source",), 3, "source = 3: input should be a valid dictionary"),
        (("source",), REPLAY | {"lead": 0}, "source.lead = 0: input should be greater than or"),
        (("source",), REPLAY | {"speed": 0}, "source.speed = 0: expected 'max' or a factor above"),
        (("source",), REPLAY | {"speed": float("nan")}, "source.speed = nan: expected 'max' or"),
        (("source",), REPLAY | {"speed": float("inf")}, "source.speed = inf: expected 'max' or"),
        (
            ("source",),
            REPLAY | {"speed": "fast"},
            "source.speed = 'fast': input should be a valid number, unable to parse string as a "
            "number or input should be 'max'",
        ),
        (("venues",), [], "venues = []: list should have at least 1 item"),
        (("venues", 0, "balances"), {}, "venues[0].balances = {}: dictionary should have at"),
        (("venues", 0, "balances", "BTC"), 2.5, "venues[0].balances.BTC = 2.5: input should be a"),
        (("venues", 0, "balances", "BTC"), "-1", "venues[0].balances.BTC = '-1': string should"),
        (("venues", 0, "maker_fee_ppm"), 10**7, "venues[0].maker_fee_ppm = 10000000: input sh"),
        (("models", 0, "name"), "a b", "models[0].name = 'a b': string should match pattern"),
        (("models", 0, "name"), "a" * 32, "models[0].name = 'aaaaa"),
        (("models", 0, "name"), "a\n", "models[0].name = 'a\\n': string should match pattern"),
        (("models", 0, "instruments"), ["BTC"], "models[0].instruments = ['BTC']: 'BTC': expected"),
        (
            ("models", 0, "parameters"),
            {"x": "y"},
            "models[0].parameters.x = 'y': input should be a valid integer or input should be a "
            "valid number or input should be a valid boolean",
        ),
        (("models", 0, "limits"), {"order_volume_max": 5}, "models[0].limits.order_volume_max = 5"),
        (("models", 0, "limits"), {"open_orders_max": 0}, "models[0].limits.open_orders_max = 0"),
        (("cores",), [{"actors": ["a"], "idle": "doze"}], "cores[0].idle = 'doze': input should"),
        (("cores",), [{"actors": []}], "cores[0].actors = []: list should have at least 1 item"),
        (("cores",), [{"actors": ["a"], "core": -1}], "cores[0].core = -1: input should be"),
        (("queues",), {"l2": 24}, "queues.l2 = 24: expected a power of two"),
        (("recorder", "flush_s"), 0, "recorder.flush_s = 0: input should be greater than 0"),
        (("run", "directry"), "x", "run.directry = 'x': there is no such key"),
        (("modles",), [], "modles = []: there is no such key"),
        (("source", "seeed"), 1, "source.seeed = 1: there is no such key"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(path, value, said):
    error = refused(changed(path, value))
    assert error.startswith(f"mine.toml: {said}")
    assert "\n" not in error


def test_every_problem_is_listed_a_line_each():
    raw = changed(("run", "tmings"), 1) | {"venues": []}
    del raw["models"]
    assert refused(raw).splitlines() == [
        "mine.toml: run.tmings = 1: there is no such key",
        "mine.toml: venues = []: list should have at least 1 item after validation, not 0",
        "mine.toml: models is missing",
    ]


def test_parameters_keep_their_kind():
    given = {"whole": 3, "part": 0.5, "flag": True}
    parsed = check_config(changed(("models", 0, "parameters"), given), "").models[0].parameters
    assert {name: type(value) for name, value in parsed.items()} == {
        "whole": int,
        "part": float,
        "flag": bool,
    }


def test_changes_replace_values_by_dotted_key():
    changes = {"source.seed": 7, "recorder.enabled": False, "run.directory": "elsewhere"}
    config = load_config(None, changes)
    assert (config.source.seed, config.recorder.enabled) == (7, False)
    assert str(config.run.directory) == "elsewhere"
    assert config.source.rate == load_config(None).source.rate
    assert load_config(None, {"source": REPLAY}).source.kind == "replay"
    with pytest.raises(ConfigError, match=r"example.toml: source.sped = 2: there is no such key"):
        load_config(None, {"source.sped": 2})


def test_a_change_below_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("source = 3\n")
    with pytest.raises(ConfigError, match="source = 3: expected a table"):
        load_config(path, {"source.seed": 1})


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"a = = 1\n", "not TOML: .*line 1"), (b"\xff\xfe", "not TOML: ")],
)
def test_a_file_that_cannot_be_read(tmp_path, content, said):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{path}: {said}"):
        load_config(path)
