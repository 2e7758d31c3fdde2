"""A model file is loaded, checked and compiled; what is wrong with it is told with its line."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mantra.messages.enums import BID
from mantra.models.contract import (
    ORDERS_MAX,
    ModelError,
    compile_model,
    find_model,
    load_model,
)
from tests.models.desk import ModelDesk

GOOD = """
import numpy as np
from mantra.compiled import compiled
from mantra.messages.enums import BID
from mantra.models.orders import want

ORDERS = 1
PARAMETERS = np.dtype([("lots", "i8"), ("tilt", "f8")], align=True)
DEFAULTS = {"lots": 4, "tilt": 0.5}


@compiled
def volume_of(parameters):
    return parameters["lots"] * 2


@compiled
def on_event(event, market, state, parameters, orders):
    want(orders, 0, BID, event["price"], volume_of(parameters))
"""


def line_of(text, what):
    return next(n for n, line in enumerate(text.splitlines(), 1) if what in line)


@pytest.fixture
def made(tmp_path):
    """Write a model: GOOD with one thing replaced; its path."""

    def make(old="", new="", name="mine.py"):
        assert old in GOOD
        (tmp_path / name).write_text(GOOD.replace(old, new))
        return tmp_path / name

    return make


def refused(path):
    """What a file is refused with, which always begins with its path."""
    with pytest.raises(ModelError) as error:
        compile_model(load_model(str(path)))
    assert str(error.value).startswith(str(path))
    return str(error.value).removeprefix(str(path))


def wanted_of(path, price=100, parameters=None):
    with ModelDesk(path, parameters=parameters) as desk:
        desk.trade(price, 1)
        desk.run()
        return desk.wanted()


# ---------------------------------------------------------------- what is right


def test_a_users_file_runs(made):
    assert wanted_of(made()) == [(BID, 100, 8)]
    assert wanted_of(made(), parameters={"lots": 7}) == [(BID, 100, 14)]


def test_the_decorator_may_be_left_out(made):
    assert wanted_of(made("@compiled\ndef on_event", "def on_event")) == [(BID, 100, 8)]


def test_what_the_file_says_is_loaded(made):
    model = load_model(str(made()))
    assert (model.orders, model.defaults) == (1, {"lots": 4, "tilt": 0.5})
    assert model.parameters.names == ("lots", "tilt")
    assert model.path == made().resolve()
    record = model.parameter_record({"tilt": 2})
    assert (record["lots"][0], record["tilt"][0]) == (4, 2.0)


def test_built_in_models_are_found_by_name_and_files_by_path(made, monkeypatch):
    assert find_model("quoter").name == "quoter.py"
    assert find_model(str(made())) == made()
    monkeypatch.chdir(made(name="quoter.py").parent)
    assert find_model("./quoter.py") == made(name="quoter.py")
    with pytest.raises(ModelError, match="no model 'quotter'"):
        find_model("quotter")


def test_an_edit_of_the_file_is_seen(made):
    assert wanted_of(made()) == [(BID, 100, 8)]
    assert wanted_of(made("* 2", "* 3")) == [(BID, 100, 12)]
    assert wanted_of(made("BID, event", "1, event"))[0][0] == 1


HELPED = '["lots"] * 2', '["lots"] * helper.factor()'
HELPER = "from mantra.compiled import compiled\n\n\n@compiled\ndef factor():\n    return {}\n"


def with_helper(made, factor, imports="import helper\n"):
    path = made(*HELPED)
    path.write_text(imports + path.read_text())
    (path.parent / "helper.py").write_text(HELPER.format(factor))
    return path


def test_a_module_beside_the_file_can_be_imported_and_its_edit_is_seen(made):
    for factor in (5, 6):  # Text of the same length: the file's date and size say nothing.
        assert wanted_of(with_helper(made, factor)) == [(BID, 100, 4 * factor)]


def test_models_of_two_folders_have_helpers_of_the_same_name(tmp_path, made):
    one = with_helper(made, 5)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text(one.read_text())
    (other / "helper.py").write_text(HELPER.format(7))
    with ModelDesk(one) as first, ModelDesk(other / "mine.py") as second:
        for desk in (first, second):
            desk.trade(100, 1)
            desk.run()
        assert (first.wanted(), second.wanted()) == ([(BID, 100, 20)], [(BID, 100, 28)])


START = """
import sys
from tests.models.test_contract import wanted_of
print(wanted_of(sys.argv[1])[0][2])
"""


def test_the_next_process_loads_it_and_sees_edits(made):
    # A model, a compiled helper of it, and a helper beside it: warm, then the last one edited.
    def start(path):
        command = [sys.executable, "-c", START, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
        return int(done.stdout)

    path = with_helper(made, 5)
    assert [start(path), start(path)] == [20, 20]
    assert start(with_helper(made, 6)) == 24
    assert list(path.parent.iterdir()) == [*path.parent.glob("*.py")]  # nothing left beside it


# ---------------------------------------------------------------- what is wrong


def test_a_file_without_on_event(made):
    assert "has no function on_event" in refused(made("def on_event", "def on_events"))
    path = made()
    path.write_text(GOOD + "\n\non_event = 3\n")
    assert refused(path).startswith(f":{line_of(GOOD, 'def on_event') + 4}: has no function")


def test_an_on_event_of_other_arguments(made):
    said = refused(made("state, parameters, orders", "state, orders"))
    line = line_of(GOOD, "def on_event") - 1  # of its decorator
    assert said.startswith(f":{line}: on_event takes ('event', 'market', 'state', 'orders')")
    assert "expected (event, market, state, parameters, orders)" in said


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("PARAMETERS", '[("lots", "i8")]'),
        ("PARAMETERS", 'np.dtype([("lots", "i8")])'),
        ("PARAMETERS", 'np.dtype("i8")'),
        ("STATE", "{}"),
        ("DEFAULTS", "5"),
        ("ORDERS", "0"),
        ("ORDERS", '"2"'),
        ("ORDERS", str(ORDERS_MAX + 1)),
    ],
)
def test_a_constant_of_the_wrong_kind(made, what, value):
    path = made()
    text = GOOD + f"\n\n# {what}:\n{what} = {value}\n"
    lines = [line for line in text.splitlines() if not line.startswith(f"{what} =")]
    path.write_text("\n".join([*lines, f"{what} = {value}"]))
    assert refused(path).startswith(f":{len(lines) + 1}: {what} is ")


def test_orders_must_be_said(made):
    assert "ORDERS is None; expected the number" in refused(made("ORDERS = 1\n"))


def test_a_syntax_error(made):
    said = refused(made('["lots"] * 2', '["lots"] *'))
    assert said.startswith(f":{line_of(GOOD, '* 2')}: SyntaxError: ")


def test_an_error_while_it_is_imported(made):
    said = refused(made("ORDERS = 1", "ORDERS = 1 // 0"))
    assert said.startswith(f":{line_of(GOOD, 'ORDERS')}: ZeroDivisionError: ")
    assert ": ModuleNotFoundError: " in refused(made("import numpy", "import numppy"))


def test_an_error_in_a_helper_is_told_with_the_line_that_imports_it(made):
    path = with_helper(made, "1 +")
    assert refused(path).startswith(":1: SyntaxError: ")


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ('event["price"], ', 'event["prize"], ', "want(orders"),
        ('["lots"] * 2', '["lots"] - "2"', "return parameters"),
        ('["lots"] * 2', '["lots"] * "2"', "want(orders"),  # text of optional length, says Numba
        ("volume_of(parameters))", "volumes(parameters))", "want(orders"),
        ("    want(", "    class Inner:\n        pass\n\n    want(", "want(orders"),
    ],
)
def test_code_that_does_not_compile_is_told_with_its_line(made, old, new, at):
    said = refused(made(old, new))
    assert said.startswith(f":{line_of(GOOD, at)}: does not compile: ")
    assert "\n\n" not in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lot": 3}, "no parameter 'lot'; there are: lots, tilt"),
        ({"lots": 1.5}, "parameter lots = 1.5 does not fit int64"),
        ({"lots": 1 << 64}, "parameter lots = 18446744073709551616: "),
        ({"lots": "many"}, "parameter lots = 'many': "),
        ({"tilt": []}, "parameter tilt = []: "),
    ],
)
def test_a_parameter_that_is_not_there_or_does_not_fit(made, given, said):
    model = load_model(str(made()))
    with pytest.raises(ModelError) as error:
        model.parameter_record(given)
    assert str(error.value).startswith(f"{model.path}: {said}")


def test_a_default_that_does_not_fit(made):
    assert "parameter lots = 0.25 does not fit" in refused(made('"lots": 4', '"lots": 0.25'))


def test_parameters_are_not_shared_between_actors(made):
    model = load_model(str(made()))
    one, other = model.parameter_record({"lots": 1}), model.parameter_record({})
    assert (one["lots"][0], other["lots"][0]) == (1, 4)
    assert not np.shares_memory(one, other)
