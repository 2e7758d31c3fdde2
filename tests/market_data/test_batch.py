"""One step of the handler on its own: messages of a batch, and what Python is asked for."""

import gzip

import numpy as np
import pytest

from mantra.actors.actor import CALL_PYTHON
from mantra.icc.memory import address_of, aligned_zeros, records_at
from mantra.market_data.batch import CONTEXT, NOTE, handle
from mantra.market_data.raw import RawFiles
from mantra.market_data.take import CONTROL, KEEP, REFUSED
from mantra.telemetry.clock import read_ticks
from mantra.telemetry.tracked import TRACK
from mantra.transport.frames import MESSAGE, POLL, TEXT
from tests.market_data.desk import FeedDesk
from tests.market_data.test_take import diff

HEARTBEAT = b'{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}'
SUBSCRIBED = b'{"event":"bts:subscription_succeeded","channel":"diff_order_book_btcusd","data":{}}'


class Batch:
    """Messages in memory as a poll leaves them, and the context of a step."""

    def __init__(self, desk, texts):
        self.feed, self.texts = desk.feed, [np.frombuffer(text, np.uint8) for text in texts]
        self.messages = aligned_zeros(len(texts), MESSAGE)
        for row, text in zip(self.messages, self.texts, strict=True):
            row["address"], row["length"], row["kind"] = address_of(text), len(text), TEXT
            row["ts_received"] = read_ticks()
        self.poll, self.notes = aligned_zeros(1, POLL), aligned_zeros(len(texts), NOTE)
        self.poll["batch"] = address_of(self.messages)
        self.context = aligned_zeros(1, CONTEXT)
        context = self.context[0]
        context["track"] = desk.feed.record["track"][0]
        records_at(int(context["track"]), 1, TRACK)[0]["enabled"] = 0  # the desk has no timers
        context["pool"], context["feed"] = address_of(self.poll), desk.feed.address
        context["decoded"] = address_of(desk.feed.decoded)
        context["todo"], context["count"] = address_of(self.notes), len(texts)
        context["deadline"] = 1 << 62

    def step(self):
        return handle(address_of(self.context))

    def asked(self):
        return self.notes["what"][: self.context["todo_count"][0]].tolist()


@pytest.fixture
def binance():
    with FeedDesk({"binance": {"BTCUSDT": (2, 5)}}) as desk:
        desk.feed.open(0, "binance", 0, bridged=True)
        desk.feed.ask(0, 0)
        yield desk


def test_each_message_that_asks_for_python_is_noted(binance):
    batch = Batch(binance, [diff(5, 6), b"{nonsense", diff(7, 7)])
    assert batch.step() == CALL_PYTHON
    assert batch.asked() == [KEEP, REFUSED, KEEP]
    assert batch.notes["message"].tolist() == [0, 1, 2]


def test_a_control_message_is_python_s_before_what_stands_behind_it():
    with FeedDesk({"bitstamp": {"btcusd": (2, 8)}}) as desk:
        desk.feed.open(0, "bitstamp", 0, bridged=True)
        batch = Batch(desk, [SUBSCRIBED, HEARTBEAT])
        assert batch.step() == CALL_PYTHON
        assert (batch.asked(), int(batch.context["next"][0])) == ([CONTROL], 1)
        batch.context["todo_count"] = 0
        assert batch.step() == 1
        assert int(batch.context["next"][0]) == 2


def test_raw_frames_are_kept_before_they_are_taken(binance, tmp_path):
    files = RawFiles(tmp_path, "binance")
    binance.feed.connections[0]["raw"] = files.address
    serial = int(binance.feed.connections[0]["serial"])
    texts = [diff(5, 6), b"{nonsense"]
    Batch(binance, texts).step()
    files.close()
    with gzip.open(tmp_path / "raw" / "binance.00000.gz") as lines:
        kept = [line.rstrip(b"\n").split(b" ", 2) for line in lines]
    assert [(mark, text) for _, mark, text in kept] == [(b"#%d" % serial, text) for text in texts]
