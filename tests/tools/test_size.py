"""What counts as code, which limits hold, and what is said when one is passed."""

import pytest

from tools import size


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", 0),
        ("# a reason\n\n", 0),
        ('"""A manual.\n\nOf three lines."""\n', 0),
        ("x = 1  # one\n", 1),
        ("x = (\n    1,\n\n    # why\n    2,\n)\n", 4),
        ('x = """two\nlines"""\n', 2),
        ('def f():\n    """What it does."""\n    return 1\n', 2),
        ('class C:\n    """What it is."""\n\n    x: int\n    "A note on x."\n', 2),
    ],
)
def test_a_code_line_carries_code(text, lines):
    assert size.code_lines(text) == lines


def one(text):
    (function,) = size.functions(text)
    return function


def test_a_function_is_measured_without_its_docstring_and_decorators():
    text = '@compiled\n@other\ndef f(\n    x,\n):\n    """One.\n\n    Two.\n    """\n    return x\n'
    assert (one(text).name, one(text).line, one(text).lines) == ("f", 3, 4)


def test_nested_functions_and_methods_are_measured_too():
    text = "class C:\n    def f(self):\n        def g():\n            return 1\n        return g\n"
    measured = {function.name: function.lines for function in size.functions(text)}
    assert measured == {"f": 4, "g": 2}


@pytest.mark.parametrize(
    ("text", "reasoned"),
    [
        ("def f():  # long: one table\n    return 1\n", True),
        ("x = 1\n# long: one table\ndef f():\n    return 1\n", True),
        ("# long: one table\n@compiled\ndef f():\n    return 1\n", True),
        ("# long:\ndef f():\n    return 1\n", False),
        ("# a long function\ndef f():\n    return 1\n", False),
        ("# long: one table\n\ndef f():\n    return 1\n", False),
    ],
)
def test_a_reason_stands_on_the_def_line_or_above(text, reasoned):
    assert one(text).reasoned is reasoned


def long_function(lines, head="def f():"):
    return head + "\n" + "    x = 1\n" * (lines - 1)


@pytest.fixture
def tree(tmp_path):
    for room in ("src/mantra/books", "src/mantra/bench", "tests", "tools"):
        (tmp_path / room).mkdir(parents=True)
    (tmp_path / "src/mantra/cli.py").write_text("x = 1\n")
    (tmp_path / "src/mantra/books/book.py").write_text(long_function(60))
    (tmp_path / "src/mantra/bench/icc.py").write_text("y = 1\n" * 7)
    (tmp_path / "tests/test_x.py").write_text("z = 1\n" * 9)
    return tmp_path


def test_the_engine_is_counted_without_benches_tests_and_tools(tree):
    assert size.engine_code_lines(size.measure(tree)) == 61


def test_a_tree_within_the_limits_passes(tree, capsys):
    assert size.main([str(tree)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "engine: 61 code lines of 15,000" in said.out
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows["books"] == ["1", "60", "book.py", "60", "f", "60"]
    assert rows["tests"] == ["1", "9", "test_x.py", "9"]


def test_a_package_over_its_budget_fails(tree, capsys, monkeypatch):
    monkeypatch.setattr(size, "PACKAGE_CODE_LINES_MAX", 60)
    assert size.main([str(tree)]) == 1
    assert "61 code lines, 60 at most" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["src/mantra/books/big.py", "tests/test_big.py"])
def test_a_file_over_its_limit_fails(tree, capsys, path):
    (tree / path).write_text("# reason\n" * 400)
    assert size.main([str(tree)]) == 0
    (tree / path).write_text("# reason\n" * 401)
    assert size.main([str(tree)]) == 1
    assert f"{path}: 401 lines" in capsys.readouterr().err


def test_a_long_function_fails_unless_it_says_why(tree, capsys):
    path = tree / "src/mantra/books/book.py"
    path.write_text(long_function(61))
    assert size.main([str(tree)]) == 1
    assert "books/book.py:1: f has 61 lines" in capsys.readouterr().err
    path.write_text(long_function(61, head="def f():  # long: reads straight down"))
    assert size.main([str(tree)]) == 0


def test_this_repository_is_measured():
    rooms = {file.room for file in size.measure(size.Path(__file__).parents[2])}
    assert {"icc", "messages", "bench", "tests", "tools"} <= rooms
