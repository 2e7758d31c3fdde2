"""Venues, assets and instruments: what the small ids in the records mean.

In:        facts about venues, from a config, an import, an archive or the venue itself.
Out:       record arrays for compiled code, look-ups by name for Python, shared tables, JSON.
Must not know: who uses them.

An id is the row in its table. An instrument belongs to one venue: BTCUSDT@binance and
BTCUSDT@mock are two. Each table is a SeqlockVector in shared memory ("venues", "assets",
"instruments"): a late observer reads them all, and a row's version says that a fact has changed.

    tables = Tables()
    binance = tables.add_venue("binance")
    btc, usdt = tables.add_asset("BTC", 8), tables.add_asset("USDT", 8)
    tables.add_instrument(binance, "BTCUSDT", btc, usdt, price_exponent=2, volume_exponent=5)
    vectors = tables.publish(run)         # in the process that starts the run
    tables = Tables.attach(run)           # in all others

An instrument that is listed while the run goes on is added, and published into the spare rows:

    tables.publish(run, spare=500)
    tables.add_instrument(…)              # in one process of the run
    tables.publish_added(run)             # who attaches from now on sees it

Exponents are numbers of decimals. An asset's must hold what its instruments trade: a volume is
always exact in the base asset, and a price times a volume is exact in the quote asset wherever
price_exponent + volume_exponent <= the quote asset's exponent. 8 does for most.
"""

from typing import Any

import numpy as np

from mantra.icc import seqlock_vector
from mantra.icc.memory import address_of, aligned_zeros, record_type
from mantra.messages.decimals import EXPONENT_MAX, check_exponent, format_decimal, to_units

NAME_BYTES = 24
ASSET_EXPONENT = 8  # one satoshi; 92 billion whole units fit an int64

#   0       24   28
#   +-------+----+------+
#   | name  | id |unused|
#   +-------+----+------+
VENUE = record_type(f"S{NAME_BYTES} name", "i4 id unused")

#   0       24   28
#   +-------+----+--------+
#   | name  | id |exponent|
#   +-------+----+--------+
ASSET = record_type(f"S{NAME_BYTES} name", "i4 id exponent")

#   0      24   28    32   36    40             44              48        56       64
#   +------+----+-----+----+-----+--------------+---------------+---------+--------+----------
#   |symbol| id |venue|base|quote|price_exponent|volume_exponent|tick_size|lot_size|min_volume
#   +------+----+-----+----+-----+--------------+---------------+---------+--------+----------
#   72           80            88            96              104              112           120
#   +------------+-------------+-------------+---------------+----------------+-------------+
#   |min_notional|maker_fee_ppm|taker_fee_ppm|base_multiplier|quote_multiplier|quote_divisor|
#   +------------+-------------+-------------+---------------+----------------+-------------+
#
# symbol            as the venue writes it
# base, quote       asset ids
# tick_size         in units of the price
# lot_size          in units of the volume
# min_volume        in units of the volume
# min_notional      in units of the quote asset
# maker_fee_ppm     parts per million; negative is a rebate
# Scale factors, so that compiled code raises nothing to a power (amounts.py):
# base_multiplier   volume × this = amount of the base asset
# quote_multiplier  price × volume × this / divisor = amount of the quote asset
# quote_divisor     one of the two is 1
INSTRUMENT = record_type(
    f"S{NAME_BYTES} symbol",
    "i4 id venue base quote price_exponent volume_exponent",
    "i8 tick_size lot_size min_volume min_notional maker_fee_ppm taker_fee_ppm base_multiplier",
    "i8 quote_multiplier quote_divisor",
)

# Sizes, and by which exponent a decimal text of them is read.
SIZES = {"tick_size": "price", "lot_size": "volume", "min_volume": "volume"}
SIZES["min_notional"] = "quote"
# What is kept of an instrument; the rest follows.
KEPT = ("venue", "symbol", "base", "quote", "price_exponent", "volume_exponent", *SIZES)
KEPT += ("maker_fee_ppm", "taker_fee_ppm")

TABLES = {"venues": VENUE, "assets": ASSET, "instruments": INSTRUMENT}
JSON_FORMAT = 1


