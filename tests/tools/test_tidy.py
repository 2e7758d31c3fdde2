"""Each rule catches a breach of it, lets the right form pass, and says what to do instead.

Words and names that a rule forbids are put together here, so that this file is tidy too.
"""

from pathlib import Path

import pytest

from tools import tidy
from tools.tidy import PACKAGE, Source

BOOK = PACKAGE / "books/book.py"
TEST = Path("tests/books/test_book.py")


def said(rule, text, path=BOOK):
    return [problem.message for problem in rule(Source(path, text))]


def said_of_text(rule, text, path="README.md"):
    return [problem.message for problem in rule(Path(path), text)]


# ---------------------------------------------------------------- one Python file

WAITS = ("async def f():\n    pass\n", "x = 1  # we await an answer\n")


@pytest.mark.parametrize("text", WAITS)
def test_async_is_refused_in_the_package_even_in_words(text):
    (message,) = said(tidy.no_async, text)
    assert "duty cycle" in message


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (WAITS[0], 1),
        (WAITS[1], 0),
        ("async def f():\n    await g()\n    async for x in y:\n        pass\n", 3),
        ("def f():\n    return awaited\n", 0),
    ],
)
def test_async_is_refused_elsewhere_as_syntax(text, count):
    assert len(said(tidy.no_async, text, TEST)) == count


@pytest.mark.parametrize(
    "text",
    [
        "import numba\n@numba.njit\ndef f():\n    pass\n",
        "from numba import types, njit\n",
        "import numba\nf = numba.cfunc(signature)(g)\n",
    ],
)
def test_the_compiler_is_called_in_one_place(text):
    (message,) = said(tidy.compiler_in_one_place, text)
    assert "use @compiled or @duty_cycle" in message
    assert not said(tidy.compiler_in_one_place, text, tidy.COMPILER)
    assert not said(tidy.compiler_in_one_place, text, TEST)


def test_types_and_intrinsics_are_no_compiling():
    text = "from numba import types\nfrom numba.extending import intrinsic, overload\n"
    assert not said(tidy.compiler_in_one_place, text)


@pytest.mark.parametrize("mark", ["compiled", "compiled_uncached", "duty_cycle", "queue.compiled"])
def test_compiled_functions_stand_at_module_level(mark):
    function = f"@{mark}\ndef f(x):\n    return x\n"
    indented = function.replace("@", "    @").replace("def", "    def").replace("ret", "    ret")
    assert not said(tidy.compiled_at_module_level, function)
    (message,) = said(tidy.compiled_at_module_level, f"def make():\n{indented}    return f\n")
    assert "never cached" in message
    assert said(tidy.compiled_at_module_level, f"class C:\n{indented}")


@pytest.mark.parametrize(("count", "problems"), [(8, 0), (9, 1)])
def test_compiled_functions_take_few_arguments(count, problems):
    arguments = ", ".join(f"x{number}" for number in range(count))
    assert len(said(tidy.few_arguments, f"@compiled\ndef f({arguments}):\n    pass\n")) == problems
    assert not said(tidy.few_arguments, f"def f({arguments}):\n    pass\n")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("return order.price", "price"),
        ("orders[0].price = 1", "price"),
        ("return records_at(x, 1, ORDER)[0].price", "price"),
        ("return [o.leaves for o in orders]", "leaves"),
        ("return shm.price", "price"),  # an argument hides the module of that name
    ],
)
def test_fields_of_records_are_taken_by_key(line, field):
    text = f"from a import shm\n@compiled\ndef f(order, orders, shm):\n    {line}\n"
    (message,) = said(tidy.fields_by_key, text)
    assert f"write ['{field}']" in message


@pytest.mark.parametrize(
    "line",
    [
        "return np.int64(order['price'])",
        "return np.random.default_rng",
        "return enums.BID",
        "return orders.shape[0] + orders.ctypes.data",
        "orders[1:].sort()",
    ],
)
def test_modules_and_arrays_keep_their_attributes(line):
    text = f"import numpy as np\nfrom a import enums\n@compiled\ndef f(order):\n    {line}\n"
    assert not said(tidy.fields_by_key, text)


