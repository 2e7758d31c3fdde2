"""Compressed messages, beside the `websockets` library's own extension and zlib."""

import contextlib
import itertools
import json
import random
import threading
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.sync.server import serve

from mantra.compiled import JIT
from mantra.transport.frames import (
    BINARY,
    BREACH,
    CONTINUATION,
    PING,
    TEXT,
    compact,
    hand_out,
    parse,
)
from mantra.transport.inflate import INFLATER, Z_STREAM, Inflater, inflate, is_full
from tests.transport.naive import frame
from tests.transport.test_frames import Reader

LIMIT = 4096
TAIL = b"\0\0\xff\xff"
RSV1 = 0x40


class Packer:
    """A server's side: messages -> payloads without their tail."""

    def __init__(self, bits: int = 15, forgets: bool = False, level: int = 6):
        self.make = lambda: zlib.compressobj(level, wbits=-bits)
        self.forgets, self.packer = forgets, self.make()

    def __call__(self, text: bytes) -> bytes:
        if self.forgets:
            self.packer = self.make()
        packed = self.packer.compress(text) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        return packed.removesuffix(TAIL)


def packed_frames(payload: bytes, kind: int = TEXT, pieces: int = 1) -> bytes:
    """A compressed message in so many frames: RSV1 on the first."""
    size = -(-len(payload) // pieces) or 1
    parts = [payload[at : at + size] for at in range(0, max(len(payload), 1), size)]
    story = b"".join(
        frame(CONTINUATION if i else kind, part, last=i == len(parts) - 1)
        for i, part in enumerate(parts)
    )
    return bytes([story[0] | RSV1]) + story[1:]


class Inflating(Reader):
    """A connection that agreed on compression."""

    def __init__(self, limit: int = LIMIT, batch: int = 64, forgets: bool = False):
        super().__init__(limit, batch)
        self.inflater = Inflater(limit, forgets)
        self.row["inflater"] = self.inflater.address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inflater.close()


def read(data: bytes, chunk: int = LIMIT, **how):
    with Inflating(**how) as reader:
        for at in range(0, len(data), chunk):
            reader.feed(data[at : at + chunk])
        return reader.found


TEXTS = [b'{"bids":[["1.5","2"]],"n":%d}' % i for i in range(8)]
TEXTS += [b"", b"x", bytes(3000), random.Random(1).randbytes(1500)]


def test_the_records_are_zlibs():
    assert Z_STREAM.itemsize == 112
    at = {name: field[1] for name, field in Z_STREAM.fields.items()}
    assert (at["avail_in"], at["next_out"], at["avail_out"]) == (8, 24, 32)
    assert (at["state"], at["data_type"], at["adler"]) == (56, 88, 96)
    assert INFLATER.fields["stream"][1] == 0


@pytest.mark.parametrize("bits", range(9, 16))
@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_all_that_a_server_may_choose(bits, forgets, level):
    pack = Packer(bits, forgets, level)
    story = b"".join(packed_frames(pack(text)) for text in TEXTS)
    assert read(story, forgets=forgets) == [(TEXT, text) for text in TEXTS]


def story_of_all() -> tuple[bytes, list]:
    """Compressed and not, in one frame and in many, with control frames between and within."""
    pack, data, expected = Packer(), b"", []
    for i, text in enumerate(TEXTS[:10]):
        kind = BINARY if i % 2 else TEXT
        data += packed_frames(pack(text), kind, pieces=1 + i % 3)
        data += frame(TEXT, b"plain") + frame(PING, b"p%d" % i)
        expected += [(kind, text), (TEXT, b"plain"), (PING, frame(PING, b"p%d" % i))]
    amid = packed_frames(pack(b"amid the storm" * 9), pieces=2)
    first = 2 + amid[1]
    data += amid[:first] + frame(PING, b"amid") + amid[first:]
    return data, [*expected, (PING, frame(PING, b"amid")), (TEXT, b"amid the storm" * 9)]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_split_in_two_at_every_byte(batch):
    data, expected = story_of_all()
    for at in range(0, len(data), 1 if JIT and batch == 64 else 17):
        with Inflating(batch=batch) as reader:
            reader.feed(data[:at])
            reader.feed(data[at:])
            assert reader.found == expected


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_in_small_pieces(chunk):
    data, expected = story_of_all()
    assert read(data, chunk) == expected


def test_a_full_room_waits_for_the_next_turn_and_nothing_moves_until_then():
    pack = Packer()
    texts = [bytes([97 + i]) * 3000 for i in range(20)]
    with Inflating() as reader:
        reader.feed(b"".join(packed_frames(pack(text)) for text in texts))
        assert reader.found == [(TEXT, text) for text in texts]
        room = reader.inflater.room
        assert reader.inflater.record["used"][0] <= 2 * LIMIT < len(room)


def test_a_message_of_just_the_limit_fits_and_one_more_byte_is_a_breach():
    for length in (LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 2):
        pack = Packer()
        story = packed_frames(pack(b"a" * 10)) + packed_frames(pack(b"z" * length))
        last = (TEXT, b"z" * length) if length <= LIMIT else (BREACH, 1009)
        assert read(story) == [(TEXT, b"a" * 10), last]


def test_a_bomb_costs_neither_memory_nor_a_byte_behind_the_room():
    bomb = Packer(level=9)(bytes(3_000_000))  # a thousand times its size
    with Inflating(limit=len(bomb) + 100) as reader:
        guard = reader.inflater.room[-1:]
        guard[:] = 0xAB
        reader.feed(packed_frames(Packer()(b"x" * 50)) + packed_frames(bomb))
        assert reader.found[-1] == (BREACH, 1009)
        assert guard[0] == 0xAB


def deflated(data: bytes, *strategy) -> bytes:
    packer = zlib.compressobj(6, wbits=-15)
    return packer.compress(data) + packer.flush(*strategy)


def second_of_two() -> bytes:
    """A message that says: as the one before, which nobody saw."""
    pack, text = Packer(), random.Random(3).randbytes(400)
    return [pack(text), pack(text)][1]


BROKEN = {
    "an unknown kind of block": b"\x07",
    "a stored block whose length is not confirmed": b"\x00\x05\x00\x00\x00hello",
    "a distance into what never was": second_of_two(),
    "a beginning": Packer()(b"hello, hello, hello" * 10)[:-3],
    "no block": b"",
    "a last block and no other": deflated(b"hello", zlib.Z_FINISH),
    "gzip": zlib.compress(b"hello", wbits=31),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_deflate_is_a_breach(name):
    story = packed_frames(Packer()(b"before")) + packed_frames(BROKEN[name]) + frame(TEXT, b"after")
    for chunk in (1, LIMIT):
        assert read(story, chunk) == [(TEXT, b"before"), (BREACH, 1007)]


def test_a_window_that_was_to_be_forgotten_is():
    pack, text = Packer(), random.Random(2).randbytes(400)
    story = packed_frames(pack(text)) + packed_frames(pack(text))
    assert read(story) == [(TEXT, text)] * 2
    assert read(story, forgets=True) == [(TEXT, text), (BREACH, 1007)]


def test_the_examples_of_the_rfc():
    """RFC 7692, section 7.2.3: one block, fragments, a window shared, stored, last, two blocks."""
    hello = bytes.fromhex("f248cdc9c90700")
    examples = [
        packed_frames(hello),
        bytes.fromhex("4103f248cd") + bytes.fromhex("8004c9c90700"),
        bytes.fromhex("c107f248cdc9c90700") + bytes.fromhex("c105f200110000"),
        bytes.fromhex("c10b000500faff48656c6c6f00"),
        bytes.fromhex("c108f348cdc9c9070000"),
        bytes.fromhex("c10df24805000000ffffcac9c90700"),
    ]
    for example in examples:
        assert set(read(example)) == {(TEXT, b"Hello")}


WRONG = {
    "RSV1 on a continuation": frame(TEXT, b"a", last=False) + b"\xc0\x01b",
    "RSV1 on a ping": b"\xc9\x00",
    "RSV2": b"\xa1\x01a",
    "RSV1 and RSV2": b"\xe1\x01a",
    "RSV1 on a masked frame": b"\xc1\x81\0\0\0\0a",
}


@pytest.mark.parametrize("name", WRONG)
def test_the_bit_is_for_the_first_frame_of_a_data_message_alone(name):
    assert read(WRONG[name] + frame(TEXT, b"after")) == [(BREACH, 1002)]


texts = st.one_of(
    st.binary(max_size=60),
    st.integers(0, LIMIT).map(bytes),
    st.integers(0, 99).map(lambda n: json.dumps({"price": f"{n}.5", "n": [n] * n}).encode()),
)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(texts, st.integers(0, 4)), max_size=12),
    st.integers(1, 600),
    st.sampled_from([1, 3, 64]),
    st.integers(9, 15),
    st.booleans(),
)
def test_random_texts_come_back(messages, chunk, batch, bits, forgets):
    pack = Packer(bits, forgets)
    story = b"".join(
        packed_frames(pack(text), TEXT, pieces) if pieces else frame(TEXT, text)
        for text, pieces in messages
        if len(text) < LIMIT - 100
    )
    expected = [(TEXT, text) for text, _ in messages if len(text) < LIMIT - 100]
    assert read(story, chunk, batch=batch, forgets=forgets) == expected


