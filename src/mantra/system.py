"""The wiring: from one config to actors on cores. The only file that knows all rooms.

In:        a Config.
Out:       a System: tables, actors, core lines; `run` makes it real and returns the report.
Must not know: how a user asks for it; that is the command line's business.

A tick's way through what is wired here, file by file:

    exchanges/simulated/venue.py or backtest/replay.py   market data -> [l2] [trades]
    models/model_actor.py                                books, the model -> cache-<model>
    overseer/overseer.py                                 ideal against live -> [requests]
    exchanges/mock/exchange.py                           matching -> [orders] [fills] [balances]
    archive/recorder.py                                  every queue -> disk
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mantra.actors import core_loop, spine
from mantra.actors.actor import Actor
from mantra.actors.core_loop import IDLE_STRATEGIES
from mantra.actors.core_process import CoreLine
from mantra.actors.supervisor import Supervisor
from mantra.archive import ArchiveError
from mantra.backtest.default_config import recorded_tables
from mantra.backtest.replay import Replay
from mantra.backtest.report import archive_facts, gather
from mantra.backtest.tally import Tally
from mantra.compiled import fill_cache
from mantra.config import Config, ConfigError, Limits, Simulated, load_config
from mantra.core_map import core_lines, make_recorder
from mantra.exchanges.mock.exchange import MockExchange
from mantra.exchanges.mock.state import MockOptions
from mantra.exchanges.simulated.generator import default_markets, default_tables
from mantra.exchanges.simulated.venue import SimulatedVenue
from mantra.icc import seqlock_vector
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import to_units
from mantra.messages.tables import Tables
from mantra.models.contract import ModelError, compile_model, load_model
from mantra.models.model_actor import ModelActor
from mantra.overseer.overseer import COUNTERS_SUFFIX, ModelLimits, OrderLimits, Overseer
from mantra.overseer.refusals import REFUSALS
from mantra.overseer.state import COUNTERS
from mantra.telemetry.clock import describe, ns_per_tick

FEED, OVERSEER = "feed", "overseer"
UNREAD_CAPACITY = 1 << 10  # of timings that nobody records: the latest, for observers
CAPACITIES = {"l2": 1 << 16, "trades": 1 << 14}


@dataclass
class System:
    """All that one config says, wired but not running."""

    config: Config
    run: str
    directory: Path  # of this run
    tables: Tables
    actors: list[Actor]
    lines: list[CoreLine]

    @property
    def models(self) -> list[str]:
        return [model.name for model in self.config.models]

    @property
    def capacities(self) -> dict[str, int]:
        """Slots by queue, where they are not the spine's defaults."""
        timings = [n for n in spine.queue_names(self.actors) if n.startswith(spine.TIMINGS_PREFIX)]
        unread = {} if self.config.recorder.enabled else dict.fromkeys(timings, UNREAD_CAPACITY)
        return CAPACITIES | unread | self.config.queues


def new_run_name() -> str:
    """Unique on this machine: date, time, process."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.getpid()}"


def build_system(config: Config, run: str | None = None) -> System:
    """Make every actor a config asks for. Raises ConfigError that says which key is wrong."""
    run = run or new_run_name()
    directory = config.run.directory / run
    tables, sources = _market(config)
    exchanges = _mock_exchanges(config, tables)
    models = _models(config, tables)
    limits = {m.name: _limits(m, config.models[m.index].limits, tables) for m in models}
    overseer = Overseer(OVERSEER, [(m.name, m.rows) for m in models], tables, limits)
    actors = [*sources, *exchanges, *models, overseer]
    if config.recorder.enabled:
        actors.append(make_recorder(config, run, directory, tables))
    there = spine.queue_names(actors)
    if unknown := [name for name in config.queues if name not in there]:
        raise ConfigError(f"queues: no queue {unknown[0]!r}; there are: {', '.join(there)}")
    return System(config, run, directory, tables, actors, core_lines(config, actors))


@contextmanager
def _blaming(key: str) -> Iterator[None]:
    """What a room refuses is an error of the config's key."""
    try:
        yield
    except (ArchiveError, LookupError, ModelError, ValueError) as error:
        raise ConfigError(f"{key}: {error}") from None


# ---------------------------------------------------------------- what the config names


def _market(config: Config) -> tuple[Tables, list[Actor]]:
    """The instruments there are, and the sources of their data."""
    source = config.source
    if isinstance(source, Simulated):
        tables = default_tables()
        markets = []
        for index, venue in enumerate(config.venues):
            with _blaming(f"venues[{index}].name"):
                markets += default_markets(tables, venue.name)
        # One actor sends for all venues: its queues then have one producer, the faster kind.
        settings = source.model_dump(exclude={"kind"})
        return tables, [SimulatedVenue(FEED, tables, markets=markets, **settings)]
    tables = recorded_tables("source.data", source.data)
    return tables, [Replay(FEED, source.data, tables, speed=source.speed, lead=source.lead)]


def _mock_exchanges(config: Config, tables: Tables) -> list[Actor]:
    """One a venue, with the config's fees where it has some; else those in the tables stay."""
    exchanges: list[Actor] = []
    for index, venue in enumerate(config.venues):
        with _blaming(f"venues[{index}].name"):
            of_venue = tables.instruments["venue"] == tables.venue(venue.name)
        for fee in ("maker_fee_ppm", "taker_fee_ppm"):
            if getattr(venue, fee) is not None:
                tables.instruments[fee][of_venue] = getattr(venue, fee)
        options = MockOptions(answers_unknown=index == 0)
        name = f"mock-{venue.name}"
        with _blaming(f"venues[{index}].balances"):
            exchanges.append(MockExchange(name, venue.name, tables, venue.balances, options))
    return exchanges