def test_uncompiled_functions_keep_their_attributes():
    assert not said(tidy.fields_by_key, "def f(order):\n    return order.price\n")


@pytest.mark.parametrize("room", tidy.INTEGER_ROOMS)
@pytest.mark.parametrize("kind", ["'f8'", "'<f4'", "'float64'", "np.float64", "float", "'d'"])
def test_rooms_of_money_hold_no_floats(room, kind):
    text = f"X = np.dtype([*HEAD, ('price', {kind}), ('d', 'i8')], align=True)\n"
    (message,) = said(tidy.no_floats, text, PACKAGE / room / "x.py")
    assert "smallest decimal unit" in message
    assert not said(tidy.no_floats, text, PACKAGE / "telemetry/x.py")


def test_integer_dtypes_and_scalar_dtypes_pass():
    text = "X = np.dtype([('f8', 'i8'), ('e', 'S4'), ('w', 'i8', (4,))])\nY = np.dtype('i8')\n"
    assert not said(tidy.no_floats, text)
    assert said(tidy.no_floats, "Y = np.dtype('f8')\n")
    assert said(tidy.no_floats, "Z = record_type('i8 price', 'f8 volume')\n")


def test_every_source_opens_with_a_docstring():
    assert said(tidy.opens_with_a_manual, "x = 1\n")
    assert not said(tidy.opens_with_a_manual, '"""What it is for."""\n')
    assert not said(tidy.opens_with_a_manual, "x = 1\n", TEST)


# ---------------------------------------------------------------- any text


@pytest.mark.parametrize("word", ["FIX" + "ME", "TO" + "DO", "XX" + "X"])
def test_nothing_is_left_for_later(word):
    (problem,) = tidy.nothing_unfinished(Path("a.py"), f"x = 1\n# {word}: later\n")
    assert (problem.line, word in problem.message) == (2, True)
    assert not said_of_text(tidy.nothing_unfinished, word.lower() + " " + word + "S")


def test_no_registry_is_named():
    (message,) = said_of_text(tidy.no_registries, "index = https://py" + "pi.org/simple")
    assert "pip's business" in message
    assert not said_of_text(tidy.no_registries, "pip install pypi-like-names")


def test_no_path_of_one_machine():
    assert said_of_text(tidy.no_machine_paths, "cd /wo" + "rk/data")
    assert not said_of_text(tidy.no_machine_paths, "see ../shared/data or /proc/self")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("# One\n\n## Two\n", 0),
        ("## Two\n", 1),
        ("# One\n\n# Another\n", 1),
        ("# One\n\n```sh\n# a comment\n```\n", 0),
    ],
)
def test_a_page_has_one_title(text, count):
    assert len(said_of_text(tidy.one_title, text)) == count
    assert not said_of_text(tidy.one_title, text, "x.py")


