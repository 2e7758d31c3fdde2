"""The first pass of the import: what the lines alone say of their instruments.

In:        pieces of captures.
Out:       tables: symbols, the fewest decimals and coarsest steps that hold every value, the venue.
Must not know: archives, the order of messages.
"""

import re

import numpy as np

from mantra.backtest import import_lines as lines
from mantra.backtest.captures import Piece, piece_of
from mantra.backtest.import_venues import IMPORT_VENUES
from mantra.exchanges import decoded
from mantra.exchanges.decoded import DECODED
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import format_decimal
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE
from mantra.messages.tables import ASSET_EXPONENT, NAME_BYTES, Tables

L2_ROOM = 65_536  # records: more than the levels of the largest snapshot (10,000)
INSTRUMENTS_MAX = 4_096
UNNAMED_MAX = 1_000  # lines kept until the symbols are known
PROBE_EXPONENT = 8  # venues' finest
SYMBOL = re.compile(rf"[\w/:.-]{{1,{NAME_BYTES}}}", re.ASCII)


def new_batch(
    venue: str, l2: np.ndarray, trades: np.ndarray, decoded_record: np.ndarray
) -> np.ndarray:
    batch = aligned_zeros(1, lines.BATCH)
    batch["decode"] = IMPORT_VENUES[venue].decode.address
    batch["l2"], batch["l2_capacity"] = address_of(l2), len(l2)
    batch["trades"], batch["trades_capacity"] = address_of(trades), len(trades)
    batch["decoded"] = address_of(decoded_record)
    return batch


def set_piece(batch: np.ndarray, piece: Piece) -> None:
    batch["text"], batch["ends"] = piece.address, address_of(piece.ends)
    batch["lines"], batch["line"], batch["begin"] = len(piece.ends), 0, 0


class Survey:
    """The first pass: what instruments there are."""

    def __init__(self, venue: str = "binance") -> None:
        self.venue = venue
        self.symbols: list[str] = []
        self._unnamed: list[bytes] = []  # lines that name no symbol
        self.surveys = aligned_zeros(INSTRUMENTS_MAX, lines.SURVEY)
        self._l2 = aligned_zeros(L2_ROOM, L2_UPDATE)
        self._seen = aligned_zeros(1, DECODED)
        self._batch = new_batch(venue, self._l2, aligned_zeros(1, TRADE_UPDATE), self._seen)
        self._reindex()

    def _reindex(self) -> None:
        """All symbols at the finest exponents."""
        probe = Tables()
        venue, asset = probe.add_venue("probe"), probe.add_asset("?", PROBE_EXPONENT)
        for symbol in self.symbols:
            probe.add_instrument(
                venue,
                symbol,
                asset,
                asset,
                price_exponent=PROBE_EXPONENT,
                volume_exponent=PROBE_EXPONENT,
            )
        self._index = SymbolIndex(probe, venue)
        self._batch["index"] = self._index.address

    def take(self, piece: Piece) -> None:
        """Look at some lines."""
        batch = self._batch[0]
        set_piece(self._batch, piece)
        while batch["line"] < batch["lines"]:
            event = lines.survey_lines(address_of(self._batch), address_of(self.surveys))
            if event == lines.REFUSED and batch["reason"] == decoded.UNKNOWN_SYMBOL:
                line = int(batch["line"]) - 1
                begin = int(piece.ends[line - 1]) + 1 if line else 0
                if self._learn(piece.text[begin : int(piece.ends[line])].tobytes()):
                    batch["line"], batch["begin"] = line, begin

    def _learn(self, text: bytes) -> bool:
        """Take note of the symbol of a line that was refused for it; whether it is new."""
        seen = self._seen[0]
        asked, message = b"", text.partition(b" ")[2]
        if message.startswith(b"@"):
            asked, _, message = message[1:].partition(b" ")
        named = message[seen["symbol"] :][: seen["symbol_length"]] or asked
        symbol = named.decode("ascii", "replace").upper()
        if not symbol and len(self._unnamed) < UNNAMED_MAX:
            self._unnamed.append(text)
        if len(self.symbols) == INSTRUMENTS_MAX or not SYMBOL.fullmatch(symbol):
            return False
        if symbol in self.symbols:
            return False
        self.symbols.append(symbol)
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
        unknown = set(exponents) - set(self.symbols)
        if unknown:
            raise ValueError(
                f"instrument {sorted(unknown)[0]!r} is not in these files; "
                f"they have {', '.join(self.symbols) or 'none'}"
            )
        chained = int(self.surveys["chained"].sum()) > 0
        facts = IMPORT_VENUES[self.venue]
        name = name or (f"{self.venue}-usdm" if chained else self.venue)
        fees = facts.names.get(name, facts.names[self.venue])
        tables = Tables()
        venue_id = tables.add_venue(name)
        assets: dict[str, int] = {}
        for i, symbol in enumerate(self.symbols):
            price, tick = fewest_decimals(int(self.surveys[i]["price_step"]))
            volume, lot = fewest_decimals(int(self.surveys[i]["volume_step"]))
            if symbol in exponents:
                (price, volume), tick, lot = exponents[symbol], 1, 1
            pair = facts.split_symbol(symbol)
            for asset in pair:
                if asset not in assets:
                    assets[asset] = tables.add_asset(asset, ASSET_EXPONENT)
            tables.add_instrument(
                venue_id,
                symbol,
                assets[pair[0]],
                assets[pair[1]],
                price_exponent=price,
                volume_exponent=volume,
                tick_size=format_decimal(tick, price),
                lot_size=format_decimal(lot, volume),
                maker_fee_ppm=fees["maker_fee_ppm"],
                taker_fee_ppm=fees["taker_fee_ppm"],
            )
        return tables


def fewest_decimals(step: int) -> tuple[int, int]:
    """(exponent, step at that exponent) of a step at PROBE_EXPONENT; (0, 1) of none."""
    exponent = PROBE_EXPONENT
    while exponent > 0 and step % 10 == 0:
        step //= 10
        exponent -= 1
    return exponent, max(step, 1)
