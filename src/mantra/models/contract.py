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
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np

from mantra.compiled import (
    CACHE,
    DutyCycle,
    compiled,
    compiled_uncached,
    duty_cycle,
)
from mantra.icc.memory import records_at
from mantra.messages.records import IDEAL_ORDER

# What an event is.
BOOK = 0  # a group of levels was applied: the book is consistent
TRADE = 1  # somebody traded: price, volume, side of the aggressor
FILL = 2  # this model traded: price, volume, side; the position is up to date already

EVENT = np.dtype(
    [
        ("kind", "i8"),  # BOOK, TRADE, FILL
        ("at", "i8"),  # index into `market`
        ("ts_exchange", "i8"),  # ns since the epoch
        ("price", "i8"),
        ("volume", "i8"),
        ("side", "i8"),
    ],
    align=True,
)

MARKET = np.dtype(
    [
        ("instrument", "i8"),  # id
        ("book", "i8"),  # handle for mantra.books
        ("position", "i8"),  # bought minus sold by this model, in volume units
        ("first_row", "i8"),  # of this instrument's ideal orders
        ("tick_size", "i8"),
        ("lot_size", "i8"),
        ("last_price", "i8"),  # of the last trade; 0: none yet
        ("trusted", "i8"),  # 0: levels were lost; no events until the book has a snapshot
    ],
    align=True,
)

CALL = np.dtype(
    [
        ("event", EVENT),
        ("markets", "i8"),
        ("market", "i8"),  # addresses
        ("state", "i8"),
        ("parameters", "i8"),
        ("orders", "i8"),
        ("rows", "i8"),
    ],
    align=True,
)

BUILT_IN = Path(__file__).parent
NO_FIELDS = np.dtype([("unused", "i8")], align=True)
ORDERS_MAX = 64  # rows per instrument

TRAMPOLINE = '''"""Calls a model: addresses to records. Made from contract.py, for {path}."""


def call_model(call_address):
    call = records_at(call_address, 1, CALL)[0]
    on_event(
        call["event"],
        records_at(call["market"], call["markets"], MARKET),
        records_at(call["state"], 1, STATE)[0],
        records_at(call["parameters"], 1, PARAMETERS)[0],
        records_at(call["orders"], call["rows"], IDEAL_ORDER),
    )
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
        record = np.zeros(1, self.parameters)
        for name, value in {**self.defaults, **overrides}.items():
            if name not in (self.parameters.names or ()):
                known = ", ".join(self.parameters.names or ())
                raise ModelError(f"{self.path}: no parameter {name!r}; there are: {known}")
            try:
                record[name] = value
            except (TypeError, ValueError, OverflowError) as error:
                raise ModelError(f"{self.path}: parameter {name} = {value!r}: {error}") from None
            if record[name][0] != value:
                kind = self.parameters[name]
                raise ModelError(f"{self.path}: parameter {name} = {value!r} does not fit {kind}")
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
        raise ModelError(
            f"{_place(path, 'on_event')}: has no function on_event(event, market, state, …)"
        )
    function = getattr(on_event, "py_func", on_event)
    if len(inspect.signature(function).parameters) != 5:
        raise ModelError(
            f"{path}:{function.__code__.co_firstlineno}: on_event takes "
            f"{tuple(inspect.signature(function).parameters)}; "
            f"expected (event, market, state, parameters, orders)"
        )
    model = Model(
        path=path,
        parameters=_dtype(path, module, "PARAMETERS"),
        defaults=_defaults(path, module),
        state=_dtype(path, module, "STATE"),
        orders=_orders(path, module),
        call=_trampoline(path, module, function),
    )
    model.parameter_record({})
    return model


def _import(path: Path) -> ModuleType:
    if path.parent == BUILT_IN:
        return importlib.import_module(f"mantra.models.{path.stem}")
    name = f"mantra_model_{path.stem}_{_folder_hash(path)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        with _beside(path):
            sys.modules[name] = module  # The compiler looks it up when it loads from the cache.
            spec.loader.exec_module(module)
    except Exception as error:
        line = _line_in(path, error)
        raise ModelError(f"{path}:{line}: {type(error).__name__}: {error}") from error
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


def _line_in(path: Path, error: BaseException) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _place(path: Path, name: str) -> str:
    """The file, with the first line that begins with `name`, a pattern, if there is one."""
    found = re.search(rf"^{name}\b", path.read_text(), re.MULTILINE)
    return f"{path}:{found.string.count(chr(10), 0, found.start()) + 1}" if found else str(path)


def _defaults(path: Path, module: ModuleType) -> dict[str, Any]:
    defaults = getattr(module, "DEFAULTS", {})
    if not isinstance(defaults, dict):
        raise ModelError(
            f"{_place(path, 'DEFAULTS')}: DEFAULTS is {defaults!r}; expected {{name: value}}"
        )
    return defaults


def _dtype(path: Path, module: ModuleType, name: str) -> np.dtype:
    dtype = getattr(module, name, NO_FIELDS)
    if not isinstance(dtype, np.dtype) or not dtype.names or not dtype.isalignedstruct:
        raise ModelError(
            f"{_place(path, name)}: {name} is {dtype!r}; expected np.dtype([...], align=True)"
        )
    return dtype


def _orders(path: Path, module: ModuleType) -> int:
    orders = getattr(module, "ORDERS", None)
    if not isinstance(orders, int) or not 1 <= orders <= ORDERS_MAX:
        raise ModelError(
            f"{_place(path, 'ORDERS')}: ORDERS is {orders!r}; expected the number of ideal orders "
            f"per instrument, 1 to {ORDERS_MAX}"
        )
    return orders


def _trampoline(path: Path, module: ModuleType, function: Any) -> DutyCycle:
    file = CACHE / f"model_{path.stem}_{_folder_hash(path)}.py"
    text = TRAMPOLINE.format(path=path)
    if not file.exists() or file.read_text() != text:
        partial = file.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(file)
    # A real module under a real name: the compiler looks both up when it loads from the cache.
    made = ModuleType(f"mantra_{file.stem}")
    made.__dict__.update(
        # Of a user's model only the trampoline is cached, under the hash of its folder: by itself
        # it would be cached by its file's date, and not see an edit of what it imports.
        on_event=(compiled if path.parent == BUILT_IN else compiled_uncached)(function),
        records_at=records_at,
        CALL=CALL,
        MARKET=MARKET,
        IDEAL_ORDER=IDEAL_ORDER,
        STATE=_dtype(path, module, "STATE"),
        PARAMETERS=_dtype(path, module, "PARAMETERS"),
    )
    sys.modules[made.__name__] = made
    exec(compile(text, str(file), "exec"), made.__dict__)
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
