"""The first pass of the import: what the lines alone say of their instruments.

In:        pieces of captures.
Out:       tables: symbols, the fewest decimals and coarsest steps that hold every value, the venue.
Must not know: archives, the order of messages.
"""

import re
from collections.abc import Callable

import numpy as np

from mantra.backtest import import_lines as lines
from mantra.backtest.captures import Piece, piece_of
from mantra.backtest.import_venues import IMPORT_VENUES, UNKNOWN_VENUE, ImportVenue
from mantra.exchanges import bitfinex, codecs, decoded
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.market_data.take import LEVELS_MAX
from mantra.messages.decimals import format_decimal
from mantra.messages.records import L2_UPDATE
from mantra.messages.tables import NAME_BYTES, Tables

INSTRUMENTS_MAX = 4_096
UNNAMED_MAX = 1_000  # lines kept until the symbols are known
PROBE_EXPONENT = 8  # venues' finest, but for prices of Kraken that say it themselves
SYMBOL = re.compile(rf"[\w/:.-]{{1,{NAME_BYTES}}}", re.ASCII)
BITFINEX_SYMBOL = re.compile(rb'"symbol": ?"(t[\w:]+)"')  # of what was subscribed to
# A level of Kraken's: its checksums are of the decimals as they are written.
LEVEL = re.compile(rb'(?:\["|"price":)\d+\.?(\d*)"?,"(?:qty":)?\d+\.?(\d*)')


def set_piece(batch: np.ndarray, piece: Piece) -> None:
    batch["text"], batch["ends"] = piece.address, address_of(piece.ends)
    batch["lines"], batch["line"], batch["begin"] = len(piece.ends), 0, 0


