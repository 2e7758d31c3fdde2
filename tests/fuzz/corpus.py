"""The kept corpus: corpus/<target>.txt, one input a line as a Python bytes literal.

Its lines are written by hand, or made of such by the fuzzer; none is recorded. What a run finds
goes into `runs/fuzz`, which is not kept: `python -m tests.fuzz keep` adds to the corpus the inputs
that reach new code.
"""

import ast
import sys
from pathlib import Path
from types import CodeType, FrameType

from tests.fuzz.targets import SEEDS, TARGETS

FOLDER = Path(__file__).parent / "corpus"
INPUT_BYTES = 1_024  # longer inputs are not kept
ROOMS = ("mantra.exchanges", "mantra.messages.decimals", "mantra.transport.frames")


def kept(name: str) -> list[bytes]:
    """The inputs of a target that are kept."""
    path = FOLDER / f"{name}.txt"
    return (
        [ast.literal_eval(line) for line in path.read_text().splitlines()] if path.exists() else []
    )


def seeds(name: str) -> list[bytes]:
    """What a target begins with: frames of each kind, and what is kept."""
    return list(dict.fromkeys([*SEEDS[name], *kept(name)]))


def new_ways(name: str, known: list[bytes], found: list[bytes]) -> list[bytes]:
    """Of the inputs found, shortest first, those that go from a line to another as none before.

    Uncompiled: machine code has no lines.
    """
    ways: set[tuple[CodeType, int, int]] = set()

    def enter(frame: FrameType, event: str, argument: object):
        last = 0

        def step(frame: FrameType, event: str, argument: object):
            nonlocal last
            ways.add((frame.f_code, last, frame.f_lineno))
            last = frame.f_lineno
            return step

        return step if frame.f_globals["__name__"].startswith(ROOMS) else None

    new = []
    for raw in [*known, *sorted(found, key=len)]:
        before = len(ways)
        sys.settrace(enter)
        TARGETS[name](raw)
        sys.settrace(None)
        if len(ways) > before and raw not in known:
            new.append(raw)
    return new


def keep(name: str, inputs: list[bytes]) -> None:
    """Add inputs to those that are kept."""
    known = kept(name)
    short = {raw for raw in inputs if len(raw) <= INPUT_BYTES} - {*known, *SEEDS[name]}
    lines = [*map(repr, known), *map(repr, sorted(short, key=lambda raw: (len(raw), raw)))]
    if lines:
        (FOLDER / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
