"""The compiled loop: where lines begin, what their time is; the steps of numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.backtest import import_lines
from mantra.backtest.captures import piece_of
from mantra.backtest.import_lines import BATCH, common_divisor, next_message
from mantra.backtest.import_survey import set_piece
from mantra.exchanges.symbols import SymbolIndex
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.messages.decimals import BYTE
from mantra.messages.tables import Tables

NS = b"1723161253937085768"


def messages(text: bytes) -> tuple[list[bytes | None], np.void]:
    """The message of each line (None: not a line), and the batch after them."""
    batch, piece = aligned_zeros(1, BATCH), piece_of(text, 1)
    index = SymbolIndex(Tables(), 0)
    batch["index"] = index.address
    set_piece(batch, piece)
    found: list[bytes | None] = []
    for _ in piece.ends:
        next_message(address_of(batch))
        at, length = (int(batch[name][0]) for name in ("message", "length"))
        found.append(records_at(at, length, BYTE).tobytes() if length > 0 else None)
        if length == 0:
            found[-1] = b""
    return found, batch[0]


def test_the_message_is_what_follows_the_time():
    found, batch = messages(NS + b" {}\n" + NS + b" [1]\r\n\n" + NS + b" 2")
    assert found == [b"{}", b"[1]", b"", b"2"]
    assert batch["ts_first"] == batch["ts_local"] == int(NS)


@pytest.mark.parametrize(
    "line", [b"x", NS, NS + b"\t{}", NS[:18] + b" {}", NS + b"1 {}", NS[:15] + b" {}", b" " + NS]
)
def test_a_line_without_a_time_of_16_or_19_digits_is_none(line):
    assert messages(line)[0] == [None]


def test_a_line_may_name_the_symbol_that_was_asked_for():
    found, batch = messages(NS + b" @btcusd {}\n" + NS + b" @btcusd\n" + NS + b" @ 1")
    assert found == [b"{}", b"", b"1"]
    assert batch["position"] == len(NS) + len(" @ ")


def test_a_time_that_fits_no_int64_is_none():
    assert messages(b"9" * 19 + b" {}\n9300000000000000000 {}")[0] == [None, None]


def test_a_clock_that_goes_back_stands_still_and_is_counted():
    lines = b"1723161253937085768 a\n1723161253937085 b\n1723161253937086 c"
    _, batch = messages(lines)
    assert (batch["clock_back"], batch["ts_local"]) == (1, 1723161253937086000)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**62), max_size=6))
def test_the_common_divisor_is_pythons(numbers):
    divisor = 0
    for number in numbers:
        divisor = int(common_divisor(np.int64(divisor), np.int64(number)))
    assert divisor == math.gcd(*numbers)


def test_every_reason_has_a_name():
    assert import_lines.REASONS[import_lines.NOT_A_LINE].startswith("not a line")
