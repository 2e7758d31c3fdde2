"""Every interleaving of small programs on shared memory, run in plain Python.

The source of a module of `mantra.icc` is read, and each compiled function that touches shared
memory becomes a generator: `load_acquire(a)` becomes `yield ("load_acquire", a)`, a call of another
such function `yield from f(...)`. So it is the shipped source that is tested, primitive by
primitive, also where the package is compiled; a known-bad variant is a replacement in that source.

`explore` then runs threads made of these generators through all their interleavings, under one of
two memories:

    Sequential   one value an address: every interleaving of the algorithm's steps
    Weak         release/acquire: an address keeps its history, a thread may read any value not
                 older than what it is bound to have seen, and only acquire loads and fences bind
                 it, to what they find released. It shows a missing fence, on any architecture.
                 (The view machine of Kang et al., "A promising semantics for relaxed-memory
                 concurrency", POPL 2017, without promises: stores are appended in the order they
                 are made, compare-exchange acts on the newest value.)

Equal states are explored once: a state is the memory and where each thread stands with its
variables. The number of interleavings is the number of paths through the states.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mantra.icc

PRIMITIVES = {
    "load_relaxed", "load_acquire", "store_relaxed", "store_release", "fence_acquire",
    "fence_release", "compare_exchange", "process_gone",
}  # fmt: skip
ALIVE, DEAD = 0, 1


def _names_called(tree: ast.AST) -> set[str]:
    calls = (n.func for n in ast.walk(tree) if isinstance(n, ast.Call))
    return {f.id for f in calls if isinstance(f, ast.Name)}


class _Yielding(ast.NodeTransformer):
    """Calls of primitives become yields; calls of generators become `yield from`."""

    def __init__(self, generators: set[str]):
        self.generators = generators

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in PRIMITIVES:
            name = ast.Constant(node.func.id)
            return ast.Yield(ast.Tuple([name, *node.args], ast.Load()))
        if isinstance(node.func, ast.Name) and node.func.id in self.generators:
            return ast.YieldFrom(node)
        return node


def as_generators(module: str, *replacements: tuple[str, str], **constants: Any) -> SimpleNamespace:
    """The compiled functions of `mantra.icc.<module>` as generators; handles are dicts.

    `replacements` (text there exactly once -> text) make a variant; `constants` replace the
    module's own.
    """
    source = (Path(mantra.icc.__file__).parent / f"{module}.py").read_text()
    source = source.replace("atomics.", "")  # The primitives, by the names they have here.
    for old, new in replacements:
        assert source.count(old) == 1, f"{module}.py holds this {source.count(old)} times: {old}"
        source = source.replace(old, new)
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    compiled = {
        name: node
        for name, node in functions.items()
        if any(isinstance(d, ast.Name) and d.id == "compiled" for d in node.decorator_list)
    }
    generators = {"copy_in", "copy_out"}
    while True:
        more = {n for n, f in compiled.items() if _names_called(f) & (PRIMITIVES | generators)}
        if more <= generators:
            break
        generators |= more
    body: list[ast.stmt] = []
    for name, node in compiled.items():
        node.decorator_list = []
        body.append(_Yielding(generators).visit(node) if name in generators else node)
    tree = ast.fix_missing_locations(ast.Module(body, []))
    namespace = dict(vars(__import__(f"mantra.icc.{module}", fromlist=["x"])))
    namespace.update(
        constants,
        np=SimpleNamespace(int64=int),
        records_at=lambda handle, count, dtype: [handle],
        copy_in=copy_in,
        copy_out=copy_out,
    )
    exec(compile(tree, f"{module}.py as generators", "exec"), namespace)
    return SimpleNamespace(**namespace)


def copy_in(shared: int, private: list[int], words: int) -> Iterator[tuple]:
    """`atomics.copy_in` word by word; private memory is a list."""
    for word in range(words):
        yield "store_relaxed", shared + 8 * word, private[word]


def copy_out(private: list[int], shared: int, words: int) -> Iterator[tuple]:
    """`atomics.copy_out` word by word."""
    for word in range(words):
        private[word] = yield "load_relaxed", shared + 8 * word


# ---------------------------------------------------------------- memories


class Sequential:
    """One value an address. State: sorted (address, value) pairs; threads have no view."""

    start_view: tuple = ()

    def start(self, initial: dict[int, int]) -> tuple:
        return tuple(sorted(initial.items()))

    def step(self, memory: tuple, view: tuple, op: tuple) -> Iterator[tuple]:
        """Yield (result, memory, view) for each way the operation may go."""
        kind, *arguments = op
        if kind.startswith("fence"):
            yield None, memory, view
            return
        words = dict(memory)
        value = words.get(arguments[0], 0)
        if kind.startswith("load"):
            yield value, memory, view
        elif kind.startswith("store"):
            words[arguments[0]] = arguments[1]
            yield None, tuple(sorted(words.items())), view
        else:
            if value == arguments[1]:
                words[arguments[0]] = arguments[2]
            yield value == arguments[1], tuple(sorted(words.items())), view

    def value(self, memory: tuple, address: int) -> int:
        return dict(memory).get(address, 0)

    def witness(self, view: tuple, dead: tuple) -> tuple:
        return view


def _join(one: tuple, other: tuple) -> tuple:
    merged = dict(one)
    for address, seen in other:
        merged[address] = max(merged.get(address, 0), seen)
    return tuple(sorted(merged.items()))


class Weak:
    """Histories and views. A thread's view: (bound to have seen, by an acquire fence, released)."""

    start_view: tuple = ((), (), ())

    def start(self, initial: dict[int, int]) -> tuple:
        return tuple((address, ((value, ()),)) for address, value in sorted(initial.items()))

    def step(self, memory: tuple, view: tuple, op: tuple) -> Iterator[tuple]:
        kind, *arguments = op
        bound, fenced, released = view
        if kind == "fence_acquire":
            yield None, memory, (_join(bound, fenced), fenced, released)
            return
        if kind == "fence_release":
            yield None, memory, (bound, fenced, bound)
            return
        address = arguments[0]
        histories = dict(memory)
        history = histories.get(address, ((0, ()),))
        if kind.startswith("load"):
            for index in range(dict(bound).get(address, 0), len(history)):
                value, brought = history[index]
                seen = _join(bound, ((address, index),))
                if kind == "load_acquire":
                    seen = _join(seen, brought)
                yield value, memory, (seen, _join(fenced, brought), released)
            return
        if kind == "compare_exchange":
            value, brought = history[-1]
            bound = _join(_join(bound, ((address, len(history) - 1),)), brought)
            fenced = _join(fenced, brought)
            if value != arguments[1]:
                yield False, memory, (bound, fenced, released)
                return
        bound = _join(bound, ((address, len(history)),))
        carries = released if kind == "store_relaxed" else bound
        carries = _join(carries, ((address, len(history)),))
        histories[address] = (*history, (arguments[-1], carries))
        result = None if kind.startswith("store") else True
        yield result, tuple(sorted(histories.items())), (bound, fenced, released)

    def value(self, memory: tuple, address: int) -> int:
        return dict(memory)[address][-1][0] if address in dict(memory) else 0

    def witness(self, view: tuple, dead: tuple) -> tuple:
        """Who is told by the kernel that a process is dead sees all it did."""
        return _join(view[0], dead[0]), view[1], view[2]


