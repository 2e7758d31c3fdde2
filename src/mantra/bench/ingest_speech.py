"""The five venues' market data as texts with marks where a number is written at sending.

In:        levels and books in integers.
Out:       texts of an update, of a book's base, of a trade: those of the venues' live forms.
Must not know: where levels come from, sockets.

A mark is a run of one byte, as long as the number that is written there (ingest_server.py).
Bitfinex' checksums are left out: they are messages of their own, and few.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import nlargest, nsmallest
from typing import NamedTuple

from mantra.bench.codec_frames import TIME
from mantra.messages.enums import ASK, BID

NUMBER, PREVIOUS, ID, SEQUENCE = "\1", "\2", "\3", "\4"  # see ingest_server.py
MARK = re.compile(b"\1+|\2+|\3+|\4+")
N, U, I, S = NUMBER * 5, PREVIOUS * 11, ID * 11, SEQUENCE * 11  # noqa: E741
FIRST_ID = 10**10  # what a mark of 11 bytes begins with

Level = tuple[int, int, int]  # side, price, volume: in the cycle's units
Books = tuple[dict[int, int], dict[int, int]]


@dataclass
class Cycle:
    """What is said of one book, over and over."""

    venue: str
    exponents: tuple[int, int]
    texts: list[bytes] = field(default_factory=list)
    base: bytes = b""

    def decimal(self, number: int, which: int) -> str:
        exponent = self.exponents[which]
        whole, part = divmod(number, 10**exponent)
        return f"{whole}.{part:0{exponent}}" if exponent else str(whole)

    def level(self, level: Level) -> tuple[str, str]:
        return self.decimal(level[1], 0), self.decimal(level[2], 1)


# ------------------------------------------------------------ the venues' forms


class Speech(NamedTuple):
    """A venue's texts: of an update, of the base, of a trade (side, price, volume)."""

    book: Callable[[Cycle, list[Level], Books], Iterator[str]]
    base: Callable[[Cycle, list[Level], Books], str]
    trade: Callable[[int, str, str], str]


def _pairs(cycle: Cycle, levels: list[Level]) -> tuple[str, str]:
    """[["price","volume"], …] of bids, of asks."""
    bids, asks = (
        ",".join('["{}","{}"]'.format(*cycle.level(level)) for level in levels if level[0] == side)
        for side in (BID, ASK)
    )
    return f"[{bids}]", f"[{asks}]"


def _binance_book(cycle: Cycle, levels: list[Level], _: Books) -> Iterator[str]:
    bids, asks = _pairs(cycle, levels)
    yield (
        f'{{"stream":"x{N}usdt@depth@100ms","data":{{"e":"depthUpdate","E":1618677793000,'
        f'"s":"X{N}USDT","U":{U},"u":{I},"b":{bids},"a":{asks}}}}}'
    )


def _binance_base(cycle: Cycle, levels: list[Level], _: Books) -> str:
    bids, asks = _pairs(cycle, levels)
    return f'{{"lastUpdateId":{FIRST_ID},"bids":{bids},"asks":{asks}}}'


def _binance_trade(side: int, price: str, volume: str) -> str:
    return (
        f'{{"stream":"x{N}usdt@aggTrade","data":{{"e":"aggTrade","E":1618677793000,'
        f'"s":"X{N}USDT","a":{I},"p":"{price}","q":"{volume}","f":1,"l":1,"T":1618677793000,'
        f'"m":{("false", "true")[side]},"M":true}}}}'
    )


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bitfinex_level(cycle: Cycle, level: Level) -> str:
    price, volume = map(_stripped, cycle.level(level))
    count, amount = (1, volume) if level[2] else (0, "1")
    return f"[{price},{count},{'-' if level[0] == ASK else ''}{amount}]"


def _bitfinex_book(cycle: Cycle, levels: list[Level], _: Books) -> Iterator[str]:
    for level in levels:
        yield f"[2{N},{_bitfinex_level(cycle, level)},{S},1618677793000]"


def _bitfinex_base(cycle: Cycle, levels: list[Level], _: Books) -> str:
    rows = ",".join(_bitfinex_level(cycle, level) for level in levels)
    return f"[2{N},[{rows}],{S},1618677793000]"


def _bitfinex_trade(side: int, price: str, volume: str) -> str:
    facts = f"[{I},1618677793000,{('', '-')[side]}{_stripped(volume)},{_stripped(price)}]"
    return f'[3{N},"te",{facts},{S},1618677793000]'


