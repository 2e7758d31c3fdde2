"""The book bench measures books that end right, and says what it could not measure."""

import pytest

from mantra.bench import book
from mantra.bench.book_rows import random_walk


def test_the_bench_says_what_it_could_not_measure(monkeypatch):
    monkeypatch.setattr(book, "recorded_files", list)
    monkeypatch.setattr(book, "find_spec", lambda name: None)
    bench = book.run(quick=True, repeats=1, updates=3500)
    assert {"updates_per_s", "updates_queried_per_s", "dict_per_s"} <= bench.results.keys()
    assert not bench.bars
    assert [word for note in bench.notes for word in ("walk", "sorted", "hft") if word in note] == [
        "walk",
        "sorted",
        "hft",
    ]


def test_a_book_that_ends_elsewhere_fails_the_bench():
    rows = book.Rows(random_walk(3500))
    with pytest.raises(AssertionError, match="some book ends at 1 / 2"):
        rows.check("some book", 1, 2)


def test_every_contender_here_ends_where_the_rows_do():
    pytest.importorskip("sortedcontainers")
    rows = book.Rows(random_walk(3500))
    for timed in (book._time_dict, book._time_sorted):
        assert timed(rows) > 0
    assert book._time_book(rows, book.replay_queried) > 0


@pytest.mark.needs_jit
@pytest.mark.parametrize("depth", ["HashMap", "ROIVector"])
def test_hftbacktest_ends_where_the_rows_do(depth):
    pytest.importorskip("hftbacktest")
    rows = book.Rows(random_walk(3500))
    assert book._time_hftbacktest(rows, book.hftbacktest_events(rows.records), depth) > 0
