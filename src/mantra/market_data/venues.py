"""The five venues as the handler sees them: one table, and what differs a connection.

In:        a venue's name, symbols, the run's tables.
Out:       endpoints, texts to send, what a control message means.
Must not know: sockets, queues.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from urllib.parse import urlsplit

import numpy as np

from mantra.exchanges.binance import instruments as binance_instruments
from mantra.exchanges.binance import subscriptions as binance
from mantra.exchanges.bitfinex import channels as bitfinex_channels
from mantra.exchanges.bitfinex import instruments as bitfinex_instruments
from mantra.exchanges.bitfinex import subscriptions as bitfinex
from mantra.exchanges.bitstamp import instruments as bitstamp_instruments
from mantra.exchanges.bitstamp import subscriptions as bitstamp
from mantra.exchanges.coinbase import instruments as coinbase_instruments
from mantra.exchanges.coinbase import subscriptions as coinbase
from mantra.exchanges.kraken import instruments as kraken_instruments
from mantra.exchanges.kraken import subscriptions as kraken
from mantra.exchanges.listing import Listed
from mantra.exchanges.rules import Rules
from mantra.icc.memory import address_of, aligned_zeros
from mantra.market_data.feed import Feed
from mantra.messages.tables import Tables

CHANNELS = ("book", "trades")
# Words of a control message that says no: in its event, type, status or fields.
COMPLAINTS = ("error", "bts:error")


@dataclass(frozen=True)
class Venue:
    """`texts` makes what is sent; `depth` levels a side are served, 0: all."""

    name: str
    texts: ModuleType
    parse_listing: Callable[..., list[Listed]]
    depth: int = 0

    @property
    def rules(self) -> Rules:
        return self.texts.RULES


VENUES = {
    venue.name: venue
    for venue in (
        Venue("binance", binance, binance_instruments.parse),
        Venue("bitfinex", bitfinex, bitfinex_instruments.parse),
        Venue("bitstamp", bitstamp, bitstamp_instruments.parse),
        Venue("coinbase", coinbase, coinbase_instruments.parse),
        Venue("kraken", kraken, kraken_instruments.parse, kraken.DEPTH),
    )
}


class Session:
    """What one stream of a venue carries. Its connections come and go."""

    def __init__(self, venue: str, symbols: Sequence[str], tables: Tables):
        """Raises LookupError for a symbol that is not in the tables."""
        self.venue, self.symbols = VENUES[venue], list(symbols)
        self.instruments = [tables.instrument(f"{symbol}@{venue}") for symbol in symbols]
        self.venue_id = int(tables.instruments[self.instruments[0]]["venue"])
        self.bridged = bool(self.venue.rules.snapshot_url)
        self.channels: dict[int, np.ndarray] = {}  # Bitfinex' by connection

    def hello(self) -> list[str]:
        """What a new connection is told."""
        return self.venue.texts.subscribe(self.symbols, CHANNELS)

    def again(self, instrument: int, connection: int, feed: Feed) -> list[str]:
        """What asks for a new base in the stream: the book is ended and begun again."""
        symbol, texts = self.symbols[self.instruments.index(instrument)], self.venue.texts
        if connection in self.channels:
            table, slot = self.channels[connection], feed.followed[instrument]["slot"]
            books = table[(table["kind"] == bitfinex_channels.BOOK) & (table["slot"] == slot)]
            numbers = [int(number) for number in books["number"]]
            asked = texts.subscribe([symbol], ["book"])[1:]  # the flags are set already
            return [*texts.unsubscribe(numbers), *asked]
        return [*texts.unsubscribe([symbol], ["book"]), *texts.subscribe([symbol], ["book"])]

    def snapshot_path(self, instrument: int) -> str:
        symbol = self.symbols[self.instruments.index(instrument)]
        url = urlsplit(self.venue.rules.snapshot_url.format(symbol=symbol))
        return f"{url.path}?{url.query}"

    def on_open(self, connection: int, feed: Feed) -> None:
        """A new connection is open: nothing is known of it yet."""
        feed.open(connection, self.venue.name, self.venue_id, bridged=self.bridged)
        feed.followed["depth"][self.instruments] = self.venue.depth
        if self.venue.name == "bitfinex":
            table = aligned_zeros(bitfinex_channels.SLOTS, bitfinex_channels.CHANNEL)
            self.channels[connection] = table
            feed.connections[connection]["index"] = address_of(table)

    def on_control(self, connection: int, text: bytes, feed: Feed) -> str:
        """Take a control message: a complaint of the venue as it stands, or ""."""
        said = json.loads(text)
        event = said.get("event", said.get("type", said.get("channel", "")))
        if connection in self.channels:
            table = self.channels[connection]
            if event == "subscribed":
                bitfinex_channels.open_channel(table, feed.index(self.venue_id), said)
            elif event == "unsubscribed":
                bitfinex_channels.close_channel(table, int(said["chanId"]))
        refused = said.get("success") is False or "error" in said
        return text.decode(errors="replace") if refused or event in COMPLAINTS else ""
