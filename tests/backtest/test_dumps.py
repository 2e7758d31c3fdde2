"""Dumps of connections: each kind of line, exact times, and the capture they become."""

import gzip
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantra.backtest.captures import pieces
from mantra.backtest.dumps import (
    ANSWER,
    FRAME,
    OPENED,
    SENT,
    Event,
    as_capture,
    is_dump,
    read_event,
)

WSS, REST = b"wss://ws.bitstamp.net/", b"https://www.bitstamp.net/api/v2/order_book/ltcusd"
LINES = {
    WSS + b" <-> 1618677690.992526": Event(OPENED, 1618677690992526000, WSS, b""),
    WSS + b' <- 1618677691.495689: {"a":1}': Event(SENT, 1618677691495689000, WSS, b'{"a":1}'),
    REST + b' -> 1618677696.673506: {"b": 2}': Event(
        ANSWER, 1618677696673506000, REST, b'{"b": 2}'
    ),
    REST + b' -> 1618677696: {} header: {"c": "d: e"}': Event(
        ANSWER, 1618677696000000000, REST, b"{}"
    ),
    b"1618677697.7637959: [1: 2]": Event(FRAME, 1618677697763795900, b"", b"[1: 2]"),
    b"1618677697.7637959: x\r": Event(FRAME, 1618677697763795900, b"", b"x"),
}


@pytest.mark.parametrize(("line", "event"), LINES.items())
def test_a_line_says_what_happened_when(line, event):
    assert read_event(line) == event
    assert is_dump(b"\n" + line + b"\n...")


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"1723161253937085768 {}", b"x: {}", b"1.5: {}", b"12345678901: {}", b"a - 1: b"],
)
def test_what_is_no_line_of_a_dump_is_none(line):
    assert read_event(line) is None
    assert not is_dump(line)


@given(st.decimals(1_000_000_000, 9_223_372_036, places=9))
def test_times_are_exact(seconds):
    assert read_event(b"%b: {}" % str(seconds).encode()).ts_ns == int(seconds * Decimal(10**9))


@pytest.mark.parametrize(
    ("address", "symbol"),
    [
        (b"https://www.bitstamp.net/api/v2/order_book/ltcusd", b"@ltcusd "),
        (b"https://www.bitstamp.net/api/v2/order_book/ltcusd/?group=1", b"@ltcusd "),
        (b"https://www.binance.com/api/v1/depth?symbol=BUSDTRY&limit=1000", b"@BUSDTRY "),
        (b"https://api.kraken.com/0/public/Depth?count=9&pair=XBTUSD", b"@XBTUSD "),
        (b"https://api.pro.coinbase.com/products/BTC-USD/book?level=3", b"@BTC-USD "),
        (b"https://www.bitstamp.net/api/v2/trading-pairs-info/", b""),
    ],
)
def test_an_answer_carries_the_symbol_asked_for(address, symbol):
    line = address + b" -> 1618677696.5: {}"
    assert as_capture(line) == b"1618677696500000000 " + symbol + b"{}"


def test_a_dump_becomes_a_capture_of_as_many_lines(tmp_path):
    text = b"\n".join([*LINES, b"", b"configuration: {}", b"damaged", b""])
    assert as_capture(text).split(b"\n") == [
        b"",
        b"",
        b'1618677696673506000 @ltcusd {"b": 2}',
        b"1618677696000000000 @ltcusd {}",
        b"1618677697763795900 [1: 2]",
        b"1618677697763795900 x",
        b"",
        b"",
        b"damaged",
        b"",
    ]
    for packed in (text, gzip.compress(text)):
        (tmp_path / "dump").write_bytes(packed)
        ((piece, _),) = pieces(tmp_path / "dump", [])
        assert piece.text.tobytes() == as_capture(text)
        assert len(piece.ends) == len(LINES) + 3
