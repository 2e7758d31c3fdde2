"""A run in one process, whose queues say what the test says, for what reads them."""

import random
from decimal import Decimal

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.stepper import Stepper
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.enums import ASK, BID, MAKER, TAKER
from mantra.messages.records import QUEUE_RECORDS
from mantra.messages.tables import Tables
from mantra.telemetry.tracked import originate, send, start_timer, stop_timer

NAMES = ("trades", "requests", "orders", "fills")


def some_tables() -> Tables:
    """Instruments whose exponents all differ, one with the base of another as its quote."""
    tables = Tables()
    venue = tables.add_venue("north")
    btc, eth, usdt = (tables.add_asset(n, e) for n, e in (("BTC", 8), ("ETH", 9), ("USDT", 6)))
    for symbol, base, quote, price, volume in (
        ("BTCUSDT", btc, usdt, 2, 5),  # 7 decimals of a product, 6 of the asset: rounded
        ("ETHUSDT", eth, usdt, 2, 3),
        ("ETHBTC", eth, btc, 5, 3),
    ):
        tables.add_instrument(
            venue, symbol, base, quote, price_exponent=price, volume_exponent=volume
        )
    return tables


class Speaker(Actor):
    """Sends what it is told to, timed."""

    writes = NAMES
    timers = ("say",)

    def step(self, context_address):
        return 0

    def on_start(self, spine):
        self.context = aligned_zeros(1, np.dtype("i8"))
        self.track = spine.track_address
        self.outlets = {name: spine.outlet(name) for name in NAMES}

    def say(self, queue, **fields):
        message = aligned_zeros(1, QUEUE_RECORDS[queue])
        for field, value in fields.items():
            message[field] = value
        start = start_timer(self.track)
        originate(self.track)
        send(self.track, address_of(self.outlets[queue]), address_of(message))
        stop_timer(self.track, 0, start, 1)


class MadeRun(Stepper):
    """A Stepper with one Speaker."""

    def __init__(self, capacities=None):
        self.speaker = Speaker("speaker")
        super().__init__([self.speaker], capacities)

    def say(self, queue, **fields):
        self.speaker.say(queue, **fields)


def random_fills(tables, count, seed):
    """Fills of two models in all instruments, fees in either asset, rebates among them."""
    chance, fills = random.Random(seed), []
    for _ in range(count):
        instrument = chance.randrange(3)
        facts = tables.instruments[instrument]
        fills.append(
            {
                "model": chance.randrange(2),
                "instrument": instrument,
                "side": chance.choice((BID, ASK)),
                "price": chance.randrange(1, 10_000_000),
                "volume": chance.randrange(1, 300_000),
                "liquidity": chance.choice((MAKER, TAKER)),
                "fee_asset": int(facts[chance.choice(("base", "quote"))]),
                "fee": chance.randrange(-500, 5000),
            }
        )
    return fills


def exactly(tables, instrument, fill):
    """(price, volume) of a fill as Decimals."""
    facts = tables.instruments[instrument]
    price = Decimal(fill["price"]).scaleb(-int(facts["price_exponent"]))
    return price, Decimal(fill["volume"]).scaleb(-int(facts["volume_exponent"]))