def _models(config: Config, tables: Tables) -> list[ModelActor]:
    actors: list[ModelActor] = []
    mocked = {venue.name for venue in config.venues}
    for index, model in enumerate(config.models):
        where = f"models[{index}]"
        if model.name in [actor.name for actor in actors]:
            raise ConfigError(f"{where}.name = {model.name!r}: another model has this name")
        with _blaming(f"{where}.instruments"):
            instruments = [tables.instrument(name) for name in model.instruments]
        for name in model.instruments:
            if model.instruments.count(name) > 1:
                raise ConfigError(f"{where}.instruments: {name!r} is there twice")
            if name.split("@")[1] not in mocked:
                what = "no [[venues]] entry for its venue, so nobody would answer its orders"
                raise ConfigError(f"{where}.instruments: {name!r}: {what}")
        with _blaming(where):
            given = (load_model(model.model), instruments, tables, model.parameters)
            actors.append(ModelActor(model.name, index, *given))
    return actors


def _limits(actor: ModelActor, limits: Limits, tables: Tables) -> ModelLimits:
    """A model's limits in integer units, of every instrument it trades."""
    of_instruments, losses = {}, {}
    for instrument in actor.instruments:
        facts = tables.instruments[instrument]
        quote_exponent = int(tables.assets[facts["quote"]]["exponent"])
        volume_exponent = int(facts["volume_exponent"])
        with _blaming(f"limits of model {actor.name!r}"):
            of_instruments[instrument] = OrderLimits(
                order_volume_max=to_units(limits.order_volume_max, volume_exponent),
                order_notional_max=to_units(limits.order_notional_max, quote_exponent),
                collar_ppm=limits.price_collar_ppm,
                position_max=to_units(limits.position_max, volume_exponent),
            )
            losses[int(facts["quote"])] = to_units(limits.daily_loss_max, quote_exponent)
    return ModelLimits(
        of_instruments,
        open_orders_max=limits.open_orders_max,
        requests_per_second=limits.requests_per_second,
        requests_burst=max(limits.requests_per_second, 1),
        loss_max={asset: loss for asset, loss in losses.items() if loss},
    )


# ---------------------------------------------------------------- looking and running


def describe_system(system: System) -> dict:
    """Actors, cores, queues, and who writes and reads each: what `mantra run --dry` prints."""
    return {
        "run": system.run,
        "cores": [
            {
                "core": line.core,
                "idle": IDLE_STRATEGIES[line.idle],
                "on_death": line.on_death,
                "actors": [actor.name for actor in line.actors],
            }
            for line in system.lines
        ],
        "queues": [
            {
                "name": name,
                "capacity": system.capacities.get(name, spine.default_capacity(name)),
                "record_bytes": spine.record_of(name).itemsize,
                "written_by": spine.writers(system.actors, name),
                "read_by": [a.name for a in system.actors if name in a.reads or a.stops_last],
            }
            for name in spine.queue_names(system.actors)
        ],
        "vectors": {
            vector: {"rows": rows, "written_by": actor.name}
            for actor in system.actors
            for vector, (_, rows) in actor.vectors().items()
        },
        "instruments": system.tables.instrument_names(),
    }


def compile_system(system: System) -> None:
    """Compile every actor and model, or load them. Raises ConfigError for a model's mistake."""
    models = [actor for actor in system.actors if isinstance(actor, ModelActor)]
    cycles = [cycle for actor in system.actors for cycle in (actor.step, *actor.helpers)]
    fill_cache([*cycles, *(m.model.call for m in models)])
    for model in models:
        with _blaming(f"model {model.name!r}"):
            compile_model(model.model)
    for cycle in cycles:
        _ = cycle.address


def warm_up() -> None:
    """Compile all the example runs on, without running it: what `mantra bench startup` times."""
    compile_system(build_system(load_config(None), "warm-up"))
    core_loop.warm_up()


def run_system(
    system: System,
    each_look: Callable[[Supervisor, Tally], None] | None = None,
    until: float | None = None,
) -> dict:
    """Run it to its end; the report. `until` is a time of `time.monotonic`."""
    compile_system(system)
    system.directory.mkdir(parents=True, exist_ok=True)
    share_tables = partial(system.tables.publish, system.run)
    timings = system.config.run.timings
    supervisor = Supervisor(system.run, system.lines, system.capacities, timings, share_tables)
    with supervisor:
        tally = Tally(system.run, system.tables)
        began = time.monotonic()

        def look(watched: Supervisor) -> None:
            tally.update()
            if each_look:
                each_look(watched, tally)

        ended = supervisor.watch(look, float("inf") if until is None else until)
        seconds = time.monotonic() - began
        supervisor.cancel_open()
        fix = supervisor.calibration.refine()
        facts = {
            "ended": ended,
            "seconds": seconds,
            "ns_per_tick": ns_per_tick(fix),
            "clock": describe(fix),
            "problems": supervisor.problems,
            "places": {"run": str(system.directory)},
        }
        report = gather(system.run, system.actors, system.models, tally, facts)
        report["refused"] = refused(system)
    if system.config.recorder.enabled:
        messages = report["messages"]
        report["archive"] = archive_facts(system.directory / "archive", messages)
    return report


def refused(system: System) -> dict[str, int]:
    """Ideal orders the Overseer did not send, by reason."""
    found = seqlock_vector.attach(system.run, OVERSEER + COUNTERS_SUFFIX, COUNTERS, writable=False)
    row, total = aligned_zeros(1, COUNTERS), np.zeros(len(REFUSALS), np.int64)
    for model in range(len(system.models)):
        seqlock_vector.try_read_row(address_of(found.handle), model, address_of(row))
        total += row["refused"][0]
    return {name: int(n) for name, n in zip(REFUSALS, total, strict=True) if n}