# ---------------------------------------------------------------- threads and exploration


@dataclass(frozen=True)
class Program:
    """A thread: `body(log)` makes its generator; what it observes it appends to `log`."""

    body: Callable[[list], Iterator[tuple]]
    pid: int
    may_die: bool = False


@dataclass(frozen=True)
class Thread:
    """Where a thread stands: the results fed so far make it again; `place` is its local state."""

    fed: tuple
    place: tuple
    pending: tuple | None  # the operation it is about to do; None: it is done
    log: tuple
    view: tuple
    fate: int = ALIVE


@dataclass
class Explored:
    """What came of it."""

    interleavings: int
    states: int


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(_frozen(v) for v in value.values())
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _place(generator: Any) -> tuple:
    """Local state: line by line position and variables of every generator in the chain."""
    frames = []
    while generator is not None and getattr(generator, "gi_frame", None) is not None:
        frame = generator.gi_frame
        plain = {
            k: v for k, v in frame.f_locals.items() if isinstance(v, int | list | dict | tuple)
        }
        frames.append((frame.f_lasti, tuple((k, _frozen(v)) for k, v in plain.items())))
        generator = generator.gi_yieldfrom
    return tuple(frames)


def _advance(program: Program, fed: tuple, view: tuple) -> Thread:
    """Make a thread anew, feed it all its results, and look at its next operation."""
    log: list = []
    generator = program.body(log)
    pending: tuple | None
    try:
        pending = next(generator)
        for result in fed:
            pending = generator.send(result)
    except StopIteration:
        pending = None
    return Thread(fed, _place(generator), pending, tuple(log), view)


