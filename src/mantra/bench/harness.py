"""What all benches share: results, bars, repeats, and the one object each of them prints.

In:        measured numbers under flat names (`one_way_p50_ns`), and the bars they must hold.
Out:       {"bench", "machine", "results", "spread", "bars", "notes"} as JSON or as a table.
Must not know: what is measured. Nothing compiled is imported here.

A bench is a module of this room with `run(quick: bool = False, **options) -> Bench`.

On a shared machine a number drifts by a factor of two within minutes, so what is to be compared is
measured in turns (`interleaved`: A B C A B C …), the median is the result, and min – max is shown
beside it.
"""

import importlib
import math
import operator
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from json import dumps
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mantra.machine import machine_facts

BENCHES = {
    "archive": "mantra.bench.archive",
    "icc": "mantra.bench.icc",
    "book": "mantra.bench.book",
    "codec": "mantra.bench.codec",
    "ingest": "mantra.bench.ingest",
    "pipeline": "mantra.bench.pipeline",
    "startup": "mantra.bench.startup",
}

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}

KEY = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Bar:
    """A result and what it must be."""

    name: str
    value: float
    op: str  # one of OPERATORS
    bar: float
    holds: bool
    why: str = ""


class Bench:
    """The numbers of one bench, and whether they are good enough."""

    def __init__(self, name: str):
        self.name = name
        self.machine = machine_facts()
        self.results: dict[str, float] = {}
        self.spread: dict[str, tuple[float, float]] = {}  # min, max of repeated results
        self.bars: list[Bar] = []
        self.notes: list[str] = []

    def result(self, key: str, value: float | Sequence[float]) -> float:
        """Keep a number, or the median of repeats with their min and max; the number kept.

        Raises ValueError for a key that is no flat name or is taken, and for NaN and infinity: a
        bench that could not measure something says so in a note and leaves the key out.
        """
        if not KEY.fullmatch(key):
            raise ValueError(f"bench {self.name}: {key!r} is no flat name: use a-z, 0-9 and _")
        if key in self.results:
            raise ValueError(f"bench {self.name}: result {key!r} is there already")
        if isinstance(value, Sequence | np.ndarray):
            repeats = [_number(self.name, key, one) for one in value]
            if not repeats:
                raise ValueError(f"bench {self.name}: result {key!r} has no repeats to take")
            self.spread[key] = (min(repeats), max(repeats))
            self.results[key] = statistics.median(repeats)
        else:
            self.results[key] = _number(self.name, key, value)
        return self.results[key]

    def note(self, text: str) -> None:
        """Say something about how the numbers came about, or why one is missing."""
        self.notes.append(text)

    def bar(self, name: str, op: str, bar: float, why: str = "") -> bool:
        """Hold the result `name` against a bar. Raises KeyError for what was not measured."""
        if name not in self.results:
            raise KeyError(f"bench {self.name}: bar on {name!r}, but there is no such result")
        bar = _number(self.name, f"bar on {name}", bar)
        holds = OPERATORS[op](self.results[name], bar)
        self.bars.append(Bar(name, self.results[name], op, bar, holds, why))
        return holds

    @property
    def holds(self) -> bool:
        """Every bar holds."""
        return all(bar.holds for bar in self.bars)

    @property
    def exit_code(self) -> int:
        """For the shell: 1 when a bar does not hold."""
        return 0 if self.holds else 1

    def as_dict(self) -> dict[str, Any]:
        """The one object that `--json` prints."""
        return {
            "bench": self.name,
            "machine": self.machine,
            "results": self.results,
            "spread": {key: list(ends) for key, ends in self.spread.items()},
            "bars": [asdict(bar) for bar in self.bars],
            "notes": self.notes,
        }

    def print(self, json: bool = False) -> None:
        """Write the object to standard output, as JSON or as tables."""
        if json:
            print(dumps(self.as_dict(), indent=2))
            return
        console = Console()
        machine = self.machine
        console.print(
            f"{self.name}: {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, "
            f"clock {machine['clock_source']}, load {machine['load']}",
            markup=False,
        )
        console.print(self._results_table())
        if self.bars:
            console.print(self._bars_table())
        for note in self.notes:
            console.print(f"note: {note}", markup=False)

    def _results_table(self) -> Table:
        table = Table("result", "value", "min – max of the repeats")
        for column in table.columns[1:]:
            column.justify = "right"
        for key, value in self.results.items():
            ends = self.spread.get(key)
            table.add_row(key, shown(value), f"{shown(ends[0])} – {shown(ends[1])}" if ends else "")
        return table

    def _bars_table(self) -> Table:
        table = Table("bar", "value", "must be", "holds", "why")
        for bar in self.bars:
            verdict = "[green]yes" if bar.holds else "[red]NO"
            wanted = f"{bar.op} {shown(bar.bar)}"
            table.add_row(bar.name, shown(bar.value), wanted, verdict, escape(bar.why))
        return table


def run_bench(name: str, quick: bool = False, **options: Any) -> Bench:
    """Run a bench of BENCHES by name; only then is its module, and the compiler, loaded."""
    if name not in BENCHES:
        raise KeyError(f"no bench {name!r}: there are {', '.join(BENCHES)}")
    bench: Bench = importlib.import_module(BENCHES[name]).run(quick=quick, **options)
    return bench


def interleaved(
    functions: Mapping[str, Callable[[], float]], repeats: int
) -> dict[str, list[float]]:
    """Call each in turn, `repeats` rounds: what disturbs the machine disturbs all of them alike."""
    values: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            values[name].append(function())
    return values


def median_of(function: Callable[[], float], repeats: int) -> float:
    """Median of what `repeats` calls return."""
    return statistics.median(function() for _ in range(repeats))


def percentiles(
    samples: np.ndarray, points: Iterable[float] = (50, 90, 99, 99.9)
) -> dict[str, float]:
    """Nearest-rank percentiles by the name they have in keys: p50, p90, p99, p999.

    Nearest rank: each is a sample that occurred, nothing between two samples.
    """
    if not len(samples):
        raise ValueError("percentiles of no samples: nothing was measured")
    ordered = np.sort(samples)
    found = {}
    for point in points:
        rank = math.ceil(round(point * len(ordered) / 100, 6))  # 99.9 % of 1000 is 999, not 999.0…1
        found[f"p{point:g}".replace(".", "")] = ordered[max(rank, 1) - 1].item()
    return found


def shown(value: float) -> str:
    """A number as people read it: four significant digits, thousands apart."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _number(bench: str, key: str, value: float) -> float:
    number = value.item() if isinstance(value, np.generic) else value
    if not math.isfinite(number):
        raise ValueError(f"bench {bench}: {key} is {number}: leave out what was not measured")
    return number
