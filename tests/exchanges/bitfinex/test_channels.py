"""The channels of a connection beside a dict."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges.bitfinex.channels import (
    BOOK,
    CHANNEL,
    CHANNEL_BYTES,
    OTHER,
    SLOTS,
    TRADES,
    close_channel,
    find_channel,
)
from mantra.icc.memory import address_of
from tests.exchanges.bitfinex.decoding import Connection

OPEN_MAX = 36  # seen on one connection


def kind_of(connection: Connection, number: int) -> int | None:
    address = find_channel(address_of(connection.channels), number)
    if not address:
        return None
    channel = connection.channels[(address - address_of(connection.channels)) // CHANNEL_BYTES]
    assert channel["number"] == number
    return int(channel["kind"])


def test_a_channel_is_four_words():
    assert CHANNEL.itemsize == 32
    assert [CHANNEL.fields[name][1] for name in CHANNEL.names] == [0, 8, 16, 24]


def test_an_answer_says_what_a_channel_carries():
    connection = Connection({"tBTCUSD": (8, 8)})
    for number, (channel, prec, kind) in enumerate(
        [
            ("book", "P0", BOOK),
            ("book", "P4", BOOK),
            ("book", "R0", OTHER),
            ("trades", "", TRADES),
            ("ticker", "", OTHER),
            ("candles", "", OTHER),
        ]
    ):
        connection.open(number, channel, "tBTCUSD", prec)
        assert kind_of(connection, number) == kind
        at = connection.channels[number]
        assert at["slot"] == (0 if kind == OTHER else connection.index.slot("tBTCUSD"))
    assert kind_of(connection, 6) is None


def test_a_channel_opened_again_waits_for_its_snapshot():
    connection = Connection({"tBTCUSD": (8, 8)})
    connection.open(5, "book", "tBTCUSD")
    connection.channels[5]["has_snapshot"] = 1
    connection.open(5, "book", "tBTCUSD")
    assert connection.channels[5]["has_snapshot"] == 0
    assert (connection.channels["kind"] != 0).sum() == 1


def test_a_symbol_that_is_not_in_the_tables_is_refused():
    connection = Connection({"tBTCUSD": (8, 8)})
    with pytest.raises(LookupError, match="tETHUSD"):
        connection.open(5, "book", "tETHUSD")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 9).map(lambda n: n * SLOTS) | st.integers(0, 200)),
        max_size=200,
    )
)
def test_channels_come_and_go_as_in_a_dict(changes):
    connection = Connection({"tBTCUSD": (8, 8)})
    opened: set[int] = set()
    for opens, number in changes:
        if opens and len(opened) < OPEN_MAX:
            connection.open(number, "trades", "tBTCUSD")
            opened.add(number)
        else:
            close_channel(connection.channels, number)
            opened.discard(number)
    for number in range(10 * SLOTS):
        assert kind_of(connection, number) == (TRADES if number in opened else None)
    assert kind_of(connection, (1 << 63) - 1) is None
    assert kind_of(connection, -5) is None
