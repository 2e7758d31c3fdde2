"""The checksum of a book: texts of numbers, vectors, and whole re-encoded sessions."""

import json
import shutil
import subprocess
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.books.book import apply_level, apply_update, new_book
from mantra.compiled import JIT
from mantra.exchanges import decoded
from mantra.exchanges.bitfinex.checksum import (
    NUMBER_BYTES,
    TEXT_BYTES,
    book_checksum,
    put_number,
)
from mantra.icc.memory import address_of, aligned_zeros
from mantra.messages.decimals import BYTE, EXPONENT_MAX, to_units
from mantra.messages.enums import ASK, BID
from mantra.messages.records import L2_UPDATE
from tests.exchanges import recorded
from tests.exchanges.bitfinex import reencode
from tests.exchanges.bitfinex.decoding import Connection
from tests.exchanges.bitfinex.naive import checksum, javascript

ROOM = aligned_zeros(TEXT_BYTES, BYTE)
EXACT = 10**15 - 1  # a double has every number of so many digits


def text_of(number: int, exponent: int) -> str:
    room = np.full(2 * NUMBER_BYTES, ord("#"), np.uint8)
    after = put_number(np.int64(number), np.int64(exponent), address_of(room) + 1)
    length = after - address_of(room) - 1
    assert length < NUMBER_BYTES
    assert bytes(room[[0, *range(1 + NUMBER_BYTES, len(room))]]) == b"#" * NUMBER_BYTES
    return bytes(room[1 : 1 + length]).decode()


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("number", "exponent", "text"),
    [
        (0, 0, "0"),
        (0, 8, "0"),
        (63976, 0, "63976"),
        (6397600000000, 8, "63976"),
        (100, 0, "100"),
        (7815425, 8, "0.07815425"),
        (5001, 1, "500.1"),
        (1, 6, "0.000001"),
        (123, 8, "0.00000123"),
        (70, 8, "7e-7"),
        (12, 8, "1.2e-7"),
        (1, 8, "1e-8"),
        (1, 18, "1e-18"),
        (123456789, 18, "1.23456789e-10"),
        ((1 << 63) - 1, 0, "9223372036854775807"),
        ((1 << 63) - 1, 18, "9.223372036854775807"),
        (2 * 10**17 + 1, 18, "0.200000000000000001"),
    ],
)
def test_a_number_is_written_as_the_venue_writes_it(number, exponent, text):
    assert text_of(number, exponent) == text


@settings(max_examples=600 if JIT else 200)
@given(
    number=st.integers(0, EXACT) | st.integers(0, 99) | st.integers(0, 15).map(lambda n: 10**n),
    exponent=st.integers(0, EXPONENT_MAX),
)
def test_a_number_is_written_as_javascript_prints_its_double(number, exponent):
    assert text_of(number, exponent) == javascript(Decimal(number).scaleb(-exponent))


@given(number=st.integers(0, (1 << 63) - 1), exponent=st.integers(0, EXPONENT_MAX))
def test_no_digit_is_lost_however_many_there_are(number, exponent):
    text = text_of(number, exponent)
    assert to_units(text, exponent) == number
    digits = text.partition("e")[0]
    assert not digits.endswith("0") or "." not in digits


@pytest.mark.skipif(not shutil.which("node"), reason="no JavaScript here")
def test_the_naive_twin_prints_numbers_as_javascript_does():
    rng = np.random.default_rng(5)
    numbers = [int(n) for n in 10 ** rng.uniform(0, 15, 2_000)]
    pairs = [(n, int(e)) for n, e in zip(numbers, rng.integers(0, 19, 2_000), strict=True)]
    texts = [f"{number}e-{exponent}" for number, exponent in pairs]
    script = f"console.log(JSON.stringify({json.dumps(texts)}.map(t => String(Number(t)))))"
    told = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    said = json.loads(told.stdout)
    assert said == [javascript(Decimal(text)) for text in texts]
    assert said == [text_of(*pair) for pair in pairs]


