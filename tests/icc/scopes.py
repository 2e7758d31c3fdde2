"""Small scopes of queue and vector for the interleavings, and the judge of what was observed.

Words of a message are functions of the message, numbers are compared with what the producers were
told, and at every end a new consumer must be able to read on to the head.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from mantra.icc import queue
from tests.icc.interleavings import DEAD, Program, Sequential, Thread, Weak, as_generators, explore

COUNT, OWNERS, SLOTS = 0x8, 0x100, 0x10000
PRODUCER_PIDS, CONSUMER_PID = (1, 2, 3), 9


def payload(message: int, words: int) -> list[int]:
    return [message * 16 + word + 1 for word in range(words)]


class Ring:
    """A queue of `capacity` slots in the memory explored, and programs that use it."""

    def __init__(self, mode: int, capacity: int, words: int, *replacements: tuple[str, str]):
        self.mode, self.capacity, self.words = mode, capacity, words
        self.slot_bytes = 8 + 8 * words
        self.queue = as_generators("queue", *replacements, STUCK_POLLS=1)
        self.messages: dict[int, list[int]] = {}  # pid -> what it publishes, in order

    def _common(self) -> dict:
        return {
            "slots": SLOTS, "mask": self.capacity - 1, "slot_bytes": self.slot_bytes,
            "words": self.words, "count": COUNT, "owners": OWNERS, "next": 0,
        }  # fmt: skip

    def publishing(self, pid: int, count: int, **rest) -> Program:
        """A producer, attached from the start under its pid as owner number."""
        self.messages[pid] = [pid * 100 + i for i in range(count)]

        def body(log: list) -> Iterator[tuple]:
            yield from self._publish(log, pid, pid, 0)

        return Program(body, pid, **rest)

    def attaching(self, pid: int, count: int, after: int | None = None) -> Program:
        """queue_segment.producer and then publishing, from the death of another on."""
        self.messages[pid] = [pid * 100 + i for i in range(count)]
        numbers = range(1, 2 if self.mode == queue.SPMC else 4)

        def body(log: list) -> Iterator[tuple]:
            if after is not None:
                yield "await_death", after
            for owner in numbers:
                seen = yield "load_acquire", OWNERS + 8 * owner
                if seen == 0 or not (yield "process_gone", abs(seen)):
                    continue
                yield from self.queue.heal_owner(
                    SLOTS, self.capacity, self.slot_bytes, owner, OWNERS + 8 * owner, seen, -pid
                )
            owner = yield from self.queue.take_owner(OWNERS, len(numbers), pid)
            if owner == 0:
                log.append("refused")
                return
            head = yield from self.queue.find_head(SLOTS, self.capacity, self.slot_bytes, COUNT)
            yield from self._publish(log, pid, owner, head)

        return Program(body, pid)

    def _publish(self, log: list, pid: int, owner: int, head: int) -> Iterator[tuple]:
        handle = self._common() | {"owner": owner, "mode": self.mode, "next": head}
        for message in self.messages[pid]:
            number = yield from self.queue.publish(handle, payload(message, self.words))
            log.append((number, message))

    def consuming(self, polls: int) -> Program:
        def body(log: list) -> Iterator[tuple]:
            yield from self._consume(log, polls)

        return Program(body, CONSUMER_PID)

    def _consume(self, log: list, polls: int) -> Iterator[tuple]:
        counters = dict.fromkeys(("lost", "sped_past", "voided", "stuck_polls", "cursor"), 0)
        handle = self._common() | counters | {"stuck_version": -1}
        target = [0] * self.words
        received = 0
        while polls:
            polls -= 1
            number, voided = handle["next"], handle["voided"]
            state = yield from self.queue.try_consume(handle, target)
            if state == queue.DATA:
                received += 1
                log.append(("data", number, tuple(target)))
            elif state == queue.SPED_PAST:
                log.append(("lapped", number, handle["next"]))
            elif handle["voided"] > voided:
                log.append(("void", number))
            if received + handle["lost"] + handle["voided"] != handle["next"]:
                log.append(("miscounted",))

    # ---- the judge

    def outcomes(self, programs: list[Program], memory, words: tuple, threads) -> set[str]:
        """Names of all that was observed on the way to this end."""
        names: set[str] = set()
        told: dict[int, int] = {}
        untold: list[int] = []
        dead = {p.pid for p, t in zip(programs, threads, strict=True) if t.fate == DEAD}
        for program, thread in zip(programs, threads, strict=True):
            if program.pid not in self.messages:
                continue
            pairs = [entry for entry in thread.log if entry != "refused"]
            names |= {"refused"} if len(pairs) < len(thread.log) else set()
            names |= {"number used twice" for number, _ in pairs if number in told}
            told |= dict(pairs)
            numbers = [number for number, _ in pairs]
            names |= {"producer's order broken"} if numbers != sorted(numbers) else set()
            if program.pid in dead and len(pairs) < len(self.messages[program.pid]):
                untold.append(self.messages[program.pid][len(pairs)])
                names.add("died")
        value = cache(lambda address: memory.value(words, address))
        for number, message in told.items():
            slot = SLOTS + (number & (self.capacity - 1)) * self.slot_bytes
            content = [value(slot + 8 + 8 * word) for word in range(self.words)]
            if value(slot) < queue.whole(number):
                names.add("vanished")
            if value(slot) == queue.whole(number) and content != payload(message, self.words):
                names.add("vanished")
        if not dead and self.mode == queue.MPMC and max(told) >= len(told):
            names.add("republished")
        sweep, stuck = self._sweep(value, dead)
        names |= {"consumer stuck"} if stuck else set()
        logs = [t.log for p, t in zip(programs, threads, strict=True) if p.pid == CONSUMER_PID]
        for log in [*logs, sweep]:
            for event in log:
                names.add(self._name(event, told, untold, value))
        return names

    def _name(self, event: tuple, told: dict, untold: list[int], value: Callable) -> str:
        kind, *rest = event
        if kind == "data":
            number, content = rest
            message = content[0] // 16
            if list(content) != payload(message, self.words):
                return "torn"
            right = message in untold if number not in told else told[number] == message
            return "whole" if right else "foreign"
        if kind == "void":
            return "voided though published" if rest[0] in told else "void"
        if kind == "lapped":
            for number in range(*rest):
                slot = SLOTS + (number & (self.capacity - 1)) * self.slot_bytes
                if value(slot) >> queue.NUMBER_SHIFT <= number + 1:
                    return "counted lost though there"
            return "lapped"
        return kind

    def _sweep(self, value: Callable, dead: set[int]) -> tuple[list, bool]:
        """A consumer that comes when all is over: what it reads, and whether it is stuck."""
        words = {}
        log: list = []
        thread = self._consume(log, 6 * self.capacity + 20)
        fed = None
        try:
            while True:
                kind, *arguments = thread.send(fed)
                if kind == "process_gone":
                    fed = arguments[0] in dead
                elif not kind.startswith("fence"):
                    here = words.get(arguments[0], value(arguments[0]))
                    fed = here
                    if kind == "compare_exchange":
                        fed = here == arguments[1]
                        if fed:
                            words[arguments[0]] = arguments[2]
        except StopIteration:
            pass
        passed = sum((e[2] - e[1]) if e[0] == "lapped" else 1 for e in log)
        slots = range(SLOTS, SLOTS + self.capacity * self.slot_bytes, self.slot_bytes)
        head = max(value(slot) >> queue.NUMBER_SHIFT for slot in slots)
        return log, passed < head

    def observed(self, programs: list[Program], search: "Search", owners: tuple = ()) -> set[str]:
        initial = {OWNERS + 8 * owner: owner for owner in owners}

        def judged(words: tuple, threads: tuple[Thread, ...]) -> set[str]:
            return self.outcomes(programs, search.memory, words, threads)

        return search.run(programs, initial, judged)


class FoundError(Exception):
    """The outcome looked for was observed: no need to go on."""


@dataclass(frozen=True)
class Search:
    """Under which memory, and whether to end at the first sight of an outcome."""

    memory: Sequential | Weak
    until: str = ""  # empty: all

    def run(self, programs: list[Program], initial: dict[int, int], judged: Callable) -> set[str]:
        names: set[str] = set()

        def at_end(words: tuple, threads: tuple[Thread, ...]) -> None:
            names.update(judged(words, threads))
            if self.until in names:
                raise FoundError

        try:
            explored = explore(programs, initial, self.memory, at_end)
            print(f"{explored.interleavings:,} interleavings, {explored.states:,} states: {names}")
        except FoundError:
            pass
        return names


ALL = Search(Sequential())


# ---------------------------------------------------------------- the scopes


def one_producer_laps_a_reader(*bad: tuple[str, str], search=ALL, words=2, count=3, polls=4):
    ring = Ring(queue.SPMC, 2, words, *bad)
    programs = [ring.publishing(1, count), ring.consuming(polls)]
    return ring.observed(programs, search, owners=(1,))


def two_producers_lap_each_other(*bad: tuple[str, str], search=ALL, counts=(1, 3)):
    ring = Ring(queue.MPMC, 2, 2, *bad)
    programs = [ring.publishing(1, counts[0]), ring.publishing(2, counts[1])]
    return ring.observed(programs, search, owners=(1, 2))


def two_producers_and_a_reader(*bad: tuple[str, str], search=ALL, counts=(1, 2), polls=2):
    ring = Ring(queue.MPMC, 2, 2, *bad)
    programs = [ring.publishing(1, counts[0]), ring.publishing(2, counts[1])]
    return ring.observed([*programs, ring.consuming(polls)], search, owners=(1, 2))


def one_producer_dies_and_another_comes(*bad: tuple[str, str], search=ALL, counts=(2, 2)):
    ring = Ring(queue.SPMC, 2, 2, *bad)
    programs = [
        ring.publishing(1, counts[0], may_die=True),
        ring.attaching(2, counts[1], after=1),
        ring.consuming(3),
    ]
    return ring.observed(programs, search, owners=(1,))


def one_of_two_producers_dies(*bad: tuple[str, str], search=ALL, polls=2):
    ring = Ring(queue.MPMC, 2, 1, *bad)
    programs = [ring.publishing(1, 1, may_die=True), ring.publishing(2, 2), ring.consuming(polls)]
    return ring.observed(programs, search, owners=(1, 2))


def a_number_is_healed_twice_and_reused(*bad: tuple[str, str], search=ALL):
    ring = Ring(queue.MPMC, 2, 1, *bad)
    programs = [
        ring.publishing(1, 1, may_die=True),
        ring.attaching(2, 2, after=1),
        ring.attaching(3, 1, after=1),
    ]
    return ring.observed(programs, search, owners=(1,))


def two_attach_where_one_may(*bad: tuple[str, str], search=ALL):
    ring = Ring(queue.SPMC, 2, 1, *bad)
    return ring.observed([ring.attaching(1, 1), ring.attaching(2, 1)], search)


def rows_are_read_while_written(*bad: tuple[str, str], search=ALL, polls=2):
    """A vector's writer writes a row twice and may die; then another writes it, a reader reads."""
    words, row = 2, 0
    vector = as_generators("seqlock_vector", *bad, READ_TRIES=2)

    def fields() -> dict:
        return {"first": SLOTS, "row_bytes": 64, "words": words, "writes": COUNT, "rows": 1}

    def writing(*messages: int, after: int | None = None) -> Callable:
        def body(log: list) -> Iterator[tuple]:
            if after is not None:
                yield "await_death", after
            for message in messages:
                yield from vector.write_row(fields(), row, payload(message, words))
                log.append(message)

        return body

    def reading(log: list) -> Iterator[tuple]:
        target = [0] * words
        for _ in range(polls):
            count = yield from vector.writes(fields())
            version = yield from vector.try_read_row(fields(), row, target)
            log.append(((version, *target) if version >= 0 else None, count))

    programs = [
        Program(writing(1, 2), 1, may_die=True),
        Program(writing(3, after=1), 2),
        Program(reading, CONSUMER_PID),
    ]
    return search.run(programs, {}, lambda _, threads: _rows_named(threads[2], words))


def _rows_named(reader: Thread, words: int) -> set[str]:
    names, latest = set(), 0
    for row, count in reader.log:
        if row is None:
            names.add("busy")
            continue
        version, *content = row
        known = {tuple(payload(m, words)): f"row {m}" for m in (1, 2, 3)}
        known[(0,) * words] = "row of zeros"
        names.add(known.get(tuple(content), "torn"))
        # Each write but the last of a dead writer is in `writes`.
        names |= {"older than before"} if version < latest else set()
        names |= {"older than `writes` said"} if version < 2 * count else set()
        latest = version
    return names