@settings(max_examples=150)
@given(st.binary(max_size=300), st.integers(100, 400))
def test_garbage_is_what_zlib_says_it_is(payload, limit):
    """Accepted as zlib accepts it, or a breach: never a crash, never more than the limit."""
    found = read(packed_frames(payload), limit=max(limit, len(payload) + 10))
    unpack = zlib.decompressobj(-15)
    try:
        text = unpack.decompress(payload + TAIL)
    except zlib.error:
        text = None
    if text is None and not unpack.eof:
        assert found[0][0] == BREACH
    elif found[0][0] == TEXT:
        assert found[0][1].startswith(text)


@pytest.mark.needs_jit
def test_compiled_functions_have_one_signature():
    read(packed_frames(Packer()(b"x")))
    for function in (is_full, inflate, hand_out, compact, parse):
        assert len(function.signatures) <= 1, function.__name__  # 0: within what the cache had


# ------------------------------------------------------------ beside the library's own server

OFFERS = list(itertools.product([False, True], [False, True], [None, 9, 12, 15], [None, 10, 15]))


@contextlib.contextmanager
def library_server(handle, **settings):
    """The `websockets` library's server, in a thread; its URL."""
    factory = ServerPerMessageDeflateFactory(**settings)
    with serve(handle, "127.0.0.1", 0, compression=None, extensions=[factory]) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def echo(ws) -> None:
    with contextlib.suppress(Exception):
        for text in ws:
            ws.send(text if len(text) % 2 else iter([text[:3], text[3:]]))


