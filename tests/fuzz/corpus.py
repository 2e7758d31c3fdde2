"""The kept corpus: corpus/<target>.txt, one input a line as a Python bytes literal.

Its lines are written by hand, or made of such by the fuzzer; none is recorded. What a run finds
goes into `runs/fuzz`, which is not kept: `python -m tests.fuzz keep` adds to the corpus the inputs
that reach new code.
"""

import ast
from pathlib import Path

from tests.fuzz.targets import SEEDS

FOLDER = Path(__file__).parent / "corpus"
INPUT_BYTES = 1_024  # longer inputs are not kept


def kept(name: str) -> list[bytes]:
    """The inputs of a target that are kept."""
    path = FOLDER / f"{name}.txt"
    return (
        [ast.literal_eval(line) for line in path.read_text().splitlines()] if path.exists() else []
    )


def seeds(name: str) -> list[bytes]:
    """What a target begins with: frames of each kind, and what is kept."""
    return list(dict.fromkeys([*SEEDS[name], *kept(name)]))


def keep(name: str, inputs: list[bytes]) -> None:
    """Add inputs to those that are kept."""
    known = kept(name)
    short = {raw for raw in inputs if len(raw) <= INPUT_BYTES} - {*known, *SEEDS[name]}
    lines = [*map(repr, known), *map(repr, sorted(short, key=lambda raw: (len(raw), raw)))]
    (FOLDER / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
