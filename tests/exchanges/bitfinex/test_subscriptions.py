"""What is sent to the venue."""

import json

from mantra.exchanges.bitfinex.subscriptions import (
    CHANNELS,
    CHANNELS_MAX,
    RULES,
    subscribe,
    unsubscribe,
)

TIMESTAMP, SEQ_ALL, OB_CHECKSUM, BULK_UPDATES = 32768, 65536, 131072, 536870912


def test_a_connection_is_told_how_to_frame_before_anything_is_asked_for():
    assert [
        json.loads(text) for text in subscribe(["tBTCUSD", "tDUSK:USD"], ["book", "trades"])
    ] == [
        {"event": "conf", "flags": TIMESTAMP + SEQ_ALL + OB_CHECKSUM + BULK_UPDATES},
        *(
            {"event": "subscribe", "symbol": symbol} | facts
            for symbol in ("tBTCUSD", "tDUSK:USD")
            for facts in (
                {"channel": "book", "prec": "P0", "freq": "F0", "len": "250"},
                {"channel": "trades"},
            )
        ),
    ]


def test_a_channel_is_ended_by_its_number():
    assert unsubscribe([5, 17082]) == [
        '{"event":"unsubscribe","chanId":5}',
        '{"event":"unsubscribe","chanId":17082}',
    ]


def test_a_full_connection_is_within_the_venues_limit():
    symbols = [f"t{number:03}USD" for number in range(RULES.symbols_max)]
    asked = subscribe(symbols, list(CHANNELS))[1:]
    assert CHANNELS_MAX - len(CHANNELS) < len(asked) <= CHANNELS_MAX
