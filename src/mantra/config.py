"""The config file: one TOML, validated before anything starts.

In:        a TOML file, or none: the built-in example.
Out:       a Config whose every value is of the right kind and in range.
Must not know: actors. What the names in it mean is found out by system.py, with the same errors.

An error names the file, the key, the value found and what was expected.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
    field_validator,
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,31}$")]
Decimal = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]  # text: no binary floats for amounts


def _power_of_two(capacity: int) -> int:
    if capacity < 2 or capacity & (capacity - 1):
        raise ValueError("expected a power of two")
    return capacity


Queues = dict[str, Annotated[int, AfterValidator(_power_of_two)]]  # slots by name

# What Pydantic puts behind a key when it has tried several kinds of value.
KINDS_TRIED = ("float", "int", "bool", "literal['max']")

EXAMPLE = Path(__file__).parent / "example.toml"


class ConfigError(Exception):
    """The config file cannot be read, or says something that cannot be."""


class Section(BaseModel):
    """A table of the file: unknown keys are errors, as they are usually misspelt ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Simulated(Section):
    """Market data made by the built-in simulated venue."""

    kind: Literal["simulated"]
    seed: int = Field(1, ge=0)
    # messages/s over all instruments; 0: as fast as nothing is lost
    rate: int = Field(100_000, ge=0, le=1_000_000_000)
    messages: int = Field(1_000_000, ge=1, description="how many, then the run ends")


class Replay(Section):
    """Market data from an archive."""

    kind: Literal["replay"]
    data: Path
    speed: float | Literal["max"] = "max"
    lead: int = Field(256, ge=1, description="messages it may be ahead of the slowest consumer")

    @field_validator("speed")
    @classmethod
    def positive(cls, speed: float | str) -> float | str:
        if speed != "max" and not 0 < float(speed) < float("inf"):
            raise ValueError("expected 'max' or a factor above 0: 1 is the recorded pace")
        return speed


class Venue(Section):
    """A mock venue's account: fees and what we own there."""

    name: Name
    balances: dict[str, Decimal] = Field(min_length=1)
    maker_fee_ppm: int | None = Field(None, ge=-1_000_000, le=1_000_000)  # None: the tables'
    taker_fee_ppm: int | None = Field(None, ge=-1_000_000, le=1_000_000)


class Limits(Section):
    """Pre-trade limits of one model; 0: none. Volumes and amounts are decimal text."""

    order_volume_max: Decimal = "0"
    order_notional_max: Decimal = "0"
    position_max: Decimal = "0"
    open_orders_max: int = Field(64, ge=1)
    requests_per_second: int = Field(0, ge=0)
    price_collar_ppm: int = Field(0, ge=0, description="from the last price")
    daily_loss_max: Decimal = "0"


class ModelConfig(Section):
    """One trade model: its code, what it trades, its parameters."""

    name: Name
    model: str
    instruments: list[str] = Field(min_length=1, description="as SYMBOL@venue")
    parameters: dict[str, StrictInt | StrictFloat | StrictBool] = {}
    limits: Limits = Limits()

    @field_validator("instruments")
    @classmethod
    def with_venue(cls, instruments: list[str]) -> list[str]:
        for instrument in instruments:
            if instrument.count("@") != 1:
                raise ValueError(f"{instrument!r}: expected SYMBOL@venue")
        return instruments


class CoreConfig(Section):
    """One line of the core map: one process, pinned to one core."""

    actors: list[Name] = Field(min_length=1)
    core: int | None = Field(None, ge=0, description="none: not pinned")
    idle: Literal["spin", "pause", "yield", "sleep"] = "yield"
    on_death: Literal["halt", "restart"] = "halt"


class Recording(Section):
    """What the recorder persists."""

    enabled: bool = True
    flush_s: float = Field(5.0, gt=0)
    segment_mb: int = Field(1024, ge=1, description="then a stream's next file begins")


