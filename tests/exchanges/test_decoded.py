"""The record of what was decoded: layout, and a name for every number."""

from mantra.exchanges import decoded
from mantra.exchanges.decoded import DECODED, KINDS, STATUSES
from mantra.messages import decimals


def test_the_record_is_laid_out_as_drawn():
    drawn = {"kind": 0, "status": 8, "position": 16, "instrument": 24, "first_id": 32}
    drawn |= {"last_id": 40, "previous_id": 48, "ts_exchange": 56, "checksum": 64}
    drawn |= {"connection_id": 72, "count": 80, "bids": 88, "symbol": 96, "symbol_length": 104}
    drawn |= {"text": 112, "records": 120, "capacity": 128, "scratch": 136}
    assert {name: DECODED.fields[name][1] for name in DECODED.names} == drawn
    assert DECODED.itemsize == 136 + 64 * 8


def test_every_kind_and_status_has_its_name():
    assert KINDS[decoded.CONTROL] == "control"
    assert len(KINDS) == decoded.CONTROL + 1
    assert STATUSES[decoded.TOO_MANY_LEVELS] == "too many levels"
    assert len(STATUSES) == decoded.TOO_MANY_LEVELS + 1


def test_the_statuses_of_decimals_are_those_of_messages():
    assert STATUSES[: len(decimals.STATUSES)] == decimals.STATUSES
    assert decoded.TOO_PRECISE == decimals.TOO_PRECISE