@pytest.mark.parametrize("offer", OFFERS if JIT else OFFERS[::7], ids=str)
def test_every_negotiation_with_the_librarys_server(client, offer):
    names = ("server_no_context_takeover", "client_no_context_takeover")
    names += ("server_max_window_bits", "client_max_window_bits")
    said = [f"hello {i} " * (i + 1) for i in range(30)]
    with library_server(echo, **dict(zip(names, offer, strict=True))) as url:
        number = client.open(url, deflate=True, hello=lambda: said, sends=(1000, 1.0))
        client.until(lambda: len(client.got) == len(said))
        assert client.texts() == said
        row = client.pool.streams[number].connections[0].row
        assert row["inflater"] != 0
        client.pool.close(number, client.now())
        client.until_said("closed")


def test_who_offers_nothing_and_who_is_refused_read_plain_text(client, server):
    offering = client.open(server.ws, deflate=True)  # that server agrees to nothing
    client.until_said("open")
    client.do(offering, do="echo", text="plain")
    client.until(lambda: client.texts() == ["plain"])
    with library_server(echo) as url:
        number = client.open(url, hello=lambda: ["not asked for"])
        client.until(lambda: len(client.got) == 2)
        assert client.texts() == ["plain", "not asked for"]
        for one in (number, offering):
            assert client.pool.streams[one].connections[0].row["inflater"] == 0
        client.pool.close(number, client.now())
        client.until_said("closed")


def test_ten_thousand_messages(client):
    lines = [
        f'{{"e":"depthUpdate","u":{i},"b":[["{i}.5","{i % 97}"]]}}'
        for i in range(10_000 if JIT else 1_000)
    ]

    def flood(ws) -> None:
        for line in lines:
            ws.send(line)
        ws.recv()

    with library_server(flood) as url:
        number = client.open(url, deflate=True, buffer_bytes=1 << 16)
        client.until(lambda: len(client.got) == len(lines), 30)
        assert client.texts() == lines
        row = client.pool.streams[number].connections[0].row
        assert row["bytes"] < sum(map(len, lines)) / 3
        client.pool.send(number, "enough", client.now())
        client.until_said("closed")


@pytest.mark.parametrize(
    ("payload", "code"), [(b"\x07", 1007), (Packer(level=9)(bytes(200_000)), 1009)]
)
def test_the_server_is_told_why(client, payload, code):
    told = []

    def break_it(ws) -> None:
        ws.socket.sendall(packed_frames(payload))
        with contextlib.suppress(Exception):
            ws.recv()
        told.append(ws.close_code)

    with library_server(break_it) as url:
        number = client.open(url, deflate=True, buffer_bytes=1 << 16)
        assert f"close code {code}" in client.until_said("closed")
        client.pool.close(number, client.now())
        client.until(lambda: told, 5)
    assert told == [code]
