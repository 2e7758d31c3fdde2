"""Listings of venues: asked for, kept on disk for a day, made into tables.

In:        a venue's name, and where it is if not where its rules say.
Out:       Listed; Tables.
Must not know: how a venue lists its instruments (exchanges), who shows or follows them.

Kept in $XDG_CACHE_HOME/mantra/listings/<venue>.json, or below ~/.cache. Any of these may block for
half a minute: a thread that must not, asks another one.
"""

import importlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from mantra.exchanges.listing import Listed
from mantra.market_data.venues import VENUES
from mantra.messages.decimals import format_decimal
from mantra.messages.tables import ASSET_EXPONENT, Tables
from mantra.transport.limits import RateLimit
from mantra.transport.rest import RestClient
from mantra.transport.tls import TransportError

FRESH_NS = 24 * 3_600 * 10**9
CACHE_FORMAT = 1


class ListingError(ValueError):
    """A venue's answer is no listing, or there is none: a sentence that names the venue."""


class Listing(NamedTuple):
    """What a venue lists. `problem`: why it is not fresher, or could not be kept; "": none."""

    venue: str
    taken_at: int  # ns of the Unix epoch
    instruments: list[Listed]
    skipped: list[str]  # a sentence for each row that cannot be used
    from_cache: bool
    problem: str = ""


def fetch(venue: str, rest: str = "", ca_file: str | None = None) -> list[Listed]:
    """Ask a venue, or who answers for it at `rest` (scheme and host).

    Raises TransportError when it cannot be reached, ListingError when it does not say.
    """
    return _ask(venue, rest, ca_file, [])


def rest_client(venue: str, rest: str = "", ca_file: str | None = None) -> RestClient:
    """A client of the venue, or of who answers for it. Raises OSError for a bad CA file."""
    rules = VENUES[venue].rules
    url = urlsplit(rules.listing_url)
    base = rest or f"{url.scheme}://{url.netloc}"
    return RestClient(base, RateLimit(*rules.requests), ca_file or "")


def _ask(venue: str, rest: str, ca_file: str | None, skipped: list[str]) -> list[Listed]:
    url = urlsplit(VENUES[venue].rules.listing_url)
    base = rest or f"{url.scheme}://{url.netloc}"
    try:
        client = rest_client(venue, rest, ca_file)
        answer = client.request("GET", url.path + (f"?{url.query}" if url.query else ""))
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {answer.data[:200]!r}")
        found = VENUES[venue].parse_listing(answer.data, skipped)
        if not found:
            raise ValueError(f"it lists nothing of use: {(skipped or ['no rows'])[0]}")
    except (ValueError, OSError) as error:
        what = f"CA file {ca_file}: " if isinstance(error, OSError) else ""
        raise ListingError(f"GET {base}{url.path}: {what}{error}") from None
    return found


def load(
    venue: str, refresh: bool = False, places: Mapping[str, tuple[str, str | None]] = {}
) -> Listing:
    """The listing as kept, if it is of the last 24 hours and not to be refreshed; else a new one.

    `places` by venue, as in `fetch`: (rest, ca_file), for those that are not where they should be;
    what was kept of another place does not count. When there is no new one the kept one does, and
    its `problem` says why. Raises ListingError when there is none of either.
    """
    path = cache_folder() / f"{venue}.json"
    rest, ca_file = places.get(venue, ("", None))
    kept, now = _read(path, rest), time.time_ns()
    if kept and not refresh and 0 <= now - kept.taken_at < FRESH_NS:
        return kept
    try:
        skipped: list[str] = []
        found = _ask(venue, rest, ca_file, skipped)
    except (TransportError, ListingError) as error:
        if kept:
            return kept._replace(problem=f"{venue}: {error}")
        raise ListingError(
            f"{venue}: {error}; and no earlier listing is kept in {path}: try again when the venue "
            f"can be reached, or say where else it is: [venues.{venue}] rest = … in a config"
        ) from None
    listing = Listing(venue, now, found, skipped, from_cache=False)
    try:
        _write(path, rest, listing)
    except OSError as error:
        return listing._replace(problem=f"{venue}: the listing cannot be kept: {error}")
    return listing


def cache_folder() -> Path:
    """Where listings are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mantra" / "listings"


def _read(path: Path, rest: str) -> Listing | None:
    """A kept listing; None: there is none, it is damaged, of another version or another place."""
    try:
        kept = json.loads(path.read_bytes())
        if kept["format"] == CACHE_FORMAT and kept["rest"] == rest:
            rows = [Listed(*row) for row in kept["instruments"]]
            return Listing(path.stem, int(kept["taken_at"]), rows, kept["skipped"], True)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None


def _write(path: Path, rest: str, listing: Listing) -> None:
    rows = [[*vars(one).values()] for one in listing.instruments]
    facts = {"format": CACHE_FORMAT, "rest": rest, "taken_at": listing.taken_at}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(facts | {"instruments": rows, "skipped": listing.skipped}))
    partial.replace(path)


def tables_of(listings: Mapping[str, Sequence[Listed]]) -> Tables:
    """Tables of all these instruments, by venue; an asset is as fine as the finest volume of it.

    Raises ValueError as `add_to`.
    """
    exponents: dict[str, int] = defaultdict(lambda: ASSET_EXPONENT)
    for instruments in listings.values():
        for one in instruments:
            exponents[one.base] = max(exponents[one.base], one.volume_exponent)
    tables = Tables()
    for name, exponent in exponents.items():
        tables.add_asset(name, exponent)
    for venue, instruments in listings.items():
        venue_id = tables.add_venue(venue)
        for one in instruments:
            add_to(tables, venue_id, one)
    return tables


def add_to(tables: Tables, venue_id: int, listed: Listed) -> int:
    """Add one instrument, and those of its assets that are new; its id.

    Raises ValueError when it is in the tables already, or its volumes are finer than its base
    asset, which some other instrument brought.
    """
    venue = tables.venues[venue_id]["name"].decode()
    fees = importlib.import_module(f"mantra.exchanges.{venue}").VENUES[venue]
    assets = []
    for name, exponent in ((listed.base, listed.volume_exponent), (listed.quote, 0)):
        try:
            assets.append(tables.asset(name))
        except LookupError:
            assets.append(tables.add_asset(name, max(ASSET_EXPONENT, exponent)))
    price, volume = listed.price_exponent, listed.volume_exponent
    return tables.add_instrument(
        venue_id,
        listed.symbol,
        *assets,
        price_exponent=price,
        volume_exponent=volume,
        tick_size=format_decimal(listed.tick_size, price),
        lot_size=format_decimal(listed.lot_size, volume),
        min_volume=format_decimal(listed.min_volume, volume),
        min_notional=listed.min_notional,
        **fees,
    )
