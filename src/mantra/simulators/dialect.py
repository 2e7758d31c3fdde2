"""What all venues' public WebSockets have in common: topics, who follows them, levels in a depth.

In:        changes of the market.
Out:       the levels to tell, to whom.
Must not know: how a venue writes them (dialects.py), sockets, faults.

Who asks for a channel follows a topic. What is said of a change is made once a topic; `frame` puts
the numbers around it that a venue counts by connection.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mantra.simulators import rest
from mantra.simulators.market import SIDES, SIGNS, Change, Market, Symbol

Rows = list[tuple[int, int, int]]  # side, price, volume


class Topic(NamedTuple):
    """Channel and symbol as the venue calls them; depth 0: the whole book, or no book."""

    channel: str
    symbol: str
    depth: int = 0


@dataclass(eq=False)
class Client:
    """What the venue knows of one connection."""

    wanted: set[Topic] = field(default_factory=set)
    sequence: int = 0
    depth: int = 0  # of the book that was asked for last
    numbers: dict[Topic, int] = field(default_factory=dict)  # Bitfinex' channels


class Dialect:
    """A venue, by its name in DIALECTS."""

    name = ""
    book_channel = trade_channel = ""
    depths: tuple[int, ...] = (0,)
    checked = 0  # levels a side in a checksum
    deep = 0  # levels a side of the first symbol: more than a depth that is served
    deletes_beyond = False  # whether it is told what falls out of the depth that is served
    too_fast = "rate limit exceeded"  # "": no words, the connection is closed
    ping_s = 0.0  # between two pings of the venue
    numbers_messages = False  # `frame` makes a text of each client's own

    def __init__(self, market: Market):
        self.market = market
        self.followers: dict[Topic, set[Client]] = {}
        self.limits: dict[Topic, list[float]] = {}  # keys of the worst levels shown, a side

    def greet(self, client: Client) -> Iterator[str]:
        """What a connection begins with."""
        yield from ()

    def answer(self, client: Client, text: str) -> Iterator[str]:
        """What a client's text is answered with."""
        asked: dict = {}
        try:
            asked |= json.loads(text)
            yield from self.on_request(client, asked)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield self.complain(asked, f"no request: {error!r}")

    def on_request(self, client: Client, asked: dict) -> Iterator[str]:
        raise NotImplementedError

    def complain(self, asked: dict, why: str) -> str:
        """How the venue says no."""
        raise NotImplementedError

    def frame(self, client: Client, topic: Topic, body: str) -> str:
        """A text of a topic as one client gets it."""
        return body

    def book(self, change: Change, topic: Topic) -> Iterator[str]:
        raise NotImplementedError

    def trade(self, change: Change) -> Iterator[str]:
        raise NotImplementedError

    def say(self, change: Change) -> Iterator[tuple[Topic, str]]:
        """What is said of a change, topic by topic, of those that somebody follows."""
        name = change.symbol.name
        topic = Topic(self.trade_channel, name)
        if change.trade and topic in self.followers:
            for body in self.trade(change):
                yield topic, body
        for depth in self.depths:
            if (topic := Topic(self.book_channel, name, depth)) in self.followers:
                for body in self.book(change, topic):
                    yield topic, body

    def tell(self, client: Client, change: Change) -> Iterator[str]:
        """What one client is told of a change: for tests that have only one."""
        for topic, body in self.say(change):
            yield self.frame(client, topic, body)

    def beat(self, client: Client) -> Iterator[str]:
        """What is sent every second, whatever happens."""
        yield from ()

    def rest(self, path: str) -> bytes | None:
        """The body of the answer to a GET; None: there is no such thing."""
        return rest.answer(self.name, self.market, path)

    # ------------------------------------------------------------ who follows what

    def known(self, name: str) -> Symbol | None:
        symbol = self.market.symbols.get(name)
        return symbol if symbol and symbol.listed else None

    def follow(self, client: Client, topic: Topic) -> None:
        client.wanted.add(topic)
        self.followers.setdefault(topic, set()).add(client)

    def unfollow(self, client: Client, channel: str, name: str) -> None:
        for topic in [one for one in client.wanted if one[:2] == (channel, name)]:
            self._drop(client, topic)

    def leave(self, client: Client) -> None:
        for topic in tuple(client.wanted):
            self._drop(client, topic)

    def _drop(self, client: Client, topic: Topic) -> None:
        client.wanted.discard(topic)
        self.followers[topic].discard(client)
        if not self.followers[topic]:
            del self.followers[topic]

    # ------------------------------------------------------------ levels

    def sides(self, symbol: Symbol, rows: Rows) -> list[list]:
        """[bids, asks] as [price, volume] texts."""
        return [
            [list(symbol.texts((price, volume))) for of, price, volume in rows if of == side]
            for side in SIDES
        ]

    def whole(self, symbol: Symbol, depth: int = 0) -> Rows:
        return [(side, *level) for side in SIDES for level in symbol.levels(side, depth)]

    def begin(self, topic: Topic) -> Rows:
        """The best levels as a client is shown them first."""
        symbol = self.market.symbols[topic.symbol]
        self.limits[topic] = [self._limit(symbol, side, topic.depth) for side in SIDES]
        return self.whole(symbol, topic.depth)

    def _limit(self, symbol: Symbol, side: int, depth: int) -> float:
        keys = symbol.keys[side]
        return keys[depth - 1] if len(keys) >= depth else math.inf

    def changed(self, change: Change, topic: Topic) -> Rows:
        """What is to be told of a change to those who are shown `depth` levels."""
        symbol, depth, told = change.symbol, topic.depth, []
        for side in SIDES:
            before, after = self.limits[topic][side], self._limit(symbol, side, depth)
            self.limits[topic][side] = after
            keys, sign, own = symbol.keys[side], SIGNS[side], set()
            for of, price, volume in change.levels:
                if of == side:
                    own.add(price)
                    if sign * price <= (after if volume else before):
                        told.append((side, price, volume))
            entered = [sign * key for key in keys[bisect_right(keys, before) : depth]]
            told += [(side, p, symbol.sides[side][p]) for p in entered if p not in own]
            if self.deletes_beyond:
                told += [(side, sign * k, 0) for k in keys[depth : bisect_right(keys, before)]]
        return told
