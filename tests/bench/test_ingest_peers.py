"""Peers' side: books of texts, and the count that is shown."""

import json

import pytest

from mantra.bench.ingest_peers import PEERS, TAKE, Sign, new_books
from mantra.bench.ingest_speech import MARK, SPEECH, Cycle
from mantra.messages.enums import ASK, BID

LEVELS = [(BID, 12_345, 250), (ASK, 12_350, 75)]


@pytest.mark.parametrize("venue", SPEECH)
def test_a_peer_keeps_what_was_said(venue):
    books, cycle = new_books(), Cycle(venue, (2, 3))
    texts = [*SPEECH[venue].book(cycle, LEVELS, ({}, {})), SPEECH[venue].trade(ASK, "1.5", "2.5")]
    for text in texts:
        TAKE[venue](json.loads(MARK.sub(lambda m: b"1" * len(m[0]), text.encode())), books)
    (book,) = books.values()
    found = [[(float(p), abs(float(q))) for p, q in side.items()] for side in book]
    assert found == [[(123.45, 0.25)], [(123.5, 0.075)]]


def test_a_count_is_where_others_see_it(tmp_path):
    path = tmp_path / "count"
    path.write_bytes(bytes(8))
    sign = Sign(str(path), lambda: 1234)
    sign.show()
    assert int.from_bytes(path.read_bytes(), "little") == 1234


def test_peers_are_those_of_the_bench():
    assert set(PEERS) == {"picows", "websockets", "cryptofeed"}
