"""The five venues as the handler sees them: one table, and what one stream of a venue carries.

In:        a venue's name, symbols, the run's tables.
Out:       plans, endpoints, texts to send, what a control message means.
Must not know: sockets, queues, when anything is sent.
"""

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from mantra.exchanges.bitfinex import channels as bitfinex_channels
from mantra.exchanges.listing import Listed
from mantra.exchanges.rules import Rules
from mantra.icc.memory import address_of, aligned_zeros
from mantra.market_data.feed import Feed
from mantra.messages.tables import Tables
from mantra.transport.connection import Endpoint

CHANNELS = ("book", "trades")
# Of Rules, what an Endpoint is told as it is.
OF_ENDPOINT = ["sends", "attempts", "ping_s", "ping_text", "idle_s", "lifetime_s", "buffer_bytes"]
# Words of a control message that says no: in its event, type, status or fields.
COMPLAINTS = ("error", "bts:error")
# Events and codes that only a new connection answers: the venue asks for it (Bitstamp; Bitfinex
# 20051), subscriptions were lost in a maintenance (20061), or the answer to one was (10301: "dup").
RECONNECT = ("bts:request_reconnect", 20051, 20061, 10301)


@dataclass(frozen=True)
class Venue:
    """`texts` makes what is sent; `depth` levels a side are served, 0: all."""

    name: str
    texts: ModuleType
    rules: Rules
    parse_listing: Callable[..., list[Listed]]
    depth: int


def venue_of(name: str) -> Venue:
    """The venue whose folder in `exchanges` has this name."""
    parts = [f"mantra.exchanges.{name}.{part}" for part in ("subscriptions", "instruments")]
    texts, instruments = map(importlib.import_module, parts)
    return Venue(name, texts, texts.RULES, instruments.parse, getattr(texts, "DEPTH", 0))


NAMES = ("binance", "bitfinex", "bitstamp", "coinbase", "kraken")
VENUES = {name: venue_of(name) for name in NAMES}


class Place(NamedTuple):
    """Where a venue is, if not where its rules say: a simulated one, or a proxy."""

    url: str
    rest: str  # scheme and host
    ca_file: str | None = None


def plan(venue: str, symbols: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The streams that carry all symbols of a venue: as few as its rules allow, alike in size."""
    count = -(-len(symbols) // VENUES[venue].rules.symbols_max)
    return [(venue, list(symbols[first::count])) for first in range(count)]


class Session:
    """What one stream of a venue carries. Its connections, and its symbols, come and go."""

    def __init__(self, venue: str, symbols: Sequence[str], tables: Tables):
        """Raises LookupError for a symbol that is not in the tables."""
        self.venue = VENUES[venue]
        self.venue_id = tables.venue(venue)
        self.symbols = {tables.instrument(f"{symbol}@{venue}"): symbol for symbol in symbols}
        self.bridged = bool(self.venue.rules.snapshot_url)
        self.channels: dict[int, np.ndarray] = {}  # Bitfinex' by connection

    @property
    def instruments(self) -> list[int]:
        return list(self.symbols)

    def endpoint(self, place: Place | None) -> Endpoint:
        """Where its connections go, and how they behave."""
        rules, ca_file = self.venue.rules, place.ca_file if place else None
        facts: Any = {name: getattr(rules, name) for name in OF_ENDPOINT}
        url = place.url if place else rules.url
        return Endpoint(url, hello=self.hello, ca_file=ca_file, **facts)

    def hello(self) -> list[str]:
        """What a new connection is told."""
        return self.venue.texts.subscribe(list(self.symbols.values()), CHANNELS)

    def begin(self, instrument: int, channels: Sequence[str] = CHANNELS) -> list[str]:
        """What asks for one instrument on an open connection."""
        texts = self.venue.texts.subscribe([self.symbols[instrument]], channels)
        return texts[1:] if self.venue.name == "bitfinex" else texts  # its flags are set already

    def end(
        self, instrument: int, connection: int, feed: Feed, channels: Sequence[str] = CHANNELS
    ) -> list[str]:
        """What ends it."""
        if connection not in self.channels:
            return self.venue.texts.unsubscribe([self.symbols[instrument]], channels)
        table, slot = self.channels[connection], feed.followed[instrument]["slot"]
        kinds = bitfinex_channels.BOOK, bitfinex_channels.TRADES
        wanted = [kind for name, kind in zip(CHANNELS, kinds, strict=True) if name in channels]
        there = table[(table["slot"] == slot) & np.isin(table["kind"], wanted)]
        return self.venue.texts.unsubscribe([int(number) for number in there["number"]])

    def again(self, instrument: int, connection: int, feed: Feed) -> list[str]:
        """What asks for a new base in the stream: the book is ended and begun again."""
        book = ["book"]
        return [*self.end(instrument, connection, feed, book), *self.begin(instrument, book)]

    def snapshot_path(self, instrument: int) -> str:
        url = urlsplit(self.venue.rules.snapshot_url.format(symbol=self.symbols[instrument]))
        return f"{url.path}?{url.query}"

    def on_open(self, connection: int, feed: Feed) -> None:
        """A new connection is open: nothing is known of it yet."""
        feed.open(connection, self.venue.name, self.venue_id, bridged=self.bridged)
        feed.followed["depth"][self.instruments] = self.venue.depth
        if self.venue.name == "bitfinex":
            table = aligned_zeros(bitfinex_channels.SLOTS, bitfinex_channels.CHANNEL)
            self.channels[connection] = table
            feed.connections[connection]["index"] = address_of(table)

    def on_control(self, connection: int, text: bytes, feed: Feed) -> tuple[str, bool]:
        """Take a control message: a complaint as it stands, or ""; whether to connect anew."""
        said = json.loads(text)
        event = said.get("event", said.get("type", said.get("channel", "")))
        if connection in self.channels:
            table = self.channels[connection]
            if event == "subscribed":
                bitfinex_channels.open_channel(table, feed.index(self.venue_id), said)
            elif event == "unsubscribed":
                bitfinex_channels.close_channel(table, int(said["chanId"]))
        refused = said.get("success") is False or "error" in said
        complaint = text.decode(errors="replace") if refused or event in COMPLAINTS else ""
        return complaint, event in RECONNECT or said.get("code") in RECONNECT