# long: the search is one loop over one frontier; pieces of it would share all its state.
def explore(
    programs: list[Program],
    initial: dict[int, int],
    memory: Sequential | Weak,
    at_end: Callable[[tuple, tuple[Thread, ...]], None],
    limit: int = 400_000,
) -> Explored:
    """Run all interleavings, deaths (at every step, where a program may die) included.

    `at_end(memory, threads)` is called once for each state in which nothing can go on.
    """
    paths: dict[tuple, int] = {}
    advanced: dict[tuple, Thread] = {}

    def advance(index: int, thread: Thread, fed: Any, view: tuple) -> Thread:
        key = (index, thread.place, thread.log, thread.pending, fed)
        if key not in advanced:
            advanced[key] = _advance(programs[index], (*thread.fed, fed), view)
        return replace(advanced[key], view=view)

    def successors(words: tuple, threads: tuple[Thread, ...]) -> Iterator[tuple]:
        fates = {p.pid: t for p, t in zip(programs, threads, strict=True) if t.fate == DEAD}
        steps: list[tuple] = []
        for index, thread in enumerate(threads):
            program = programs[index]
            if thread.fate == DEAD:
                continue
            if thread.pending is not None:
                found = list(_steps(words, thread, fates))
                local = thread.pending[0].startswith("fence")
                moved = [
                    (new, _put(threads, index, advance(index, thread, fed, view)))
                    for fed, new, view in found
                ]
                if local:  # Touches nothing shared: its order with the others' steps is all one.
                    yield from moved
                    return
                steps += moved
            if program.may_die:
                dead = Thread(thread.fed, thread.place, None, thread.log, thread.view, DEAD)
                steps.append((words, _put(threads, index, dead)))
        yield from steps

    def _steps(words: tuple, thread: Thread, fates: dict[int, Thread]) -> Iterator[tuple]:
        assert thread.pending is not None
        kind, *arguments = thread.pending
        if kind == "process_gone":
            gone = fates.get(arguments[0])
            view = memory.witness(thread.view, gone.view) if gone else thread.view
            yield gone is not None, words, view
        elif kind == "await_death":
            if arguments[0] in fates:
                yield None, words, memory.witness(thread.view, fates[arguments[0]].view)
        else:
            yield from memory.step(words, thread.view, thread.pending)

    def visit(words: tuple, threads: tuple[Thread, ...]) -> int:
        key = (words, tuple((t.place, t.pending, t.log, t.view, t.fate) for t in threads))
        if key in paths:
            return paths[key]
        assert len(paths) < limit, f"more than {limit} states: make the scope smaller"
        count = 0
        for new_words, new_threads in successors(words, threads):
            count += visit(new_words, new_threads)
        if count == 0:
            at_end(words, threads)
            count = 1
        paths[key] = count
        return count

    start = tuple(_advance(p, (), memory.start_view) for p in programs)
    return Explored(visit(memory.start(initial), start), len(paths))


def _put(threads: tuple[Thread, ...], index: int, thread: Thread) -> tuple[Thread, ...]:
    return (*threads[:index], thread, *threads[index + 1 :])