class RunConfig(Section):
    """Where a run leaves what it made, and what it measures."""

    directory: Path = Path("runs")
    timings: bool = True


class Config(Section):
    """The whole file."""

    run: RunConfig = RunConfig()
    source: Simulated | Replay = Field(discriminator="kind")
    venues: list[Venue] = Field(min_length=1)
    models: list[ModelConfig] = Field(min_length=1)
    cores: list[CoreConfig] = []
    queues: Queues = {}
    recorder: Recording = Recording()


class Followed(Section):
    """What is captured of one venue; left out: all that trades there. And where the venue is."""

    symbols: list[str] = Field([], description="as the venue writes them")
    quotes: list[str] = Field([], description="quote assets, in common names")
    url: str = Field("", pattern=r"^(wss?://.+)?$")
    rest: str = Field("", pattern=r"^(https?://.+)?$", description="scheme and host")
    ca_file: Path | None = Field(None, description="trust these CAs, not the system's")


class Capturing(Section):
    """How it is captured."""

    directory: Path = Path("captures")
    raw: bool = Field(False, description="keep the frames as they came, too")
    gather_ms: int = Field(5, ge=0, le=1000, description="between two reads; 0: it spins")
    listings_s: float = Field(3600.0, ge=0, description="between two looks at listings; 0: never")
    checks_s: float = Field(10.0, ge=0, description="between two cross-checks of a venue; 0: never")


class CaptureConfig(Section):
    """The file of `mantra capture`."""

    capture: Capturing = Capturing()
    venues: dict[Name, Followed] = Field(min_length=1)
    cores: list[CoreConfig] = []
    queues: Queues = {}
    recorder: Recording = Recording()


Kind = TypeVar("Kind", bound=Section)


def load_config(path: Path | None, changes: dict[str, Any] | None = None) -> Config:
    """Read and validate a config file; None: the built-in example.

    `changes` replace values by dotted key ("source.speed"), as command-line options do.
    Raises ConfigError.
    """
    return check_config(read_toml(path or EXAMPLE, changes), str(path or EXAMPLE))


def load_capture(path: Path | None, changes: dict[str, Any]) -> CaptureConfig:
    """The same for `mantra capture`; None: `changes` say all."""
    raw = read_toml(path or Path("/dev/null"), changes)
    return check_config(raw, str(path or "the options"), CaptureConfig)


def read_toml(where: Path, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """A file's tables, with the changes in them. Raises ConfigError."""
    try:
        raw = tomllib.loads(where.read_text())
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not TOML: {error}") from None
    for key, value in (changes or {}).items():
        *parents, last = key.split(".")
        table = raw
        for parent in parents:
            table = table.setdefault(parent, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{where}: {parent} = {table!r}: expected a table")
        table[last] = value
    return raw


def check_config(raw: dict[str, Any], where: str, kind: type[Kind] = Config) -> Kind:  # type: ignore[assignment]
    """Validate an already parsed config; ConfigError lists every problem, a line each."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        said: dict[str, list[str]] = {}  # A union says one thing for each kind it tried.
        for problem in error.errors():
            key, what = _line(where, problem)
            said.setdefault(key, []).append(what)
        lines = [f"{key}{' or '.join(dict.fromkeys(what))}" for key, what in said.items()]
        raise ConfigError("\n".join(lines)) from None


def _line(where: str, problem: Any) -> tuple[str, str]:
    """The key with its value, and what is wrong with it."""
    key = ""
    for at, part in enumerate(problem["loc"]):
        # The variant or kind that was tried is no key of the file.
        if at > 0 and part in ("simulated", "replay", *KINDS_TRIED):
            continue
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{where}: {key} ", "is missing"
    if problem["type"] == "extra_forbidden":
        return f"{where}: {key} = {problem['input']!r}: ", "there is no such key"
    return f"{where}: {key} = {problem['input']!r}: ", f"{said[0].lower()}{said[1:]}"
