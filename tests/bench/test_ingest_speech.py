"""What venues are made to say: JSON once its marks are numbers, with the levels it was given."""

import json

import pytest

from mantra.bench import ingest_speech
from mantra.bench.ingest_speech import MARK, SPEECH, Cycle
from mantra.messages.enums import ASK, BID

LEVELS = [(BID, 12_345, 250), (ASK, 12_350, 0)]
BOOKS = ({12_345: 250}, {12_360: 75})


@pytest.mark.parametrize("venue", SPEECH)
def test_every_text_is_json_once_its_marks_are_numbers(venue):
    cycle, speak = Cycle(venue, (2, 3)), SPEECH[venue]
    texts = [*speak.book(cycle, LEVELS, BOOKS), speak.base(cycle, LEVELS, BOOKS)]
    texts.append(speak.trade(ASK, "123.45", "0.250"))
    for text in texts:
        said = MARK.sub(lambda m: b"1" * len(m[0]), text.encode())
        json.loads(said)
        assert b"0.25" in said or b"123.5" in said
        assert not set(said) & {1, 2, 3, 4}


def test_decimals_have_the_digits_of_their_exponent():
    cycle = Cycle("kraken", (1, 3))
    assert cycle.level((BID, 1205, 5)) == ("120.5", "0.005")
    assert Cycle("kraken", (0, 0)).level((BID, 7, 3)) == ("7", "3")


def test_bitfinex_deletes_by_a_count_of_nothing():
    texts = list(SPEECH["bitfinex"].book(Cycle("bitfinex", (2, 3)), LEVELS, BOOKS))
    assert [text.split(",[")[1].split("]")[0] for text in texts] == [
        "123.45,1,0.25",
        "123.5,0,-1",
    ]


def test_marks_of_eleven_bytes_begin_at_the_first_id():
    assert len(ingest_speech.I) == len(str(ingest_speech.FIRST_ID))