def _bitstamp_book(cycle: Cycle, levels: list[Level], _: Books) -> Iterator[str]:
    bids, asks = _pairs(cycle, levels)
    yield (
        f'{{"data":{{"timestamp":"1618677706","microtimestamp":"{ID * 16}","bids":{bids},'
        f'"asks":{asks}}},"channel":"diff_order_book_x{N}usd","event":"data"}}'
    )


def _bitstamp_base(cycle: Cycle, levels: list[Level], _: Books) -> str:
    bids, asks = _pairs(cycle, levels)
    times = f'"timestamp":"1618677706","microtimestamp":"{10**15}"'
    return f'{{{times},"bids":{bids},"asks":{asks}}}'


def _bitstamp_trade(side: int, price: str, volume: str) -> str:
    return (
        f'{{"data":{{"id":{I},"timestamp":"1618677706","amount":{volume},"amount_str":"{volume}",'
        f'"price":{price},"price_str":"{price}","type":{side},"microtimestamp":"1618677706767437",'
        f'"buy_order_id":1351346142666752,"sell_order_id":1351346142666753}},'
        f'"channel":"live_trades_x{N}usd","event":"trade"}}'
    )


def _coinbase_frame(channel: str, kind: str, what: str) -> str:
    return (
        f'{{"channel":"{channel}","client_id":"","timestamp":"{TIME}","sequence_num":{S},'
        f'"events":[{{"type":"{kind}",{what}}}]}}'
    )


def _coinbase_levels(cycle: Cycle, levels: list[Level], kind: str) -> str:
    rows = ",".join(
        f'{{"side":"{("bid", "offer")[side]}","event_time":"{TIME}",'
        f'"price_level":"{price}","new_quantity":"{volume}"}}'
        for side, price, volume in ((level[0], *cycle.level(level)) for level in levels)
    )
    return _coinbase_frame("l2_data", kind, f'"product_id":"X{N}-USD","updates":[{rows}]')


def _coinbase_book(cycle: Cycle, levels: list[Level], _: Books) -> Iterator[str]:
    yield _coinbase_levels(cycle, levels, "update")


def _coinbase_base(cycle: Cycle, levels: list[Level], _: Books) -> str:
    return _coinbase_levels(cycle, levels, "snapshot")


def _coinbase_trade(side: int, price: str, volume: str) -> str:
    facts = f'"trade_id":"{I}","product_id":"X{N}-USD","price":"{price}","size":"{volume}"'
    trade = f'{{{facts},"side":"{("SELL", "BUY")[side]}","time":"{TIME}"}}'
    return _coinbase_frame("market_trades", "update", f'"trades":[{trade}]')


def _kraken_text(cycle: Cycle, levels: list[Level], books: Books, kind: str) -> str:
    sides = [
        ",".join(
            '{{"price":{},"qty":{}}}'.format(*cycle.level(level))
            for level in levels
            if level[0] == side
        )
        for side in (BID, ASK)
    ]
    best = nsmallest(10, books[ASK].items()) + nlargest(10, books[BID].items())
    check = zlib.crc32("".join(str(number) for level in best for number in level).encode())
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"X{N}/USD","bids":[{sides[0]}],'
        f'"asks":[{sides[1]}],"checksum":{check},"timestamp":"{TIME}"}}]}}'
    )


def _kraken_book(cycle: Cycle, levels: list[Level], books: Books) -> Iterator[str]:
    yield _kraken_text(cycle, levels, books, "update")


def _kraken_base(cycle: Cycle, levels: list[Level], books: Books) -> str:
    return _kraken_text(cycle, levels, books, "snapshot")


def _kraken_trade(side: int, price: str, volume: str) -> str:
    return (
        f'{{"channel":"trade","type":"update","data":[{{"symbol":"X{N}/USD",'
        f'"side":"{("buy", "sell")[side]}","price":{price},"qty":{volume},"ord_type":"limit",'
        f'"trade_id":{I},"timestamp":"{TIME}"}}]}}'
    )


SPEECH = {
    "binance": Speech(_binance_book, _binance_base, _binance_trade),
    "bitfinex": Speech(_bitfinex_book, _bitfinex_base, _bitfinex_trade),
    "bitstamp": Speech(_bitstamp_book, _bitstamp_base, _bitstamp_trade),
    "coinbase": Speech(_coinbase_book, _coinbase_base, _coinbase_trade),
    "kraken": Speech(_kraken_book, _kraken_base, _kraken_trade),
}