def test_links_lead_somewhere(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/there.md").touch()
    text = "[a](there.md#part) [b](https://example.org/x) [c](gone.md) [d](#here)\n"
    (problem,) = tidy.living_links(tmp_path, Path("docs/page.md"), text)
    assert "gone.md" in problem.message


@pytest.mark.parametrize("number", ["70 ns", "0.5 µs", "12ms", "3 s", "30 M/s", "500 k msgs/s"])
def test_a_quantity_stands_beside_what_prints_it(number):
    (problem,) = tidy.numbers_with_commands(Path("README.md"), f"# T\n\nIt\ntakes {number}.\n")
    assert problem.line == 4
    assert "`mantra bench`" in problem.message
    beside = f"# T\n\nIt takes {number} (`mantra bench icc`).\n"
    assert not said_of_text(tidy.numbers_with_commands, beside)
    assert not said_of_text(tidy.numbers_with_commands, f"It takes {number}", "docs/page.md")


def test_a_table_of_quantities_names_its_command_once():
    table = "| what | `make bench` |\n|---|---|\n| one way | 70 ns |\n"
    assert not said_of_text(tidy.numbers_with_commands, table)
    assert said_of_text(tidy.numbers_with_commands, table + "\nand then 80 ns\n")


@pytest.mark.parametrize("text", ["Python 3.11 shows", "5 sizes", "2 cores and 5 messages", "L2s"])
def test_counts_are_no_quantities(text):
    assert not said_of_text(tidy.numbers_with_commands, text)


# ---------------------------------------------------------------- the whole tree

MANUAL = '"""A room.\n\nIn:        a\nOut:       b\nMust not know: c\n\nbook.py   the book\n"""\n'

TREE = {
    "pyproject.toml": '[project]\nname = "mantra"\nversion = "0.2.0"\n',
    "CHANGELOG.md": "# Changes\n\n## 0.2.0\n\nMore.\n\n## 0.1.0\n\nSome.\n",
    "README.md": "# Mantra\n",
    "src/mantra/__init__.py": '"""The engine."""\n\n__version__ = "0.2.0"\n',
    "src/mantra/messages/__init__.py": MANUAL.replace("book", "enums"),
    "src/mantra/messages/enums.py": '"""Numbers."""\n',
    "src/mantra/books/__init__.py": MANUAL,
    "src/mantra/books/book.py": '"""The book."""\n',
    "tests/books/test_book.py": "",
    "tools/check.py": "",
    "tests/tools/test_check.py": "",
}


@pytest.fixture
def tree(tmp_path):
    for path, text in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_tidy_tree_passes(tree, capsys):
    assert tidy.main([str(tree)]) == 0
    assert "0 problems" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("src/mantra/books/book.py", "x = 1\n", "src/mantra/books/book.py:1: no docstring"),
        ("tests/books/test_book.py", "# TO" + "DO\n", "books/test_book.py:1: 'TO" + "DO'"),
        ("tests/books/test_book.py", None, "write tests/books/test_book.py"),
        ("tests/tools/test_check.py", None, "write tests/tools/test_check.py"),
        ("src/mantra/top.py", '"""Top."""\n', "write tests/test_top.py"),
        ("src/mantra/books/a/b.py", '"""Deep."""\n', "write tests/books/a/test_b.py"),
        ("src/mantra/books/__init__.py", MANUAL.replace("In:", ""), "no `In:`"),
        ("src/mantra/books/__init__.py", MANUAL.replace("Must not", ""), "no `Must not know:`"),
        ("src/mantra/books/__init__.py", MANUAL.replace("book.py", ""), "book.py is not in"),
        ("src/mantra/books/__init__.py", MANUAL.replace("book.py", "book.py\nx.py"), "not there"),
        ("src/mantra/__init__.py", '"""E."""\n\n__version__ = "0.1.0"\n', "version 0.1.0, but"),
        ("CHANGELOG.md", "# Changes\n\n## 0.3.0\n", "version 0.3.0, but pyproject.toml says 0.2.0"),
        ("CHANGELOG.md", "# Changes\n", "version none, but"),
        ("CHANGELOG.md", None, "version none, but"),
        ("docs/page.md", "no title\n", "docs/page.md:1: 0 titles"),
        ("README.md", "# M\n\n[x](docs/gone.md)\n", "README.md:3: link to docs/gone.md"),
    ],
)
def test_one_breach_is_one_line_and_fails(tree, capsys, path, text, problem):
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        (tree / path).unlink()
    else:
        (tree / path).write_text(text)
    assert tidy.main([str(tree)]) == 1
    out = capsys.readouterr().out
    assert problem in out
    assert "tidy: 1 problems" in out


def test_an_excuse_for_a_file_that_is_gone_is_no_longer_one(tree):
    (tree / "src/mantra/messages/enums.py").unlink()
    (problem,) = tidy.tests_beside(tree)
    assert "remove its excuse" in problem.message
