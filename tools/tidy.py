"""Rules of this repository that no linter knows: `make tidy`.

In:        the files below a repository's root.
Out:       one line a breach, `path:line: what is wrong: what to do instead`; exit code 1 if any.
Must not know: anything but text and syntax trees. Nothing of the engine is imported.

Each rule is a function that yields Problems: those of SOURCE_RULES take one Python file, those of
TEXT_RULES any file, those of TREE_RULES the root. The patterns are spelled so that this file does
not break its own rules.
"""

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ARGUMENTS_MAX = 8
PACKAGE = Path("src/mantra")
COMPILER = PACKAGE / "compiled.py"
POLICY = ("compiled", "compiled_uncached", "duty_cycle")  # the decorators of compiled.py
RAW_DECORATORS = ("njit", "jit", "cfunc", "vectorize", "guvectorize", "generated_jit", "stencil")
ARRAY_ATTRIBUTES = ("ctypes", "itemsize", "shape")  # no record has such a field
INTEGER_ROOMS = ("messages", "books", "overseer", "exchanges")
SOURCE_FOLDERS = ("src", "tests", "tools")
TEXT_SUFFIXES = (".py", ".md", ".toml", ".css", ".html", ".js", ".yml", ".cfg")
EXTRA_TEXTS = ("Makefile", ".ci/run", ".gitignore", "LICENSE")

# Sources without a test file of their own, and why.
UNTESTED = {
    PACKAGE / "messages/enums.py": "constants and their names: no behaviour",
}

ASYNC = re.compile(r"async[ ]def|await[ ]")
UNFINISHED = re.compile(r"\b(FIX[M]E|TOD[O]|XX[X])\b")
REGISTRY = re.compile(
    r"pypi[.]org|pythonhosted[.]org|crates[.]io|npmjs[.]|anaconda[.]org|test[.]pypi"
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root)/\w")
FLOAT = re.compile(r"[<>=|]?(f\d+|[efd])|(float|half|single|double)\d*")
QUANTITY = re.compile(
    r"(?<![\w.])\d[\d.,]*\s?(ns|µs|us|ms|s|(?:[kKMG]\s?)?(?:msgs?|messages|updates|rows)?/s)\b"
)
COMMAND = re.compile(r"\b(mantra bench|make) [a-z]+")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)[^)]*\)")
MANUAL_PARTS = ("In:", "Out:", "Must not know:")
MODULE_LINE = re.compile(r"^ *(\w+)\.py\b", re.MULTILINE)
VERSIONS = (
    (PACKAGE / "__init__.py", re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)),
    (Path("CHANGELOG.md"), re.compile(r"^## (\d+\.\d+\.\d+)", re.MULTILINE)),
)


class Problem(NamedTuple):
    """A breach of a rule; `message` says what to do instead."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True)
class Source:
    """A Python file; `path` is relative to the root."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def in_package(self) -> bool:
        return PACKAGE in self.path.parents

    @cached_property
    def compiled_functions(self) -> list[ast.FunctionDef]:
        return [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef)
            and any(last_name(mark) in POLICY for mark in node.decorator_list)
        ]


