"""Every record's size, by composition, and every field's offset: the contract, byte by byte."""

import numpy as np
import pytest

from mantra.messages import records

WORD, HALF, QUARTER, BYTE = 8, 4, 2, 1
HEAD = {"ts_origin": 0, "published": 8}
LINE = 64 - WORD  # a cache line without the queue's version word

SIZES = {
    "L2_UPDATE": 6 * WORD + HALF + 2 * BYTE + QUARTER,
    "TRADE_UPDATE": 6 * WORD + HALF + 2 * BYTE + QUARTER,
    "ORDER_REQUEST": 5 * WORD + HALF + 2 * QUARTER + 4 * BYTE + HALF,
    "ORDER_UPDATE": 6 * WORD + HALF + QUARTER + 2 * BYTE,
    "FILL": 9 * WORD + 2 * HALF + QUARTER + 2 * BYTE + HALF + 4 * WORD,
    "BALANCE_UPDATE": 6 * WORD + HALF + 2 * QUARTER,
    "SYSTEM_EVENT": 6 * WORD + HALF + 2 * QUARTER,
    "TIMING": 4 * WORD + 2 * HALF + 2 * WORD,
    "IDEAL_ORDER": 4 * WORD + HALF + 4 * BYTE + WORD + 2 * QUARTER + HALF,
}

OFFSETS = {
    "L2_UPDATE": {
        **HEAD,
        **{"ts_exchange": 16, "price": 24, "volume": 32, "sequence": 40},
        **{"instrument": 48, "side": 52, "flags": 53, "unused": 54},
    },
    "TRADE_UPDATE": {
        **HEAD,
        **{"ts_exchange": 16, "price": 24, "volume": 32, "trade_id": 40},
        **{"instrument": 48, "side": 52, "flags": 53, "unused": 54},
    },
    "ORDER_REQUEST": {
        **HEAD,
        **{"order_id": 16, "price": 24, "volume": 32, "instrument": 40, "model": 44, "row": 46},
        **{"kind": 48, "side": 49, "type": 50, "time_in_force": 51, "unused": 52},
    },
    "ORDER_UPDATE": {
        **HEAD,
        **{"ts_exchange": 16, "order_id": 24, "price": 32, "leaves": 40},
        **{"instrument": 48, "model": 52, "event": 54, "reason": 55},
    },
    "FILL": {
        **HEAD,
        **{"ts_exchange": 16, "order_id": 24, "price": 32, "volume": 40, "leaves": 48, "fee": 56},
        **{"trade_id": 64, "instrument": 72, "fee_asset": 76, "model": 80, "side": 82},
        **{"liquidity": 83, "unused": 84, "unused_words": 88},
    },
    "BALANCE_UPDATE": {
        **HEAD,
        **{"ts_exchange": 16, "total": 24, "held": 32, "order_id": 40},
        **{"asset": 48, "venue": 52, "unused": 54},
    },
    "SYSTEM_EVENT": {
        **HEAD,
        **{"ts_exchange": 16, "value": 24, "detail": 32, "unused": 40},
        **{"instrument": 48, "venue": 52, "kind": 54},
    },
    "TIMING": {
        **HEAD,
        **{"ts_start": 16, "ts_stop": 24, "timer": 32, "work": 36, "detail": 40},
        "unused": 48,
    },
    "IDEAL_ORDER": {
        **HEAD,
        **{"price": 16, "volume": 24, "instrument": 32, "side": 36, "type": 37},
        **{"time_in_force": 38, "unused": 39, "revision": 40},
        **{"model": 48, "row": 50, "unused_half": 52},
    },
}


def test_every_record_of_the_module_is_in_these_tables():
    found = {name for name, value in vars(records).items() if isinstance(value, np.dtype)}
    assert found == set(SIZES) == set(OFFSETS)


@pytest.mark.parametrize("name", SIZES)
def test_a_record_has_the_size_of_its_parts_and_fits_its_slot(name):
    record = getattr(records, name)
    assert record.itemsize == SIZES[name]
    assert record.itemsize in (LINE, LINE + 64)
    assert record.isalignedstruct


@pytest.mark.parametrize("name", OFFSETS)
def test_every_field_is_where_it_is_drawn(name):
    record = getattr(records, name)
    assert {field: record.fields[field][1] for field in record.names} == OFFSETS[name]


@pytest.mark.parametrize("name", SIZES)
def test_a_record_holds_integers_only(name):
    record = getattr(records, name)
    assert {record.fields[field][0].base.kind for field in record.names} == {"i"}


@pytest.mark.parametrize("queue", records.QUEUE_RECORDS)
def test_every_queue_carries_a_record_that_begins_with_the_head(queue):
    record = records.QUEUE_RECORDS[queue]
    assert {field: record.fields[field][1] for field in record.names[:2]} == HEAD
