"""The venue's checksum of a book, to compare with what its `cs` frames say.

In:        an L2OrderBook, the instrument's SYMBOL slot, room for the text.
Out:       CRC-32 as the venue says it: a signed 32-bit integer.
Must not know: frames.

The text is bid:amount:ask:-amount:bid:… of the best LEVELS of each side, where they exist. Numbers
stand there as JavaScript prints them, since the venue sums what it sends: no zeros at the end, and
below 0.000001 with an exponent, 7e-7, 1.2e-7. That follows from the integer and its exponent, so no
raw text is kept (beyond 10 ** 21 it would be an exponent again: no int64 gets there). Source:
https://docs.bitfinex.com/docs/ws-websocket-checksum; raw books (R0) sum orders, and are not read.
"""

import numpy as np

from mantra.books.book import best_price, next_price, volume_at
from mantra.compiled import compiled
from mantra.exchanges.crc32 import crc32, put_digits
from mantra.exchanges.json_scanner import COLON, MINUS, POINT, SMALL_E, ZERO
from mantra.exchanges.symbols import SYMBOL
from mantra.icc.memory import records_at
from mantra.messages.decimals import BYTE
from mantra.messages.enums import ASK, BID

LEVELS = 25
NUMBER_BYTES = 32  # sign, 19 digits, point, five zeros before or an exponent behind, colon
TEXT_BYTES = 4 * LEVELS * NUMBER_BYTES
POINT_MIN = -5  # of numbers without an exponent: 0.000001 is 0.1 times ten to this


@compiled
def put_number(number, exponent, address):
    """Write `number` / 10 ** `exponent`, 0 or more, as JavaScript does: the address after it."""
    while exponent > 0 and number % 10 == 0:
        number, exponent = number // 10, exponent - 1
    after = put_digits(number, address)
    count = after - address
    point = count - exponent  # digits before the point; negative: zeros behind it
    text = records_at(address, NUMBER_BYTES, BYTE)
    if POINT_MIN <= point <= 0:
        for i in range(2 - point):
            text[i] = POINT if i == 1 else ZERO
        return put_digits(number, address + 2 - point)
    whole = max(point, np.int64(1))
    if whole < count:
        for i in range(count, whole, -1):
            text[i] = text[i - 1]
        text[whole] = POINT
        after += 1
    if point < POINT_MIN:
        text[after - address], text[after - address + 1] = SMALL_E, MINUS
        after = put_digits(1 - point, after + 2)
    return after


@compiled
def book_checksum(book, slot, room):
    """Checksum of a book of the instrument at `slot`; `room` is the address of TEXT_BYTES."""
    symbol = records_at(slot, 1, SYMBOL)[0]
    at = room
    price, other = best_price(book, np.int64(BID)), best_price(book, np.int64(ASK))
    for turn in range(2 * LEVELS):
        side = np.int64(ASK if turn & 1 else BID)
        if price != 0:
            at = put_number(price, symbol["price_exponent"], at)
            mark = records_at(at, 2, BYTE)
            mark[0], mark[1] = COLON, MINUS
            volume = volume_at(book, side, price)
            at = put_number(volume, symbol["volume_exponent"], at + 1 + side)
            records_at(at, 1, BYTE)[0] = COLON
            at += 1
            price = next_price(book, side, price)
        price, other = other, price
    crc = crc32(room, max(at - room - 1, np.int64(0)))  # without the last colon
    return crc - ((crc >> 31) << 32)
