"""The wiring of a capture: venues' market data to disk, from one config. `mantra capture` runs it.

In:        a CaptureConfig.
Out:       an archive of [l2] [trades] [events], raw frames beside it, a report.
Must not know: how a user asks for it, what is printed.

A folder a run: archive/, raw/ if wanted, report.json, instruments.json (what was counted of each).

Both processes are started again when they die. The recorder goes on where its archive ends; the
handler makes its connections anew, and every book says that it was broken.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mantra.actors.core_process import CoreLine
from mantra.actors.supervisor import Supervisor
from mantra.backtest.report import archive_facts
from mantra.config import CaptureConfig, ConfigError, Followed
from mantra.core_map import core_lines, make_recorder
from mantra.exchanges.listing import ONLINE, Listed
from mantra.market_data import listings
from mantra.market_data.handler import MarketDataHandler, Options
from mantra.market_data.status import Status
from mantra.market_data.venues import VENUES, Place, plan
from mantra.messages.tables import Tables
from mantra.transport.tls import TransportError

HANDLER = "market-data"
SPARE = 1024  # instruments that may be listed while it runs
# A new base of every book of a connection comes at once: 40,000 levels in one message.
CAPACITIES = {"l2": 1 << 20, "trades": 1 << 16, "events": 1 << 16}
Look = Callable[[Supervisor, Status], None]


LOG = logging.getLogger("mantra.capture")


@dataclass
class Capture:
    """All that one config says, wired but not running."""

    config: CaptureConfig
    run: str
    directory: Path  # of this run
    tables: Tables
    handler: MarketDataHandler
    lines: list[CoreLine]


def build_capture(config: CaptureConfig, run: str) -> Capture:
    """Plan it: instruments by the venues' listings. Raises ConfigError, TransportError."""
    places = {
        venue: Place(said.url, said.rest, str(said.ca_file) if said.ca_file else None)
        for venue, said in config.venues.items()
        if _is_elsewhere(venue, said)
    }
    wanted = {venue: partial(_is_wanted, said) for venue, said in config.venues.items()}
    listed = {venue: _listed(venue, said, places) for venue, said in config.venues.items()}
    tables = listings.tables_of(listed)
    streams = []
    for venue, instruments in listed.items():
        followed = [one.symbol for one in instruments if one.status == ONLINE]
        streams += plan(venue, followed)
    directory = config.capture.directory / run
    times = config.capture.model_dump(exclude={"directory", "raw"})
    raw = directory if config.capture.raw else None
    options = Options(raw=raw, wanted=wanted, spare=SPARE, **times)
    handler = MarketDataHandler(HANDLER, tables, streams, places, options)
    lines = core_lines(config, [handler, make_recorder(config, run, directory, tables)])
    for line in lines:
        line.on_death = "restart"
    return Capture(config, run, directory, tables, handler, lines)


def _is_elsewhere(venue: str, said: Followed) -> bool:
    """Whether the config says where the venue is. Raises ConfigError if it says only half of it."""
    if venue not in VENUES:
        raise ConfigError(f"venues.{venue}: there are: {', '.join(VENUES)}")
    if bool(said.url) != bool(said.rest) or (said.ca_file and not said.url):
        raise ConfigError(f"venues.{venue}: a venue that is elsewhere needs both url and rest")
    return bool(said.url)


def _is_wanted(said: Followed, one: Listed) -> bool:
    symbols, quotes = said.symbols or [one.symbol], said.quotes or [one.quote]
    return one.symbol in symbols and one.quote in quotes


def _listed(venue: str, said: Followed, places: dict[str, Place]) -> list[Listed]:
    """What the venue lists of what is wanted, halted instruments too: they may trade again."""
    where = f"venues.{venue}"
    if venue in places:  # what is kept is the venue's own
        try:
            found = listings.fetch(venue, *places[venue][1:])
        except (TransportError, listings.ListingError) as error:
            raise ConfigError(f"{where}: {error}") from None
    else:
        listing = listings.load(venue)
        found = listing.instruments
        if listing.problem:
            LOG.warning("%s", listing.problem)
    wanted = [one for one in found if _is_wanted(said, one)]
    there = {one.symbol for one in found}
    if missing := [symbol for symbol in said.symbols if symbol not in there]:
        raise ConfigError(
            f"{where}.symbols: {missing[0]!r} is not listed; see 'mantra instruments'"
        )
    if not any(one.status == ONLINE for one in wanted):
        raise ConfigError(f"{where}: nothing that is asked for trades there now")
    return wanted


def run_capture(capture: Capture, each_look: Look, seconds: float) -> dict:
    """Run it until it is stopped, or for so many seconds from when all is started; the report."""
    capture.directory.mkdir(parents=True, exist_ok=True)
    share_tables = partial(capture.tables.publish, capture.run, SPARE)
    capacities = CAPACITIES | capture.config.queues
    supervisor = Supervisor(capture.run, capture.lines, capacities, True, share_tables)
    with supervisor:
        status, began = Status(capture.run, HANDLER), time.monotonic()
        ended = supervisor.watch(lambda watched: each_look(watched, status), began + seconds)
        seconds, tables = time.monotonic() - began, Tables.attach(capture.run)
    # What the last words of the actors were: we have it mapped, though it has no name any more.
    report: dict[str, Any] = {
        "run": capture.run,
        "ended": ended,
        "seconds": seconds,
        "messages": supervisor.messages(),
        "lost": supervisor.lost(),
        "venues": status.venues(tables),
        "problems": supervisor.problems,
        "directory": str(capture.directory),
    }
    report["archive"] = archive_facts(capture.directory / "archive", report["messages"])
    for name, content in (("report", report), ("instruments", status.instruments(tables))):
        (capture.directory / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    return report
