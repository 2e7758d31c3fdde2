"""The bytes of an exchange are those drawn."""

import pytest

from mantra.exchanges.mock import layout
from mantra.messages.records import BALANCE_UPDATE, FILL, ORDER_UPDATE

EXCHANGE_BYTES = 128 + 64 * 1_025 + 8 * 2_048
SIZES = {"EXCHANGE": EXCHANGE_BYTES, "MARKET": 64, "ORDER": 64, "ACCOUNT": 16, "REPORT": 136}

OFFSETS = {
    "EXCHANGE": {"orders_max": 40, "reports": 64, "open": 96, "refused": 128, "index": 65_728},
    "MARKET": {"keys": 8, "firsts": 24, "lost": 32, "sequence": 40, "in_group": 48, "facts": 56},
    "ORDER": {"held": 32, "queue_ahead": 40, "instrument": 48, "side": 54, "next": 56},
    "REPORT": {"due_at": 8, "message": 16},
}


@pytest.mark.parametrize("record", SIZES)
def test_sizes_are_as_drawn(record):
    assert getattr(layout, record).itemsize == SIZES[record]


@pytest.mark.parametrize("record", OFFSETS)
def test_offsets_are_as_drawn(record):
    fields = getattr(layout, record).fields
    assert {name: fields[name][1] for name in OFFSETS[record]} == OFFSETS[record]


def test_every_message_fits_a_report():
    assert max(r.itemsize for r in (ORDER_UPDATE, BALANCE_UPDATE)) <= FILL.itemsize
    assert FILL.itemsize == layout.REPORT["message"].itemsize
