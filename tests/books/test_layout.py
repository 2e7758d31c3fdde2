"""The bytes are where the drawing says."""

from mantra.books import layout
from mantra.books.layout import BOOK, SIDE
from mantra.icc.memory import CACHE_LINE


def test_a_book_is_a_head_of_one_line_and_two_sides_of_two():
    assert BOOK.itemsize == 5 * CACHE_LINE
    assert SIDE.itemsize == layout.SIDE_BYTES == 2 * CACHE_LINE
    assert BOOK.fields["sides"][1] == layout.SIDES_OFFSET == CACHE_LINE


def test_every_field_is_a_word():
    assert all(kind == "<i8" for _, kind in SIDE.descr)
    names = ["consistent", "updates", "groups", "crossed", "locked", "refused"]
    assert [BOOK.fields[name][1] for name in names] == list(range(0, 48, 8))


def test_a_bucket_is_a_line_of_prices_and_a_line_of_volumes():
    assert layout.BUCKET_BYTES == 2 * CACHE_LINE
    assert layout.VOLUME_OFFSET == CACHE_LINE
