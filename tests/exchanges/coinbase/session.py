"""The recorded session of the Exchange: its listing, its frames, books beside plain dicts."""

import re
from collections import Counter
from collections.abc import Iterable

from mantra.books.book import (
    apply_update,
    best_price,
    best_volume,
    levels,
    new_book,
    next_price,
    volume_at,
)
from mantra.exchanges import decoded
from mantra.exchanges.coinbase.instruments import parse
from mantra.exchanges.decoded import KINDS
from mantra.icc.memory import address_of
from mantra.messages.enums import ASK, BID
from mantra.messages.records import L2_UPDATE
from tests.books.naive import NaiveBook
from tests.exchanges import recorded
from tests.exchanges.coinbase.decoding import Venue, assert_same_as_naive

FOLDER = "cryptofeed/2021-04-17_3525dc8c"
PRODUCTS = (
    *("SKL-USD", "SKL-BTC", "BAND-GBP", "NMR-EUR", "BAND-BTC"),
    *("YFI-BTC", "DASH-BTC", "NU-GBP", "CRV-EUR", "SKL-GBP"),
)
WHOLE_LADDER_EVERY = 100


def listing() -> bytes:
    lines = recorded.path(f"{FOLDER}/COINBASE.0").read_bytes().splitlines()
    answer = re.fullmatch(rb"\S+/products -> [0-9.]+: (\[.*\])(?: header: .*)?", lines[0])
    assert answer
    return answer[1]


def frames() -> list[bytes]:
    name = f"{FOLDER}/COINBASE.ws.28.0"
    return [raw for _, raw in recorded.cryptofeed_messages(name)]


def exponents() -> dict[str, tuple[int, int]]:
    """The session's products as the venue itself listed them then."""
    found = {one.symbol: (one.price_exponent, one.volume_exponent) for one in parse(listing())}
    return {product: found[product] for product in PRODUCTS}


def replay(venue: Venue, messages: Iterable[bytes]) -> tuple[Counter, Counter]:
    """(messages of each kind, groups of each instrument), all compared with what is naive.

    After each group the books agree on the touch, the touched levels and the count of levels; now
    and then, and at the end, on every level.
    """
    books = {instrument: new_book() for instrument, _, _ in venue.symbols.values()}
    plain = {instrument: NaiveBook() for instrument in books}
    kinds: Counter = Counter()
    groups: Counter = Counter()
    for raw in messages:
        expected = assert_same_as_naive(venue, raw)["rows"]
        kind = KINDS[venue.result[0]["kind"]]
        kinds[kind] += 1
        if kind not in ("depth", "snapshot"):
            continue
        begin = address_of(venue.records)
        touched = set()
        for place, (instrument, side, price, volume, *_, flags) in enumerate(expected):
            apply_update(books[instrument].address, begin + place * L2_UPDATE.itemsize)
            plain[instrument].apply_update(side, price, volume, flags)
            touched.add((instrument, side, price))
        for instrument in {instrument for instrument, _, _ in touched}:
            groups[instrument] += 1
            assert_same_touch(books[instrument].address, plain[instrument])
            if groups[instrument] % WHOLE_LADDER_EVERY == 1:
                assert_same_ladders(books[instrument].address, plain[instrument])
        for instrument, side, price in touched:
            book = books[instrument].address
            assert volume_at(book, side, price) == plain[instrument].volume_at(side, price)
    for instrument, book in books.items():
        assert_same_ladders(book.address, plain[instrument])
        assert book.counters.crossed == book.counters.refused == 0
        book.close()
    assert venue.result[0]["status"] == decoded.OK
    return kinds, groups


def assert_same_touch(book: int, plain: NaiveBook) -> None:
    for side in (BID, ASK):
        ladder = plain.ladder(side)
        assert levels(book, side) == len(ladder)
        best = (int(best_price(book, side)), int(best_volume(book, side)))
        assert best == (ladder[0] if ladder else (0, 0))


def assert_same_ladders(book: int, plain: NaiveBook) -> None:
    for side in (BID, ASK):
        ladder, price = [], best_price(book, side)
        while price:
            ladder.append((int(price), int(volume_at(book, side, price))))
            price = next_price(book, side, price)
        assert ladder == plain.ladder(side)
