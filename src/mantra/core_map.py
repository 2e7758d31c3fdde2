"""The core map: which process runs which actors on which core; and the recorder all runs have.

In:        the config's [[cores]] and [recorder], or none; the actors of a run.
Out:       CoreLines for the supervisor; a Recorder.
Must not know: what the actors do, beyond which belong to the venue's side and which to ours.
"""

import os
import platform
from pathlib import Path

from mantra.actors.actor import Actor
from mantra.actors.core_loop import IDLE_STRATEGIES
from mantra.actors.core_process import CoreLine
from mantra.archive.recorder import Recorder
from mantra.config import CaptureConfig, Config, ConfigError, CoreConfig
from mantra.exchanges.mock.exchange import MockExchange
from mantra.machine import versions
from mantra.messages.tables import Tables
from mantra.models.model_actor import ModelActor
from mantra.overseer.overseer import Overseer

RECORDER = "recorder"


def make_recorder(
    config: Config | CaptureConfig, run: str, directory: Path, tables: Tables
) -> Recorder:
    """Of a run into its directory, with what its archive says of where it comes from."""
    facts = {
        "run": run,
        "config": config.model_dump(mode="json"),
        "tables": tables.as_dict(),
        "versions": versions(),
        "machine": platform.machine(),
    }
    kept = config.recorder
    return Recorder(RECORDER, directory / "archive", facts, kept.flush_s, kept.segment_mb << 20)


def core_lines(config: Config | CaptureConfig, actors: list[Actor]) -> list[CoreLine]:
    """The core map: the config's, or one made for the cores there are."""
    by_name = {actor.name: actor for actor in actors}
    for actor in actors:
        if by_name[actor.name] is not actor:
            raise ConfigError(f"two actors are called {actor.name!r}: rename the model or venue")
    there = os.sched_getaffinity(0)
    placed: list[str] = []
    lines = []
    for index, line in enumerate(config.cores or _default_cores(actors)):
        where = f"cores[{index}]"
        for name in line.actors:
            if name not in by_name:
                known = ", ".join(by_name)
                raise ConfigError(f"{where}.actors: no actor {name!r}; there are: {known}")
            if name in placed:
                raise ConfigError(f"{where}.actors: {name!r} is on another line already")
            placed.append(name)
            actor = by_name[name]
            if isinstance(actor, Overseer):
                actor.rehearses = line.idle in ("spin", "pause")
        if line.core is not None and line.core not in there:
            raise ConfigError(f"{where}.core = {line.core}: this process may use {sorted(there)}")
        here, idle = [by_name[name] for name in line.actors], IDLE_STRATEGIES.index(line.idle)
        lines.append(CoreLine(here, line.core, idle, line.on_death))
    if missing := [name for name in by_name if name not in placed]:
        raise ConfigError(f"cores: on no line: {', '.join(missing)}")
    return lines


def _default_cores(actors: list[Actor]) -> list[CoreConfig]:
    """Venue side on one core, models and Overseer on the next, the recorder where there is room.

    The model and the Overseer share a core: the hop between them stays in its cache.
    """
    cores = sorted(os.sched_getaffinity(0))
    venue = [a.name for a in actors if a.is_source or isinstance(a, MockExchange)]
    traders = [a.name for a in actors if isinstance(a, ModelActor | Overseer)]
    recorders = [a.name for a in actors if a.stops_last]
    # With a core to itself a line may spin; the recorder of a two-core machine needs a share.
    idle = "pause" if len(cores) > 2 else "yield"
    second, third = cores[1 % len(cores)], cores[2] if len(cores) > 2 else None
    places = ((venue, cores[0], idle), (traders, second, idle), (recorders, third, "sleep"))
    return [CoreConfig(actors=a, core=core, idle=how) for a, core, how in places if a]
