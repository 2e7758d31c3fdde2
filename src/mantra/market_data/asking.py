"""What is asked of venues by REST: one thread and one client a venue, for all uses.

In:        bases, listings, books to hold ours against, that somebody wants.
Out:       Futures.
Must not know: what is done with the answers.

A venue counts all requests of an address together: so one client, whose limit they share. Answers
that take long to read are read in the thread, which does not hold up those who follow markets.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

from mantra.market_data import cross_check, listings
from mantra.market_data.venues import Place, Session
from mantra.messages.tables import Tables
from mantra.transport.rest import RestClient
from mantra.transport.tls import TransportError


class Asking:
    """See above."""

    def __init__(self, places: Mapping[str, Place]):
        self.where = {venue: (place.rest, place.ca_file) for venue, place in places.items()}
        self.venues: dict[str, tuple[ThreadPoolExecutor, RestClient]] = {}

    def close(self) -> None:
        for worker, _ in self.venues.values():
            worker.shutdown(wait=False, cancel_futures=True)

    def _of(self, venue: str) -> tuple[ThreadPoolExecutor, RestClient]:
        if venue not in self.venues:
            worker = ThreadPoolExecutor(1, f"rest-{venue}")
            self.venues[venue] = worker, listings.rest_client(venue, *self.where.get(venue, ()))
        return self.venues[venue]

    def snapshot(self, session: Session, instrument: int) -> Future:
        """The base of a book: an answer, its body as the venue's codec reads it."""
        worker, client = self._of(session.venue.name)
        path, weight = session.snapshot_path(instrument), session.venue.rules.snapshot_weight
        return worker.submit(client.request, "GET", path, weight)

    def listing(self, venue: str) -> Future:
        """A list of Listed."""
        return self._of(venue)[0].submit(listings.fetch, venue, *self.where.get(venue, ()))

    def sides(self, session: Session, instrument: int, tables: Tables) -> Future:
        """The Levels of a fresh snapshot (cross_check.py)."""
        worker, client = self._of(session.venue.name)
        row = tables.instruments[instrument]
        exponents = int(row["price_exponent"]), int(row["volume_exponent"])
        symbol, venue = session.symbols[instrument], session.venue.name

        def read() -> cross_check.Levels:
            url = urlsplit(cross_check.BOOK_URLS[venue].format(symbol=symbol))
            path, weight = f"{url.path}?{url.query}", session.venue.rules.snapshot_weight
            answer = client.request("GET", path, weight)
            if answer.status != 200:
                raise TransportError(f"{path}: status {answer.status}: {answer.data!r:.200}")
            return cross_check.levels_of(venue, answer.data, *exponents)

        return worker.submit(read)