def last_name(node: ast.expr) -> str:
    """`compiled` of compiled, queue.compiled and compiled(…)."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# ---------------------------------------------------------------- one Python file


def no_async(source: Source) -> Iterator[Problem]:
    """No syntax of it anywhere, and in the package not even the words, so that grep can tell."""
    advice = "write a duty cycle that polls, and let a runner call it"
    if source.in_package:
        yield from each(ASYNC, source.path, source.text, advice)
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            yield Problem(source.path, node.lineno, f"async: {advice}")


def compiler_in_one_place(source: Source) -> Iterator[Problem]:
    if not source.in_package or source.path == COMPILER:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and last_name(node.value) == "numba":
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            names = [name.name for name in node.names]
        else:
            continue
        for name in set(names).intersection(RAW_DECORATORS):
            yield Problem(
                source.path,
                node.lineno,
                f"numba.{name}: use @compiled or @duty_cycle of mantra/compiled.py",
            )


def compiled_at_module_level(source: Source) -> Iterator[Problem]:
    for node in source.compiled_functions:
        if source.in_package and node.col_offset > 0:
            yield Problem(
                source.path,
                node.lineno,
                f"{node.name} is compiled inside another block and never cached: move it to the "
                f"module's level and hand in what it closes over",
            )


def few_arguments(source: Source) -> Iterator[Problem]:
    for node in source.compiled_functions:
        count = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
        if count > ARGUMENTS_MAX:
            yield Problem(
                source.path,
                node.lineno,
                f"{node.name} takes {count} arguments, {ARGUMENTS_MAX} at most: hand in the "
                f"address of a record",
            )


def fields_by_key(source: Source) -> Iterator[Problem]:
    """`record['price']` works compiled and uncompiled, `record.price` only compiled."""
    imported = {
        (name.asname or name.name).split(".")[0]
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    for function in source.compiled_functions:
        known = imported - {argument.arg for argument in function.args.args}
        nodes = [node for statement in function.body for node in ast.walk(statement)]
        methods = [node.func for node in nodes if isinstance(node, ast.Call)]
        for node in nodes:
            if not isinstance(node, ast.Attribute) or node in methods:
                continue
            owner: ast.expr = node
            while isinstance(owner, ast.Attribute) and owner.attr not in ARRAY_ATTRIBUTES:
                owner = owner.value
            of_array = isinstance(owner, ast.Attribute)
            if not (of_array or (isinstance(owner, ast.Name) and owner.id in known)):
                yield Problem(
                    source.path,
                    node.lineno,
                    f".{node.attr} in compiled {function.name}: write ['{node.attr}'], which "
                    f"also works uncompiled",
                )


def no_floats(source: Source) -> Iterator[Problem]:
    """In rooms of money: no field of a dtype is a float."""
    if not any(PACKAGE / room in source.path.parents for room in INTEGER_ROOMS):
        return
    for call in ast.walk(source.tree):
        if isinstance(call, ast.Call) and last_name(call) in ("dtype", "record_type"):
            pairs = [node for node in ast.walk(call) if isinstance(node, ast.Tuple)]
            kinds = [pair.elts[1] for pair in pairs if len(pair.elts) > 1] + call.args
            for kind in kinds:
                name = kind.value if isinstance(kind, ast.Constant) else last_name(kind)
                # A text of `record_type` is a format, then names.
                if isinstance(name, str) and FLOAT.fullmatch(name.partition(" ")[0]):
                    yield Problem(
                        source.path,
                        kind.lineno,
                        f"a field of type {name}: count the smallest decimal unit in an i8",
                    )


def opens_with_a_manual(source: Source) -> Iterator[Problem]:
    if source.in_package and not ast.get_docstring(source.tree):
        yield Problem(source.path, 1, "no docstring: say what comes in, what goes out, and why")


# ---------------------------------------------------------------- any text


def nothing_unfinished(path: Path, text: str) -> Iterator[Problem]:
    yield from each(UNFINISHED, path, text, "do it now, or open an issue and remove the mark")


def no_registries(path: Path, text: str) -> Iterator[Problem]:
    yield from each(REGISTRY, path, text, "name the package; where it comes from is pip's business")


def no_machine_paths(path: Path, text: str) -> Iterator[Problem]:
    yield from each(MACHINE_PATH, path, text, "a path of one machine: start at the repository")


def each(pattern: re.Pattern[str], path: Path, text: str, advice: str) -> Iterator[Problem]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := pattern.search(line):
            yield Problem(path, number, f"{match[0]!r}: {advice}")


def one_title(path: Path, text: str) -> Iterator[Problem]:
    if path.suffix != ".md":
        return
    titles = [number for number, line in outside_fences(text) if line.startswith("# ")]
    if len(titles) != 1:
        line = titles[1] if titles else 1
        yield Problem(path, line, f"{len(titles)} titles (`# …`): a page has exactly one")


def living_links(root: Path, path: Path, text: str) -> Iterator[Problem]:
    if path.suffix != ".md":
        return
    for number, line in outside_fences(text):
        for target in LINK.findall(line):
            if not (root / path.parent / target).exists():
                yield Problem(path, number, f"link to {target}: there is no such file")


def outside_fences(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines of a page without its fenced blocks."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def numbers_with_commands(path: Path, text: str) -> Iterator[Problem]:
    """A quantity in the README stands in a paragraph or table that names what prints it."""
    if path.name != "README.md":
        return
    line = 1
    for block in re.split(r"(\n\s*\n)", text):
        match = QUANTITY.search(block)
        if match and not COMMAND.search(block):
            at = line + block[: match.start()].count("\n")
            advice = "name the `mantra bench` or `make` command that prints it beside it"
            yield Problem(path, at, f"{match[0]!r}: {advice}")
        line += block.count("\n")


# ---------------------------------------------------------------- the whole tree


def tests_beside(root: Path) -> Iterator[Problem]:
    """src/mantra/a/b.py is tested by tests/a/test_b.py, tools/c.py by tests/tools/test_c.py."""
    for path in sorted((*(root / PACKAGE).rglob("*.py"), *(root / "tools").glob("*.py"))):
        where = path.relative_to(root)
        if path.name == "__init__.py" or where in UNTESTED:
            continue
        inside = where.relative_to(PACKAGE) if PACKAGE in where.parents else where
        test = Path("tests") / inside.with_name(f"test_{inside.name}")
        if not (root / test).is_file():
            yield Problem(where, 1, f"no test of its own: write {test}")
    for where in UNTESTED:
        if not (root / where).is_file():
            yield Problem(where, 1, "gone: remove its excuse from tools/tidy.py")


def rooms_have_manuals(root: Path) -> Iterator[Problem]:
    """Each room says In, Out, Must not know, and lists the files that are there."""
    for path in sorted((root / PACKAGE).glob("*/__init__.py")):
        where = path.relative_to(root)
        manual = ast.get_docstring(ast.parse(path.read_text())) or ""
        for part in MANUAL_PARTS:
            if part not in manual:
                yield Problem(where, 1, f"no `{part}` in the room's manual: its docstring says it")
        listed = set(MODULE_LINE.findall(manual))
        there = {file.stem for file in path.parent.glob("*.py")} - {"__init__"}
        for name in sorted(there - listed):
            yield Problem(where, 1, f"{name}.py is not in the room's manual: add a line")
        for name in sorted(listed - there):
            yield Problem(where, 1, f"{name}.py is in the room's manual, but not there: remove it")


def versions_agree(root: Path) -> Iterator[Problem]:
    """pyproject, the package and the top of the changelog name one version."""
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    for where, pattern in VERSIONS:
        path = root / where
        match = pattern.search(path.read_text()) if path.is_file() else None
        found = match[1] if match else "none"
        if found != wanted:
            yield Problem(
                where, 1, f"version {found}, but pyproject.toml says {wanted}: make it one"
            )


SOURCE_RULES = (
    no_async,
    compiler_in_one_place,
    compiled_at_module_level,
    few_arguments,
    fields_by_key,
    no_floats,
    opens_with_a_manual,
)
TEXT_RULES = (
    nothing_unfinished,
    no_registries,
    no_machine_paths,
    one_title,
    numbers_with_commands,
)
TREE_RULES = (tests_beside, rooms_have_manuals, versions_agree)


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """All files of ours at `root`, by their paths relative to it."""
    found = {path for path in root.glob("*") if path.suffix in TEXT_SUFFIXES}
    found.update(root / name for name in EXTRA_TEXTS)
    for folder in (*SOURCE_FOLDERS, "docs"):
        found.update(path for path in (root / folder).rglob("*") if path.suffix in TEXT_SUFFIXES)
    for path in sorted(found):
        if path.is_file():
            yield path.relative_to(root), path.read_text()


def problems(root: Path) -> Iterator[Problem]:
    """Every breach of every rule."""
    for path, text in texts(root):
        for text_rule in TEXT_RULES:
            yield from text_rule(path, text)
        yield from living_links(root, path, text)
        if path.suffix == ".py":
            source = Source(path, text)
            for source_rule in SOURCE_RULES:
                yield from source_rule(source)
    for tree_rule in TREE_RULES:
        yield from tree_rule(root)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    found = list(problems(parser.parse_args(arguments).root))
    for problem in found:
        print(f"{problem.path}:{problem.line}: {problem.message}")
    rules = len(SOURCE_RULES) + len(TEXT_RULES) + len(TREE_RULES) + 1
    print(f"tidy: {len(found)} problems by {rules} rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