class Tables:
    """The three tables of a run. `venues`, `assets`, `instruments` are arrays of their records.

    Adding a row may move its array: take addresses (`address_of`) when all is added.
    """

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, int]] = {table: {} for table in TABLES}  # by name
        self._room: dict[str, np.ndarray] = {}  # what the arrays below are the beginnings of
        self.venues = aligned_zeros(0, VENUE)
        self.assets = aligned_zeros(0, ASSET)
        self.instruments = aligned_zeros(0, INSTRUMENT)

    # ------------------------------------------------------------ building

    def add_venue(self, name: str) -> int:
        """Add a venue; its id. Raises ValueError for a name that is taken, too long or no name."""
        return self._append("venues", name, name=_name(name, self._ids["venues"], name))

    def add_asset(self, name: str, exponent: int = ASSET_EXPONENT) -> int:
        """Add an asset whose amounts count units of ten ** -`exponent`; its id.

        Raises ValueError as `add_venue`, and for an exponent outside 0 to 18.
        """
        check_exponent(exponent)
        raw = _name(name, self._ids["assets"], name)
        return self._append("assets", name, name=raw, exponent=exponent)

    def add_instrument(
        self,
        venue: int,
        symbol: str,
        base: int,
        quote: int,
        *,
        price_exponent: int,
        volume_exponent: int,
        tick_size: str | None = None,
        lot_size: str | None = None,
        min_volume: str = "0",
        min_notional: str = "0",
        maker_fee_ppm: int = 0,
        taker_fee_ppm: int = 0,
    ) -> int:
        """Add an instrument; its id. Sizes are decimal text; tick and lot default to one unit.

        Raises ValueError, naming the instrument, for a symbol taken on that venue, unknown ids,
        sizes that are not positive or finer than their exponent, and exponents that do not fit
        the assets.
        """
        facts: dict[str, Any] = {name: value for name, value in locals().items() if name in KEPT}
        try:
            for what, row, table in (
                ("venue", venue, self.venues),
                ("base asset", base, self.assets),
                ("quote asset", quote, self.assets),
            ):
                if not 0 <= row < len(table):
                    raise ValueError(f"{what} {row}: there are {len(table)}, numbered from 0")
            full_name = f"{symbol}@{self.venues[venue]['name'].decode()}"
            facts["symbol"] = _name(symbol, self._ids["instruments"], full_name)
            facts |= self._scales(base, quote, price_exponent, volume_exponent)
            exponents = self._exponents(facts)
            for size, of in SIZES.items():
                # Tick and lot are one unit where nothing is said.
                facts[size] = 1 if facts[size] is None else to_units(facts[size], exponents[of])
            said = {size: facts[size] for size in SIZES}
            if said["tick_size"] < 1 or said["lot_size"] < 1 or min(said.values()) < 0:
                raise ValueError(f"sizes {said}: tick and lot are 1 or more, minimums 0 or more")
        except ValueError as error:
            raise ValueError(f"instrument {symbol!r}: {error}") from None
        return self._append("instruments", full_name, **facts)

    def _exponents(self, instrument: Any) -> dict[str, int]:
        """Of prices, volumes, and amounts of the quote asset."""
        quote = int(self.assets[instrument["quote"]]["exponent"])
        price, volume = int(instrument["price_exponent"]), int(instrument["volume_exponent"])
        return {"price": price, "volume": volume, "quote": quote}

    def _scales(self, base: int, quote: int, price_exponent: int, volume_exponent: int) -> dict:
        check_exponent(price_exponent)
        check_exponent(volume_exponent)
        base_shift = int(self.assets[base]["exponent"]) - volume_exponent
        if base_shift < 0:
            what = f"volume_exponent {volume_exponent} is finer than its base asset's"
            finest = base_shift + volume_exponent
            raise ValueError(f"{what} {finest}: give the asset at least as many decimals")
        quote_shift = int(self.assets[quote]["exponent"]) - price_exponent - volume_exponent
        if -quote_shift > EXPONENT_MAX:
            what = f"price and volume have {-quote_shift} decimals more than the quote asset"
            raise ValueError(f"{what}: at most {EXPONENT_MAX} are possible")
        return {
            "base_multiplier": 10**base_shift,
            "quote_multiplier": 10 ** max(quote_shift, 0),
            "quote_divisor": 10 ** max(-quote_shift, 0),
        }

    def _append(self, table: str, key: str, **fields: Any) -> int:
        rows = getattr(self, table)
        number, room = len(rows), self._room.get(table, rows)
        if number == len(room):  # Twice as many: to add n rows costs n steps, not n × n.
            room = self._room[table] = aligned_zeros(max(2 * number, 8), TABLES[table])
            room[:number] = rows
        for field, value in {"id": number, **fields}.items():
            room[number][field] = value
        setattr(self, table, room[: number + 1])
        self._ids[table][key] = number
        return number

    # ------------------------------------------------------------ looking up

    def venue(self, name: str) -> int:
        """Id of a venue by name. Raises LookupError that lists what there is."""
        return _find("venue", name, self._ids["venues"])

    def asset(self, name: str) -> int:
        """Id of an asset by name. Raises LookupError that lists what there is."""
        return _find("asset", name, self._ids["assets"])

    def instrument(self, name: str) -> int:
        """Id of an instrument by name, as in "BTCUSDT@binance". Raises LookupError."""
        return _find("instrument", name, self._ids["instruments"])

    def instrument_name(self, instrument: int) -> str:
        """The symbol with its venue, as in "BTCUSDT@binance"."""
        row = self.instruments[instrument]
        return f"{row['symbol'].decode()}@{self.venues[row['venue']]['name'].decode()}"

    def instrument_names(self) -> list[str]:
        """Names of all instruments; the index is the id."""
        return [self.instrument_name(i) for i in range(len(self.instruments))]

    # ------------------------------------------------------------ sharing

    def publish(self, run: str, spare: int = 0) -> dict[str, seqlock_vector.Vector]:
        """Put the tables into the run's shared memory; the vectors by name, for who unlinks them.

        `spare`: how many rows may be added to each later. Raises SegmentError when the run has
        tables already.
        """
        vectors = {}
        for table, record in TABLES.items():
            rows = max(len(getattr(self, table)) + spare, 1)
            vectors[table] = seqlock_vector.create(run, table, record, rows)
        self._write(vectors)
        return vectors

    def publish_added(self, run: str) -> None:
        """Publish the rows that the run does not have yet: for one process of it, at any time.

        Raises ValueError, and publishes nothing, when there is no spare row left for them.
        """
        self._write({name: seqlock_vector.attach(run, name, TABLES[name]) for name in TABLES})

    def _write(self, vectors: dict[str, seqlock_vector.Vector]) -> None:
        """What a row refers to is written before it: `attach` reads the other way round."""
        for table, vector in vectors.items():
            have, fit = len(getattr(self, table)), int(vector.handle[0]["rows"])
            if have > fit:
                raise ValueError(f"{have} {table}: this run has room for {fit}; start it anew")
        for table, vector in vectors.items():
            rows, handle = getattr(self, table), address_of(vector.handle)
            for i in range(len(rows)):
                if seqlock_vector.row_version(handle, i) <= 1:  # never written, or never to the end
                    source = address_of(rows) + i * TABLES[table].itemsize
                    seqlock_vector.write_row(handle, i, source)

    @classmethod
    def attach(cls, run: str) -> "Tables":
        """A copy of the tables of a run, as they are now. Raises SegmentError: there are none."""
        tables = cls()
        for table, record in reversed(TABLES.items()):
            vector = seqlock_vector.attach(run, table, record, writable=False)
            handle = address_of(vector.handle)
            used = 0
            rows = aligned_zeros(int(vector.handle[0]["rows"]), record)
            for i in range(len(rows)):
                target = address_of(rows) + i * record.itemsize
                if seqlock_vector.try_read_row(handle, i, target) > 0:
                    used = i + 1
            setattr(tables, table, rows[:used])
        venues, assets = tables.venues["name"].tolist(), tables.assets["name"].tolist()
        names = ([*map(bytes.decode, venues)], [*map(bytes.decode, assets)])
        for table, found in zip(TABLES, (*names, tables.instrument_names()), strict=True):
            tables._ids[table] = {name: i for i, name in enumerate(found)}
        return tables

    # ------------------------------------------------------------ keeping

    def as_dict(self) -> dict[str, Any]:
        """All of it in JSON's types, sizes as decimals: an archive keeps it beside the data."""
        instruments = []
        for row in self.instruments:
            fields = {name: row[name].item() for name in KEPT}
            exponents = self._exponents(row)
            sizes = {size: format_decimal(row[size], exponents[of]) for size, of in SIZES.items()}
            instruments.append(fields | sizes | {"symbol": row["symbol"].decode()})
        assets = [{"name": a["name"].decode(), "exponent": int(a["exponent"])} for a in self.assets]
        return {
            "format": JSON_FORMAT,
            "venues": [{"name": row["name"].decode()} for row in self.venues],
            "assets": assets,
            "instruments": instruments,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Tables":
        """The tables that `as_dict` gave. Raises ValueError for anything else."""
        if not isinstance(content, dict) or content.get("format") != JSON_FORMAT:
            raise ValueError(f"tables: expected an object with format {JSON_FORMAT}")
        tables = cls()
        try:
            for kind in ("venue", "asset", "instrument"):
                for fields in content[f"{kind}s"]:
                    getattr(tables, f"add_{kind}")(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"tables: {error}") from None
        return tables


def _name(name: str, taken: dict[str, int], full_name: str) -> bytes:
    raw = name.encode()
    if not 1 <= len(raw) <= NAME_BYTES or "@" in name or "\0" in name:
        raise ValueError(f"name {name!r}: expected 1 to {NAME_BYTES} bytes without '@'")
    if full_name in taken:
        raise ValueError(f"name {full_name!r} is in the table already")
    return raw


def _find(what: str, name: str, ids: dict[str, int]) -> int:
    if name not in ids:
        known = ", ".join([*ids][:20]) + (", …" if len(ids) > 20 else "")
        raise LookupError(f"{what} {name!r} is not in the tables; known: {known or 'none'}")
    return ids[name]
