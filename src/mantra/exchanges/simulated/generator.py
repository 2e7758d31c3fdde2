"""Building a generator's state, and the instruments of the built-in venues."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mantra.exchanges.simulated import distributions, orderflow
from mantra.exchanges.simulated.layout import CENTER, GENERATOR, MARKET, MARKETS_MAX
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import to_units
from mantra.messages.tables import Tables

TS_START = 1_767_225_600_000_000_000  # 2026-01-01, UTC: a run does not depend on when it runs
NATURAL_RATE = 600  # messages a second of one market: what the recorded data shows
PS_PER_SECOND = 10**12
RATE_MAX = 10**9
WORD = (1 << 64) - 1


@dataclass(frozen=True)
class MarketSettings:
    """One market of a simulated venue. Price as decimal text, volumes against those of BTC."""

    instrument: int  # id in the tables
    price: str  # where it begins
    volume_scale: float = 1.0  # lots of this instrument for one of 0.00001 BTC


@dataclass(frozen=True)
class Generator:
    """A generator's memory. `state` is the GENERATOR record; pass `address` to `next_event`."""

    state: np.void
    address: int
    markets: np.ndarray

    @property
    def l2(self) -> np.ndarray:
        """The group of the last event: a view, valid until the next one."""
        return self.state["l2"][: self.state["l2_count"]]

    @property
    def trades(self) -> np.ndarray:
        """The trades of the last event: a view, valid until the next one."""
        return self.state["trades"][: self.state["trades_count"]]


def scrambled(seed: int) -> int:
    """A seed as 64 bits that are not all 0 (splitmix64; Steele, Lea, Flood, OOPSLA 2014)."""
    mixed = (seed + 0x9E3779B97F4A7C15) & WORD
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & WORD
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & WORD
    mixed = (mixed ^ mixed >> 31) or 1
    return mixed - (1 << 64) if mixed >> 63 else mixed


def new_generator(
    tables: Tables, settings: list[MarketSettings], seed: int = 1, rate: float = 0
) -> Generator:
    """Make a generator whose first events are the snapshots of its markets.

    `rate` is messages per second of simulated time; 0: NATURAL_RATE a market. Raises ValueError
    for a rate or a price that is out of range, LookupError for an instrument not in the tables.
    """
    if not 1 <= len(settings) <= MARKETS_MAX:
        raise ValueError(f"{len(settings)} markets; expected 1 to {MARKETS_MAX}")
    rate = rate or NATURAL_RATE * len(settings)
    if not 1 <= rate <= RATE_MAX:
        raise ValueError(f"rate {rate} messages/s; expected 0, or 1 to {RATE_MAX}")
    memory, markets = aligned_zeros(1, GENERATOR), aligned_zeros(len(settings), MARKET)
    state = memory[0]
    state["random"], state["ts_start"] = scrambled(seed), TS_START
    state["period_ps"] = round(PS_PER_SECOND / rate)
    state["markets"], state["markets_count"] = address_of(markets), len(markets)
    state["tables"] = distributions.tables()
    for market, given in zip(markets, settings, strict=True):
        _set_market(market, given, tables)
        orderflow.fill_book(state, market)
    return Generator(state, address_of(memory), markets)


def _set_market(market: np.void, settings: MarketSettings, tables: Tables) -> None:
    """Set what the tables say of a market."""
    row = tables.instruments[settings.instrument]
    price, tick_size = to_units(settings.price, int(row["price_exponent"])), int(row["tick_size"])
    first_tick = price // tick_size - CENTER
    if price % tick_size or first_tick < 1:
        what = f"{tables.instrument_name(settings.instrument)}: price {settings.price}"
        raise ValueError(f"{what} is off the tick, or less than {CENTER} ticks")
    market["instrument"], market["first_tick"] = settings.instrument, first_tick
    market["tick_size"], market["lot_size"] = tick_size, row["lot_size"]
    market["volume_scale"] = max(1, round(settings.volume_scale * distributions.UNIT))


# Of the built-in venues: fees in ppm; of their instruments: decimals, first price, volume scale.
VENUES = {"sim-a": (200, 500), "sim-b": (-50, 400)}
INSTRUMENTS = {"BTC-USDT": (2, 5, "60000.00", 1.0), "ETH-USDT": (2, 4, "2500.00", 2.0)}


def default_tables() -> Tables:
    """Tables of the built-in venues "sim-a" and "sim-b": BTC-USDT and ETH-USDT on each."""
    tables = Tables()
    usdt = tables.add_asset("USDT")
    bases = {symbol: tables.add_asset(symbol.split("-")[0]) for symbol in INSTRUMENTS}
    for name, (maker, taker) in VENUES.items():
        venue = tables.add_venue(name)
        fees: Any = {"maker_fee_ppm": maker, "taker_fee_ppm": taker}
        for symbol, (price, volume, _, _) in INSTRUMENTS.items():
            exponents: Any = {"price_exponent": price, "volume_exponent": volume}
            tables.add_instrument(venue, symbol, bases[symbol], usdt, **exponents, **fees)
    return tables


def default_markets(tables: Tables, venue: str) -> list[MarketSettings]:
    """Markets for the built-in instruments of a venue in the tables.

    Raises LookupError for an instrument whose first price is not known here.
    """
    markets = []
    for row in tables.instruments[tables.instruments["venue"] == tables.venue(venue)]:
        symbol, instrument = row["symbol"].decode(), int(row["id"])
        if symbol not in INSTRUMENTS:
            what = f"{tables.instrument_name(instrument)}: no first price is known of it"
            known = ", ".join(INSTRUMENTS)
            raise LookupError(f"{what}, only of {known}: give the venue MarketSettings")
        markets.append(MarketSettings(instrument, *INSTRUMENTS[symbol][2:]))
    return markets
