"""A recorded run: the rows of its queues, and the actor of it that is to be replayed."""

from pathlib import Path

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.spine import TIMINGS_PREFIX, record_of
from mantra.archive import ArchiveError, ArchiveReader
from mantra.config import check_config
from mantra.core_map import RECORDER
from mantra.messages import enums, records
from mantra.system import FEED, System, build_system


class Recording:
    """A run's archive, and its config's actor `name`, made anew but not started.

    Raises ArchiveError for what cannot be replayed, ConfigError where the run's config no longer
    works here (a model's file that is gone).
    """

    def __init__(self, directory: Path | str, name: str):
        archive = Path(directory) / "archive"
        self.reader = ArchiveReader(archive)
        self.metadata = self.reader.metadata
        if "config" not in self.metadata or "tables" not in self.metadata:
            raise ArchiveError(f"{archive}: its run.json has no config: no run of mantra made it")
        system = self._build(archive)
        self.actor = self._find(system, name)
        if not system.config.run.timings:
            what = f"{archive} was recorded with run.timings = false: nothing says in which order"
            want = f"{name!r} took what from its queues. Record a run with timings"
            raise ArchiveError(f"{what} {want}")
        self.timings = self.rows(TIMINGS_PREFIX + name)
        if not len(self.timings):
            raise ArchiveError(f"{archive}: no timings of {name!r}: it did nothing in this run")

    @property
    def ticks_per_second(self) -> float:
        return float(self.metadata["clock"]["ticks_per_second"])

    @property
    def publisher(self) -> int:
        """The actor's id in the run."""
        return int(self.timings["published"][0]) & records.PUBLISHER_MASK

    def rows(self, stream: str) -> np.ndarray:
        """All rows of a stream, in the order of its queue; none if nothing was sent."""
        if stream not in self.reader.streams:
            return np.zeros(0, record_of(stream))
        return self.reader.read(stream)

    def told(self, *fields: str) -> list[tuple]:
        """Fields of all TIMINGs."""
        return self.timings[list(fields)].tolist()  # type: ignore[return-value]

    def lost(self) -> dict[str, int]:
        """Messages that the recording, or the actor itself, does not have, by queue."""
        names = {*self.actor.reads, *self.actor.writes, "ideals", TIMINGS_PREFIX + self.actor.name}
        recorded = self.metadata.get("recorded", {})
        missing = {n: int(q["lost"]) for n, q in recorded.items() if n in names and q["lost"]}
        events = self.rows("events")
        ours = events["published"] & records.PUBLISHER_MASK == self.publisher
        overruns = events["value"][ours & (events["kind"] == enums.EVENT_OVERRUN)]
        if len(overruns):
            missing[f"{self.actor.name}'s own inputs"] = int(overruns.sum())
        return missing

    def _build(self, archive: Path) -> System:
        """The system of the recorded config; tables and data are the recording's own."""
        raw = self.metadata["config"] | {"cores": [], "recorder": {"enabled": False}}
        raw["source"] = {"kind": "replay", "data": str(archive)}
        return build_system(check_config(raw, f"{archive}/run.json"), "replayed")

    def _find(self, system: System, name: str) -> Actor:
        there = {actor.name: actor for actor in system.actors if not actor.is_source}
        if name in there:
            return there[name]
        if name == FEED or name.startswith(f"{FEED}-"):
            raise ArchiveError(f"{name!r} is a source: it has no inputs that could be replayed")
        if name == RECORDER:
            raise ArchiveError(f"{name!r} sends nothing: the archive is what it makes")
        raise ArchiveError(f"no actor {name!r} in this run; there are: {', '.join(there)}")
