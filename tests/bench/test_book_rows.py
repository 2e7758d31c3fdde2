"""The rows that books are measured on are a book's: whole groups, never crossed, read exactly."""

import gzip
import json

import numpy as np
import pytest

from mantra.bench import book_rows
from mantra.bench.book_rows import random_walk, read_rows
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from tests.books.naive import NaiveBook

SNAPSHOT_LINE = {
    "lastUpdateId": 10,
    "bids": [["100.50", "2.00000"], ["99.00", "1.00000"]],
    "asks": [["101.00", "0.12500"]],
}
STALE = {"u": 10, "E": 5, "b": [["1.00", "1.00000"]], "a": []}
DEPTH = {"u": 12, "E": 7, "b": [["100.50", "0.00000"]], "a": [["101.25", "3.00000"]]}


def write(path, *messages):
    with gzip.open(path, "wt") as lines:
        for message in messages:
            lines.write(f"1723161253937085768 {json.dumps(message)}\n")
    return path


def stream(data):
    return {"stream": "btcusdt@depth@100ms", "data": data}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MANTRA_CACHE", str(tmp_path / "cache"))


def test_the_snapshot_comes_first_and_what_it_holds_already_is_left_out(tmp_path):
    trade = {"stream": "btcusdt@trade", "data": {}}
    file = write(tmp_path / "a.gz", stream(STALE), trade, SNAPSHOT_LINE, stream(DEPTH))
    rows = read_rows([file])
    assert rows["price"].tolist() == [10050, 9900, 10100, 10050, 10125]
    assert rows["volume"].tolist() == [2000, 1000, 125, 0, 3000]
    assert rows["side"].tolist() == [BID, BID, ASK, BID, ASK]
    assert rows["flags"].tolist() == [FIRST | SNAPSHOT, SNAPSHOT, LAST | SNAPSHOT, FIRST, LAST]
    assert rows["sequence"].tolist() == [10, 10, 10, 12, 12]
    assert rows["ts_exchange"].tolist() == [7_000_000] * 5


def test_rows_read_again_come_from_the_cache_and_are_the_same(tmp_path, monkeypatch):
    file = write(tmp_path / "a.gz", SNAPSHOT_LINE, stream(DEPTH))
    rows = read_rows([file])
    monkeypatch.setattr(book_rows, "_groups", None)
    assert np.array_equal(read_rows([file]), rows)


def test_files_without_a_snapshot_are_refused_by_name(tmp_path):
    file = write(tmp_path / "only_depth.gz", stream(DEPTH))
    with pytest.raises(ValueError, match=r"no depth snapshot in .*only_depth\.gz"):
        read_rows([file])


def test_a_random_walk_is_a_book_that_never_crosses():
    rows = random_walk(6000)
    naive = NaiveBook()
    for row in rows:
        said = naive.apply_update(
            *(int(row[name]) for name in ("side", "price", "volume", "flags"))
        )
        assert said >= 0
    assert naive.groups > 50
    assert naive.crossed == naive.locked == 0
    assert 1000 < len(naive.sides[BID]) < 3000


def test_the_same_seed_walks_the_same_way():
    assert np.array_equal(random_walk(4000, seed=5), random_walk(4000, seed=5))
    assert not np.array_equal(random_walk(4000, seed=5), random_walk(4000, seed=6))
