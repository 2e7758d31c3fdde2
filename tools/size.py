"""The size of every room, and the limits it is held to: `make size`.

In:        the sources below a repository's root.
Out:       a table of rooms; a sentence for each limit passed, and then exit code 1.
Must not know: what the code does.

A code line carries at least one token that is code: comments, docstrings and blank lines are
free, so nobody saves on explaining. A longer function is allowed where a comment on its `def`
line, or on the line above, says why: `# long: one table, read from top to bottom`.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE_CODE_LINES_MAX = 15_000
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60  # without its docstring
# Rooms that are not the engine. Simulated venues are equipment of tests and benches.
APART = ("bench", "simulators", "tests", "tools")

REASON = re.compile(r"#.*\blong: *\w+")

NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function and its length in lines, docstring not counted."""

    name: str
    line: int
    lines: int
    reasoned: bool  # a comment says why it is long


@dataclass(frozen=True)
class File:
    """A source file measured; `path` is relative to the root."""

    path: Path
    room: str
    lines: int
    code_lines: int
    functions: tuple[Function, ...]


def code_lines(text: str) -> int:
    """How many lines carry a token of code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        lines.difference_update(text_lines(node))
    return len(lines)


def functions(text: str) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    source = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, AnyFunction):
            above = min([node.lineno, *(mark.lineno for mark in node.decorator_list)]) - 2
            said = [source[node.lineno - 1], source[above] if above >= 0 else ""]
            yield Function(
                name=node.name,
                line=node.lineno,
                lines=len(lines_of(node)) - len(text_lines(node.body[0])),
                reasoned=any(REASON.search(line) for line in said),
            )


def text_lines(node: ast.AST) -> range:
    """The lines of a string that stands alone, as a docstring does; none of anything else."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        if isinstance(node.value.value, str):
            return lines_of(node)
    return range(0)


def lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def measure(root: Path) -> list[File]:
    """All source files of the repository at `root`, by room."""
    measured = []
    package = root / "src" / "mantra"
    for path in sorted(
        (*package.rglob("*.py"), *(root / "tests").rglob("*.py"), *(root / "tools").rglob("*.py"))
    ):
        text = path.read_text()
        if package in path.parents:
            inside = path.relative_to(package).parts
            room = inside[0] if len(inside) > 1 else "(top)"
        else:
            room = path.relative_to(root).parts[0]
        measured.append(
            File(
                path=path.relative_to(root),
                room=room,
                lines=len(text.splitlines()),
                code_lines=code_lines(text),
                functions=tuple(functions(text)),
            )
        )
    return measured


def engine_code_lines(files: list[File]) -> int:
    """Code lines of the package, benches and simulators apart."""
    return sum(file.code_lines for file in files if file.room not in APART)


def problems(files: list[File]) -> Iterator[str]:
    """One sentence for each limit that is passed."""
    total = engine_code_lines(files)
    if total > PACKAGE_CODE_LINES_MAX:
        yield f"src/mantra: {total} code lines, {PACKAGE_CODE_LINES_MAX} at most: remove something"
    for file in files:
        if file.lines > FILE_LINES_MAX:
            yield f"{file.path}: {file.lines} lines, {FILE_LINES_MAX} at most: make two of it"
        for function in file.functions:
            if function.lines > FUNCTION_LINES_MAX and not function.reasoned:
                yield (
                    f"{file.path}:{function.line}: {function.name} has {function.lines} lines, "
                    f"{FUNCTION_LINES_MAX} at most: split it where a name helps, or say why not "
                    f"in a comment on or above its def: `# long: why`"
                )


def table(files: list[File]) -> Iterator[str]:
    """The rooms, line by line."""
    row = "{:<12} {:>5} {:>7}  {:<36} {}".format
    yield row("room", "files", "code", "longest file", "longest function")
    rooms = sorted({file.room for file in files}, key=lambda room: (room in APART, room))
    for room in rooms:
        inside = [file for file in files if file.room == room]
        longest = max(inside, key=lambda file: file.lines)
        function = max(
            (function for file in inside for function in file.functions),
            key=lambda function: function.lines,
            default=None,
        )
        yield row(
            room,
            len(inside),
            sum(file.code_lines for file in inside),
            f"{longest.path.name} {longest.lines}",
            f"{function.name} {function.lines}" if function else "",
        )
    yield f"engine: {engine_code_lines(files):,} code lines of {PACKAGE_CODE_LINES_MAX:,}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    files = measure(parser.parse_args(arguments).root)
    print(*table(files), sep="\n")
    found = list(problems(files))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
