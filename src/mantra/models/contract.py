"""What a model file holds, and how it becomes machine code.

A model is one Python file:

    PARAMETERS  dtype of its settings                        STATE   dtype of its memory, zeroed
    DEFAULTS    their values; the config overrides them      ORDERS  rows of ideal orders it sets
                                                                     per instrument
    def on_event(event, market, state, parameters, orders)   called on each market event

`event` is an EVENT record; `market` has a MARKET record per instrument of the model, the event's
is `market[event['at']]`; `orders` has ORDERS rows per instrument, the event's begin at
`market[event['at']]['first_row']`. A model sets them by `want` and `want_nothing`; rows it does
not touch stay as they are.

The function is compiled together with a trampoline that turns addresses into these records, so the
actor calls every model through one signature. The trampoline is a file in the cache, named by a
hash of the model's folder: an edit of the model, or of a file beside it, compiles anew.
"""

import hashlib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np

from mantra.compiled import CACHE, DutyCycle, compiled, compiled_uncached, duty_cycle
from mantra.icc.memory import record_type, records_at
from mantra.messages.records import IDEAL_ORDER

# What an event is.
#   BOOK   a group of levels was applied: the book is consistent
#   TRADE  somebody traded: price, volume, side of the aggressor
#   FILL   this model traded: price, volume, side; the position is up to date already
BOOK, TRADE, FILL = range(3)

# kind         BOOK, TRADE, FILL
# at           index into `market`
# ts_exchange  ns since the epoch
EVENT = record_type("i8 kind at ts_exchange price volume side")

# instrument  id
# book        handle for mantra.books
# position    bought minus sold by this model, in volume units
# first_row   of this instrument's ideal orders
# last_price  of the last trade; 0: none yet
# trusted     0: levels were lost; no events until the book has a snapshot
MARKET = record_type("i8 instrument book position first_row tick_size lot_size last_price trusted")

# markets, market, state, parameters, orders, rows  addresses
CALL = record_type(("event", EVENT), "i8 markets market state parameters orders rows")

BUILT_IN = Path(__file__).parent
ORDERS_MAX = 64  # rows per instrument


def _is_record(value: Any) -> bool:
    return isinstance(value, np.dtype) and bool(value.names) and value.isalignedstruct


# What a model's file says beside the function: what it is if it is not said, whether it is right,
# and what is expected.
RECORD = (record_type("i8 unused"), _is_record, "np.dtype([...], align=True)")
CONSTANTS: dict[str, tuple] = {
    "PARAMETERS": RECORD,
    "STATE": RECORD,
    "DEFAULTS": ({}, lambda value: isinstance(value, dict), "{name: value}"),
    "ORDERS": (
        None,
        lambda value: isinstance(value, int) and 1 <= value <= ORDERS_MAX,
        f"the number of ideal orders per instrument, 1 to {ORDERS_MAX}",
    ),
}

TRAMPOLINE = '''"""Calls a model: addresses to records. Made from contract.py, for {path}."""
def call_model(call_address):
    call = records_at(call_address, 1, CALL)[0]
    market = records_at(call["market"], call["markets"], MARKET)
    state = records_at(call["state"], 1, STATE)[0]
    parameters = records_at(call["parameters"], 1, PARAMETERS)[0]
    orders = records_at(call["orders"], call["rows"], IDEAL_ORDER)
    on_event(call["event"], market, state, parameters, orders)
    return 0
'''


class ModelError(Exception):
    """A model file is missing something, has something wrong, or does not compile."""


@dataclass(frozen=True)
class Model:
    """A loaded model; `call` is its trampoline."""

    path: Path
    parameters: np.dtype
    defaults: dict[str, Any]
    state: np.dtype
    orders: int
    call: DutyCycle

    def parameter_record(self, overrides: dict[str, Any]) -> np.ndarray:
        """PARAMETERS with the defaults and these values. ModelError for unknown names."""
        record, names = np.zeros(1, self.parameters), self.parameters.names or ()
        for name, value in {**self.defaults, **overrides}.items():
            wrong = f"{self.path}: parameter {name} = {value!r}"
            if name not in names:
                there = ", ".join(names)
                raise ModelError(f"{self.path}: no parameter {name!r}; there are: {there}")
            try:
                record[name] = value
            except (TypeError, ValueError, OverflowError) as error:
                raise ModelError(f"{wrong}: {error}") from None
            if record[name][0] != value:
                raise ModelError(f"{wrong} does not fit {self.parameters[name]}")
        return record


def find_model(name: str) -> Path:
    """Path of a model: a built-in's name ("quoter") or a file. ModelError if there is none."""
    built_in = BUILT_IN / f"{name}.py"
    path = built_in if built_in.exists() and "/" not in name else Path(name)
    if not path.is_file():
        raise ModelError(f"no model {name!r}: neither built in nor a file")
    return path.resolve()