class Survey:
    """The first pass: what instruments there are."""

    def __init__(self, venue: str = "binance") -> None:
        self.venue = venue
        self.symbols: list[str] = []
        self._written: list[list[int]] = []  # decimals of price and volume, by symbol
        self._unnamed: list[bytes] = []  # lines that name no symbol
        self.surveys = aligned_zeros(INSTRUMENTS_MAX, lines.SURVEY)
        self._records = aligned_zeros(LEVELS_MAX, L2_UPDATE)
        self._seen = aligned_zeros(1, DECODED)
        self._batch = aligned_zeros(1, lines.BATCH)
        self._batch["codec"] = codecs.CODECS.index(venue)
        self._batch["decoded"] = address_of(self._seen)
        self._reindex()

    def _reindex(self) -> None:
        """All symbols at the finest exponents."""
        probe = Tables()
        venue, asset = probe.add_venue("probe"), probe.add_asset("?", 18)
        for symbol, written in zip(self.symbols, self._written, strict=True):
            price, volume = (max(count, PROBE_EXPONENT) for count in written)
            probe.add_instrument(
                venue, symbol, asset, asset, price_exponent=price, volume_exponent=volume
            )
        self._index = SymbolIndex(probe, venue)
        self._batch["index"] = self._index.address

    def take(self, piece: Piece) -> None:
        """Look at some lines."""
        if self.venue == "bitfinex":  # frames do not name them, and their decimals are known
            for name in BITFINEX_SYMBOL.findall(piece.text.tobytes()):
                self._add(name.decode(), [bitfinex.PRICE_EXPONENT, bitfinex.VOLUME_EXPONENT])
            return
        batch, room = self._batch[0], address_of(self._records)
        set_piece(self._batch, piece)
        while batch["line"] < batch["lines"]:
            event = lines.survey_lines(address_of(self._batch), address_of(self.surveys), room)
            if event == lines.REFUSED and batch["reason"] == decoded.UNKNOWN_SYMBOL:
                line = int(batch["line"]) - 1
                begin = int(piece.ends[line - 1]) + 1 if line else 0
                if self._learn(piece.text[begin : int(piece.ends[line])].tobytes()):
                    batch["line"], batch["begin"] = line, begin

    def _learn(self, text: bytes) -> bool:
        """Take note of the symbol of a line that was refused for it; whether it is new."""
        seen = self._seen[0]
        asked, message = b"", text.partition(b" ")[2]
        if message[:1] in (b"@", b"#"):
            word, _, message = message.partition(b" ")
            asked = word[1:] if word.startswith(b"@") else b""
        named = message[seen["symbol"] :][: seen["symbol_length"]] or asked
        symbol = named.decode("ascii", "replace").upper()
        if not symbol and len(self._unnamed) < UNNAMED_MAX:
            self._unnamed.append(text)
        levels = LEVEL.findall(message) if self.venue.startswith("kraken") else []
        return self._add(symbol, [max(map(len, side)) for side in zip(*levels, strict=True)])

    def _add(self, symbol: str, written: list[int]) -> bool:
        full = len(self.symbols) == INSTRUMENTS_MAX
        if full or not SYMBOL.fullmatch(symbol) or symbol in self.symbols:
            return False
        self.symbols.append(symbol)
        self._written.append(written or [0, 0])
        self._reindex()
        return True

    def finish(self) -> None:
        """All lines were seen. Those without a symbol are of the only one, if it is one."""
        if len(self.symbols) == 1:
            self._batch["unnamed"] = self._index.slot(self.symbols[0])
            for text in self._unnamed:
                self.take(piece_of(text, 1))

    def tables(self, name: str | None, exponents: dict[str, tuple[int, int]]) -> Tables:
        """The tables of what was seen. Raises ValueError for exponents of a symbol not seen."""
        exponents = {symbol.upper(): given for symbol, given in exponents.items()}
        unknown = set(exponents) - {symbol.upper() for symbol in self.symbols}
        if unknown:
            raise ValueError(
                f"instrument {sorted(unknown)[0]!r} is not in these files; "
                f"they have {', '.join(self.symbols) or 'none'}"
            )
        chained = int(self.surveys["chained"].sum()) > 0
        name = name or (f"{self.venue}-usdm" if chained else self.venue)
        tables = Tables()
        tables.add_venue(name)
        for i, symbol in enumerate(self.symbols):
            steps = [int(self.surveys[i][name]) for name in ("price_step", "volume_step")]
            price, volume = (
                fewest_decimals(*of) for of in zip(steps, self._written[i], strict=True)
            )
            if symbol.upper() in exponents:
                price, volume = ((exponent, 1) for exponent in exponents[symbol.upper()])
            add_seen(tables, name, symbol, price, volume, IMPORT_VENUES[self.venue])
        return tables


def add_seen(
    tables: Tables,
    venue: str,
    symbol: str,
    price: tuple[int, int],
    volume: tuple[int, int],
    facts: ImportVenue | None = None,
) -> None:
    """Add an instrument as it was seen: (exponent, step) of prices and volumes.

    Its venue and assets are added where they are new. `facts` None: those of the venue's name, as
    binance-futures; a venue that is not known takes no fees.
    """
    facts = facts or IMPORT_VENUES.get(venue.partition("-")[0], UNKNOWN_VENUE)
    fees = facts.names.get(venue, next(iter(facts.names.values())))
    pair = [_known(tables.asset, tables.add_asset, name) for name in facts.split_symbol(symbol)]
    tables.add_instrument(
        _known(tables.venue, tables.add_venue, venue),
        symbol,
        *pair,
        price_exponent=price[0],
        volume_exponent=volume[0],
        tick_size=format_decimal(price[1], price[0]),
        lot_size=format_decimal(volume[1], volume[0]),
        maker_fee_ppm=fees["maker_fee_ppm"],
        taker_fee_ppm=fees["taker_fee_ppm"],
    )


def _known(find: Callable[[str], int], add: Callable[[str], int], name: str) -> int:
    try:
        return find(name)
    except LookupError:
        return add(name)


def fewest_decimals(step: int, written: int = 0) -> tuple[int, int]:
    """(exponent, step at that exponent) of a step as it was probed; (0, 1) of none.

    Not fewer than are `written`.
    """
    exponent = max(written, PROBE_EXPONENT)
    while exponent > written and step % 10 == 0:
        step //= 10
        exponent -= 1
    return exponent, max(step, 1)
