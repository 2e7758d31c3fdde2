"""What a live handler took, kept as `mantra capture --raw` keeps it, beside what it published."""

import ctypes
import json

import numpy as np

from mantra.icc import queue_segment
from mantra.icc.memory import address_of, aligned_zeros
from mantra.icc.queue import consume_many
from mantra.messages.records import QUEUE_RECORDS
from mantra.transport.frames import BINARY

T0 = 1_700_000_000_000_000_000
ROOM = 1 << 16


class LiveRaw:
    """Around a handler in a Stepper; call `keep` after each step."""

    def __init__(self, handler, run: str):
        self.handler, self.lines = handler, {venue: [] for venue, _ in handler.streams}
        self._count, self._stamp, self._next = 0, 0, 0
        self._serials: dict[int, int] = {}
        self._read, self.rows = {}, {"l2": [], "trades": []}
        for name in self.rows:
            queue = queue_segment.attach(run, name, QUEUE_RECORDS[name])
            consumer = queue_segment.consumer(queue, "raw", from_oldest=True, shown=False)
            self._read[name] = queue, consumer
        for name in ("on_call", "_opened", "_closed"):
            setattr(handler, name, self._before(getattr(self, name), getattr(handler, name)))
        self._take = handler.feed.take
        handler.feed.take = self.take

    def _before(self, own, original):
        def both(*arguments):
            own(*arguments)
            return original(*arguments)

        return both

    def _line(self, venue: str, word: str, text: bytes) -> None:
        self._count += 1
        line = b"%d %b %b" % (T0 + self._count, word.encode(), text.replace(b"\n", b" "))
        self.lines[venue].append(line)

    def on_call(self) -> None:
        self.frames()

    def _opened(self, stream, row, now) -> None:
        self._serials[row] = 1 + max(self._serials.values(), default=0)

    def _closed(self, stream, row, reason) -> None:
        if row in self.handler.by_row:
            self._line(self.handler.sessions[stream].venue.name, f"#{self._serials[row]}", b"")

    def take(self, connection, raw, received, instrument=-1) -> int:
        if instrument >= 0:
            symbol, _, venue = self.handler.tables.instrument_name(instrument).rpartition("@")
            self._line(venue, f"@{symbol}", raw)
        return self._take(connection, raw, received, instrument)

    def frames(self) -> None:
        """Those of the batch that were taken since the last time."""
        context, batch = self.handler.context[0], self.handler.pool.batch
        if batch[0]["ts_received"] != self._stamp:
            self._stamp, self._next = int(batch[0]["ts_received"]), 0
        for message in batch[self._next : int(context["next"])]:
            if message["kind"] <= BINARY:
                row = int(message["connection"])
                venue = self.handler.sessions[self.handler.by_row[row]].venue.name
                text = ctypes.string_at(int(message["address"]), int(message["length"]))
                self._line(venue, f"#{self._serials[row]}", text)
        self._next = int(context["next"])

    def keep(self) -> None:
        self.frames()
        for name, (_, consumer) in self._read.items():
            rows = aligned_zeros(ROOM, QUEUE_RECORDS[name])
            count = consume_many(address_of(consumer), address_of(rows), ROOM)
            assert consumer[0]["lost"] == 0
            self.rows[name].append(rows[:count].copy())

    def write(self, folder) -> None:
        (folder / "tables.json").write_text(json.dumps(self.handler.tables.as_dict()))
        for venue, lines in self.lines.items():
            (folder / f"{venue}.0").write_bytes(b"".join(line + b"\n" for line in lines))

    def published(self, stream: str, instruments: np.ndarray) -> np.ndarray:
        rows = np.concatenate(self.rows[stream])
        return rows[np.isin(rows["instrument"], instruments)]