# ---------------------------------------------------------------- books


@pytest.mark.parametrize(("bids", "asks"), [(0, 0), (0, 3), (3, 0), (2, 40), (40, 1), (25, 25)])
def test_levels_that_are_not_there_are_left_out(bids, asks):
    connection = Connection({"tBTCUSD": (2, 4)})
    ladders = ([], [])
    with new_book() as book:
        for side, count in ((BID, bids), (ASK, asks)):
            for i in range(count):
                price = 6000 - 7 * i if side == BID else 6001 + 3 * i
                apply_level(book.address, side, price, 150 * (i + 1))
                texts = Decimal(price).scaleb(-2), Decimal(150 * (i + 1)).scaleb(-4)
                ladders[side].append(tuple(map(javascript, texts)))
        said = book_checksum(book.address, connection.index.slot("tBTCUSD"), address_of(ROOM))
    assert said == checksum(*ladders)


def test_the_published_vector():
    vector = json.loads(recorded.path("vectors/bitfinex_checksum.json").read_text())["bitfinex"][0]
    connection = Connection({"tBTCUSD": (8, 8)})
    with new_book() as book:
        for side, name in ((BID, "bids"), (ASK, "asks")):
            for price, volume in vector[name]:
                apply_level(book.address, side, to_units(price, 8), to_units(volume, 8))
        said = book_checksum(book.address, connection.index.slot("tBTCUSD"), address_of(ROOM))
    assert said == vector["crc32_signed"]


def replay(frames, symbol: str, exponents: tuple[int, int], number: int, lose: int = -1):
    """[(checksum of the book, what the venue said)], the frame number `lose` lost."""
    connection = Connection({symbol: exponents})
    connection.open(number, "book", symbol)
    slot, pairs = connection.index.slot(symbol), []
    with new_book() as book:
        for count, raw in enumerate(frames):
            if count == lose:
                continue
            result = connection.decode(raw)
            assert result["status"] == decoded.OK, raw[:200]
            if result["kind"] == decoded.CHECKSUM:
                said = book_checksum(book.address, slot, address_of(ROOM))
                pairs.append((int(said), int(result["checksum"])))
            for i in range(result["count"]):
                level = address_of(connection.records) + i * L2_UPDATE.itemsize
                apply_update(book.address, level)
        assert book.counters.refused == 0
    return pairs


def test_the_recorded_frames_of_another_clients_test():
    """Prices below 0.000001, which have an exponent in the text."""
    name = "bitfinex-api-go/tests_integration_v2_mock_ws_public_test.go.jsonl"
    frames = recorded.path(name).read_bytes().splitlines()
    frames = [raw for raw in frames if raw.startswith(b"[81757")]
    assert replay(frames, "tBTCUSD", (8, 8), 81757) == [(-1175357890, -1175357890)]


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("window", "messages", "bulk"), [(25, 1_000, False), (100, 200, True), (250, 200, True)]
)
def test_every_checksum_of_a_re_encoded_session_is_that_of_the_book(window, messages, bulk):
    pairs = replay(reencode.frames(window, messages, bulk), "tBTCUSD", (2, 8), reencode.CHANNEL)
    assert len(pairs) == messages + 1
    assert all(ours == theirs for ours, theirs in pairs)
    assert len({theirs for _, theirs in pairs}) > messages * 0.9


@pytest.mark.needs_jit
def test_a_lost_update_is_found():
    frames = list(reencode.frames(25, 50, bulk=True))
    pairs = replay(frames, "tBTCUSD", (2, 8), reencode.CHANNEL, lose=20)
    assert any(ours != theirs for ours, theirs in pairs)


@pytest.mark.needs_jit
def test_one_specialisation_serves_every_caller():
    slot = Connection({"tBTCUSD": (8, 8)}).index.slot("tBTCUSD")
    with new_book() as book:
        assert book_checksum(book.address, slot, address_of(ROOM)) == 0
    assert len(book_checksum.signatures) == len(put_number.signatures) == 1
