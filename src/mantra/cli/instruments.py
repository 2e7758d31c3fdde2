"""instruments."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from mantra.cli.main import FILE, JSON, VENUES, answer
from mantra.cli.status import table

if TYPE_CHECKING:
    from mantra.market_data.listings import Listing

SHOWN = "venue | symbol | base | quote | tick | lot | min_volume | min_notional | status"
COUNTED = "venue | instruments | online | halted | skipped | taken_at | age_h"
SKIPPED_SHOWN = 20  # of a venue
PIPE_COLUMNS = 140  # where no terminal says how wide it is


@click.command("instruments")
@click.option("--venue", "venues", multiple=True, type=click.Choice(VENUES), help="Only this one.")
@click.option("--refresh", is_flag=True, help="Ask the venues, however young the kept listing is.")
@click.option("--quote", default="", metavar="ASSET", help="Only what is priced in this asset.")
@click.option("--status", type=click.Choice(("online", "halted", "all")), default="all")
@click.option(
    "--config", type=FILE, help="TOML: [venues.NAME] with rest and ca_file, if elsewhere."
)
@JSON
def instruments_command(
    venues: tuple[str, ...],
    refresh: bool,
    quote: str,
    status: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """List what trades spot: tick, lot, minimums, status.

    A venue is asked once in 24 hours; its listing is kept in ~/.cache/mantra/listings. When a venue
    cannot be reached the kept one is shown, and how old it is; exit code 2 when there is none.
    """
    from mantra.config import load_capture
    from mantra.market_data.listings import ListingError, load

    said = load_capture(config, {}).venues if config else {}
    places = {of: (at.rest, str(at.ca_file) if at.ca_file else None) for of, at in said.items()}
    errors: list[str] = []

    def ask(venue: str) -> "Listing | None":
        try:
            return load(venue, refresh, places)
        except ListingError as error:
            errors.append(f"{error}")
            return None

    with ThreadPoolExecutor(len(VENUES)) as threads:
        listings = [one for one in threads.map(ask, dict.fromkeys(venues or VENUES)) if one]
    rows = [row for one in listings for row in _rows(one, quote.upper(), status)]
    counts = [_counts(one) for one in listings]
    facts = {"instruments": rows, "venues": counts, "errors": errors}
    answer(as_json, facts, lambda: _show(rows, counts))
    for error in errors:
        click.echo(f"mantra: {error}", err=True)
    if errors:
        raise click.exceptions.Exit(2)


def _rows(listing: "Listing", quote: str, status: str) -> list[dict[str, Any]]:
    from mantra.exchanges.bitfinex import SIGNIFICANT_DIGITS
    from mantra.messages.decimals import format_decimal

    rule = f"{SIGNIFICANT_DIGITS} digits" if listing.venue == "bitfinex" else ""
    rows = []
    for one in listing.instruments:
        price, volume = one.price_exponent, one.volume_exponent
        sizes = ((one.tick_size, price), (one.lot_size, volume), (one.min_volume, volume))
        tick, *least = (format_decimal(*size) for size in sizes)
        numbers = [_short(number) for number in (rule or tick, *least, one.min_notional)]
        facts = (listing.venue, one.symbol, one.base, one.quote, *numbers, one.status)
        if quote in ("", one.quote) and status in ("all", one.status):
            rows.append(dict(zip(SHOWN.split(" | "), facts, strict=True)))
    return rows


def _short(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _counts(listing: "Listing") -> dict[str, Any]:
    """Of all it lists, whatever is shown."""
    statuses = [one.status for one in listing.instruments]
    return {
        **{"venue": listing.venue, "instruments": len(statuses)},
        **{status: statuses.count(status) for status in ("online", "halted")},
        "taken_at": datetime.fromtimestamp(listing.taken_at // 10**9, UTC).isoformat(),
        "age_h": (time.time_ns() - listing.taken_at) / 3_600e9,
        **{name: getattr(listing, name) for name in ("from_cache", "problem", "skipped")},
    }


def _show(rows: list[dict[str, Any]], counts: list[dict[str, Any]]) -> None:
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    made = [one | {"skipped": len(one["skipped"])} for one in counts]
    if counts:
        console.print(table(rows, SHOWN), table(made, COUNTED), sep="\n")
    for one in counts:
        if one["problem"]:
            click.echo(f"{one['problem']}; shown is its listing of {one['taken_at']}", err=True)
        for said in one["skipped"][:SKIPPED_SHOWN]:
            click.echo(f"{one['venue']}: skipped {said}", err=True)
