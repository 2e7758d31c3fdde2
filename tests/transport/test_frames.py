"""The parser beside its naive twin: split at every byte, in small batches, on random bytes."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.compiled import JIT
from mantra.icc.memory import address_of, aligned_zeros
from mantra.transport.frames import (
    BINARY,
    BREACH,
    CLOSE,
    CONNECTION,
    CONNECTION_BYTES,
    CONTINUATION,
    MESSAGE,
    PING,
    POLL,
    PONG,
    TEXT,
    compact,
    parse,
)
from tests.transport.naive import frame, messages

ROOM = 4096


class Reader:
    """A connection whose bytes come from a test."""

    def __init__(self, capacity: int = ROOM, batch: int = 64):
        self.row, self.poll = aligned_zeros(1, CONNECTION), aligned_zeros(1, POLL)
        self.batch = aligned_zeros(batch, MESSAGE)
        self.guarded = np.full(capacity + 64, 0xAB, np.uint8)  # what is behind must stay
        self.row["buffer"], self.row["capacity"] = address_of(self.guarded), capacity
        self.row["open"] = 1
        self.poll["batch"], self.poll["capacity"] = address_of(self.batch), batch
        self.found: list[tuple[int, bytes | int]] = []

    def feed(self, data: bytes) -> None:
        """As poll does: append what there is room for, parse, use the batch, compact."""
        row, more = self.row[0], True
        while (data or more) and row["open"]:
            compact(address_of(self.row))
            end, room = int(row["end"]), int(row["capacity"] - row["end"])
            taken, data = data[:room], data[room:]
            self.guarded[end : end + len(taken)] = np.frombuffer(taken, np.uint8)
            row["end"] += len(taken)
            more = parse(address_of(self.poll), address_of(self.row))
            assert taken or more or not data or not row["open"], "no room, and nothing to do"
            for message in self.batch[: self.poll["count"][0]]:
                kind, length = int(message["kind"]), int(message["length"])
                payload = ctypes.string_at(int(message["address"]), length) if kind < 16 else length
                self.found.append((kind, payload))
            self.poll["count"] = self.poll["events"] = 0
        assert (self.guarded[-64:] == 0xAB).all()


def read(data: bytes, chunk: int = ROOM, capacity: int = ROOM, batch: int = 64):
    reader = Reader(capacity, batch)
    for at in range(0, len(data), chunk):
        reader.feed(data[at : at + chunk])
    return reader.found


STORY = b"".join(
    (
        frame(TEXT, b"one"),
        frame(TEXT, b"fr", last=False),
        frame(PING, b"amid"),
        frame(CONTINUATION, b"", last=False),
        frame(CONTINUATION, b"agme", last=False, wide=2),
        frame(PONG),
        frame(CONTINUATION, b"nts"),
        frame(BINARY, b"", wide=8),
        frame(TEXT, b"x" * 126),
        frame(BINARY, b"y" * 300, last=False),
        frame(CONTINUATION, b"z" * 300),
        frame(CLOSE, b"\x03\xe8bye"),
    )
)


def test_the_story_is_told_right():
    assert read(STORY) == [
        (TEXT, b"one"),
        (PING, frame(PING, b"amid")),
        (PONG, frame(PONG)),
        (TEXT, b"fragments"),
        (BINARY, b""),
        (TEXT, b"x" * 126),
        (BINARY, b"y" * 300 + b"z" * 300),
        (CLOSE, frame(CLOSE, b"\x03\xe8bye")),
    ]


def test_split_in_two_at_every_byte():
    whole = read(STORY)
    for at in range(0, len(STORY), 1 if JIT else 5):
        reader = Reader()
        reader.feed(STORY[:at])
        reader.feed(STORY[at:])
        assert reader.found == whole


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("batch", [1, 2, 64])
def test_in_small_pieces_and_small_batches(chunk, batch):
    assert read(STORY, chunk, batch=batch) == read(STORY)


def test_a_buffer_just_large_enough_is_enough():
    for capacity in range(604, 612):
        expected = messages(STORY, capacity)
        assert read(STORY, 5, capacity) == expected
        assert read(STORY, 5000, capacity) == expected
    assert expected[-1][0] == CLOSE


BREACHES = {
    "a masked frame": (b"\x81\x83\0\0\0\0abc", 1002),
    "reserved bit 1: compression was not agreed": (b"\xc1\x03abc", 1002),
    "reserved bit 2": (b"\xa1\x03abc", 1002),
    "reserved bit 3": (b"\x91\x03abc", 1002),
    "an unknown data opcode": (b"\x83\x00", 1002),
    "an unknown control opcode": (b"\x8b\x00", 1002),
    "a ping in fragments": (b"\x09\x00", 1002),
    "a ping of 126 bytes": (b"\x89\x7e\x00\x7e" + b"p" * 126, 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"abc"), 1002),
    "a new message amid fragments": (frame(TEXT, b"a", last=False) + frame(TEXT, b"b"), 1002),
    "a negative length": (b"\x82\x7f\xff" + b"\xff" * 7, 1002),
    "the longest length": (b"\x82\x7f\x7f" + b"\xff" * 7, 1009),
    "one byte too much": (frame(TEXT, b"x" * (ROOM - 3)), 1009),
    "fragments that are too much together": (
        frame(TEXT, b"x" * 4000, last=False) + frame(CONTINUATION, b"x" * 100),
        1009,
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_ends_the_connection_with_its_close_code(name):
    data, close_code = BREACHES[name]
    for chunk in (1, ROOM):
        assert read(frame(TEXT, b"before") + data + frame(TEXT, b"after"), chunk) == [
            (TEXT, b"before"),
            (BREACH, close_code),
        ]


frames = st.builds(
    frame,
    st.sampled_from([CONTINUATION, TEXT, BINARY, PING, PONG, CLOSE, 3, 11]),
    st.one_of(st.binary(max_size=20), st.integers(100, 400).map(lambda n: b"." * n)),
    st.booleans(),
    st.sampled_from([0, 0, 0, 2, 8]),
)
streams = st.one_of(st.lists(frames, max_size=30).map(b"".join), st.binary(max_size=200))


@settings(max_examples=150)
@given(streams, st.integers(1, 600), st.sampled_from([1, 3, 64]), st.integers(300, 900))
def test_as_the_naive_twin_on_anything(data, chunk, batch, capacity):
    assert read(data, chunk, capacity, batch) == messages(data, capacity)


def test_layouts():
    assert (MESSAGE.itemsize, MESSAGE.fields["ts_received"][1]) == (48, 16)
    assert CONNECTION_BYTES == CONNECTION.itemsize == 19 * 8
    assert POLL.itemsize == 16 * 8