def load_model(name: str) -> Model:
    """Load a model and check what it holds; `compile_model` makes it machine code.

    Raises ModelError, naming the file and the line.
    """
    path = find_model(name)
    module = _import(path)
    on_event = getattr(module, "on_event", None)
    if not callable(on_event):
        place = _place(path, "on_event")
        raise ModelError(f"{place}: has no function on_event(event, market, state, …)")
    function = getattr(on_event, "py_func", on_event)
    taken, line = tuple(inspect.signature(function).parameters), function.__code__.co_firstlineno
    if len(taken) != 5:
        expected = "(event, market, state, parameters, orders)"
        raise ModelError(f"{path}:{line}: on_event takes {taken}; expected {expected}")
    said = {}
    for what, (absent, is_right, expected) in CONSTANTS.items():
        value = said[what] = getattr(module, what, absent)
        if not is_right(value):
            raise ModelError(f"{_place(path, what)}: {what} is {value!r}; expected {expected}")
    parameters, state, defaults, orders = said.values()
    call = _trampoline(path, function, STATE=state, PARAMETERS=parameters)
    model = Model(path, parameters, defaults, state, orders, call)
    model.parameter_record({})
    return model


def _import(path: Path) -> ModuleType:
    if path.parent == BUILT_IN:
        return importlib.import_module(f"mantra.models.{path.stem}")
    try:
        with _beside(path):
            return _run(path, f"mantra_model_{path.stem}_{_folder_hash(path)}")
    except Exception as error:
        frames = [*traceback.extract_tb(error.__traceback__), error]
        lines = [at.lineno for at in frames if getattr(at, "filename", None) == str(path)]
        raise ModelError(f"{path}:{(lines or [0])[-1]}: {type(error).__name__}: {error}") from error


def _run(path: Path, name: str, **given: Any) -> ModuleType:
    """Run a file as a module of this name, with what is given to it.

    A real module of a real file: the compiler looks both up when it loads from the cache.
    """
    module = sys.modules[name] = ModuleType(name)
    module.__dict__.update(given, __file__=str(path))
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


_helpers: set[str] = set()  # Modules beside a user's models, to be imported anew by the next model.


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Import with the model's folder on the path, what is compiled cached under the folder's hash.

    The compiler knows a cached function stale by the date of its own file only: one that calls
    a helper's would not see the helper edited. No byte code is left in the user's folder.
    """
    for name in _helpers:
        sys.modules.pop(name, None)
    before, no_byte_code, cache = set(sys.modules), sys.dont_write_bytecode, numba.config.CACHE_DIR
    sys.path.insert(0, str(path.parent))
    sys.dont_write_bytecode = True
    numba.config.CACHE_DIR = str(CACHE / f"user-{_folder_hash(path)}")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(path.parent))
        sys.dont_write_bytecode, numba.config.CACHE_DIR = no_byte_code, cache
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).parent == path.parent and Path(file) != path:
                _helpers.add(name)


def _folder_hash(path: Path) -> str:
    """Of the model's file and the files beside it."""
    digest = hashlib.sha256()
    for source in sorted(path.parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _place(path: Path, name: str) -> str:
    """The file, with the first line that begins with `name`, a pattern, if there is one."""
    found = re.search(rf"^{name}\b", path.read_text(), re.MULTILINE)
    return f"{path}:{found.string.count(chr(10), 0, found.start()) + 1}" if found else str(path)


def _trampoline(path: Path, function: Any, **records: np.dtype) -> DutyCycle:
    file = CACHE / f"model_{path.stem}_{_folder_hash(path)}.py"
    text = TRAMPOLINE.format(path=path)
    if not file.exists() or file.read_text() != text:
        partial = file.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(file)
    # Of a user's model only the trampoline is cached, under the hash of its folder: by itself
    # it would be cached by its file's date, and not see an edit of what it imports.
    on_event = (compiled if path.parent == BUILT_IN else compiled_uncached)(function)
    given = {"records_at": records_at, "CALL": CALL, "MARKET": MARKET, "IDEAL_ORDER": IDEAL_ORDER}
    made = _run(file, f"mantra_{file.stem}", on_event=on_event, **given, **records)
    return duty_cycle(made.call_model)


def compile_model(model: Model) -> None:
    """Compile a model, or load it from the cache. Raises ModelError, naming the user's line."""
    try:
        _ = model.call.address
    except Exception as error:  # Of the compiler's own errors not all have one base.
        said = [line for line in str(error).splitlines() if line.strip()]
        where = _compiled_place(model.path, str(error))
        raise ModelError(f"{where}: does not compile: " + "\n".join(said)) from None


def _compiled_place(path: Path, said: str) -> str:
    """The file, with the line of it that the compiler names if it does."""
    file = rf'[^"\s]*{re.escape(path.name)}'
    places = re.findall(rf'File "{file}", line (\d+)|{file} \((\d+)\)', said)
    if places:
        return f"{path}:{''.join(places[0])}"
    unknown = re.search(r"name '(\w+)' is not defined", said)  # This it says without a place.
    return _place(path, rf".*\b{unknown.group(1)}") if unknown else str(path)
