"""Bridging: the tables, stories of messages, and random streams beside the venue's procedure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantra.exchanges import bridging
from mantra.exchanges.bridging import (
    ACTION,
    ACTIONS,
    AHEAD,
    ANCHORED,
    APPLY,
    BRIDGE,
    DROP,
    FOLLOWING,
    GAP,
    NEXT,
    NEXT_STATE,
    OLD,
    STATES,
    WAIT_SNAPSHOT,
    WAITING,
)
from mantra.exchanges.decoded import NO_ID
from mantra.icc.memory import address_of, aligned_zeros

# A story: `snapshot id`, or `first..last` (spot) or `previous<first..last` (futures),
# an id left out where the venue has none, and what is done. States follow after "->".
STORIES = {
    "messages before a snapshot wait": """
        5..7        wait snapshot
        8..9        wait snapshot   -> waiting
    """,
    "spot: the first message lies over the snapshot, the rest follow": """
        snapshot 10 True            -> anchored
        5..9        drop
        8..10       drop            -> anchored
        9..12       apply           -> following
        13..13      apply
        14..20      apply           -> following
    """,
    "spot: a message right behind the snapshot is next": """
        snapshot 10 True
        11..12      apply           -> following
    """,
    "spot: a snapshot that is too old is a gap": """
        snapshot 10 True
        12..13      gap             -> waiting
        14..15      wait snapshot
        snapshot 14 True
        12..13      drop
        14..15      apply           -> following
    """,
    "spot: a hole is a gap, and what follows waits": """
        snapshot 10 True
        11..12      apply
        14..15      gap             -> waiting
        16..16      wait snapshot   -> waiting
    """,
    "spot: a message told twice is dropped, an overlap goes on": """
        snapshot 10 True
        11..12      apply
        11..12      drop
        12..14      apply
        15..15      apply           -> following
    """,
    "futures: the first message lies over the snapshot, then each says who was before": """
        snapshot 100 True
        80<85..99   drop            -> anchored
        99<99..104  apply           -> following
        104<110..115 apply
        115<117..120 apply          -> following
    """,
    "futures: a message that ends at the snapshot's id is applied, as the venue says": """
        snapshot 100 True
        90<95..100  apply           -> following
        100<105..107 apply
    """,
    "futures: holes in the numbers are no gap, a wrong predecessor is": """
        snapshot 100 True
        99<99..104  apply
        104<150..155 apply
        156<157..160 gap            -> waiting
    """,
    "futures: a first message behind the snapshot is a gap": """
        snapshot 100 True
        103<105..109 gap            -> waiting
    """,
    "futures: a first message taken as the base is followed by its next": """
        snapshot 60 True
        60<61..65   apply           -> following
        66<67..69   gap             -> waiting
    """,
    "times that rise: what is not newer than the book is dropped, nothing else is known": """
        snapshot 1618677695291295 True -> anchored
        ..1618677692441716 drop
        ..1618677695291295 drop     -> anchored
        ..1618677695291296 apply    -> following
        ..1618677699000000 apply
        ..1618677699000000 drop
        ..1618677698999999 drop     -> following
        snapshot 1618677698999999 False
        snapshot 1618677700000000 True -> anchored
    """,
    "without ids every message is next, and every snapshot is taken": """
        ..          wait snapshot   -> waiting
        snapshot - True             -> anchored
        ..          apply           -> following
        ..          apply
        snapshot - True             -> anchored
        ..          apply           -> following
    """,
    "a snapshot older than the book is not taken, a newer one is": """
        snapshot 10 True
        11..15      apply
        snapshot 15 False           -> following
        snapshot 18 True            -> anchored
        16..18      drop
        19..19      apply           -> following
    """,
}


def number(text: str) -> int:
    return int(text) if text else NO_ID


class Bridge:
    def __init__(self) -> None:
        self.record = aligned_zeros(1, BRIDGE)
        self.address = address_of(self.record)

    @property
    def state(self) -> str:
        return STATES[self.record[0]["state"]]

    def tell(self, line: str) -> str:
        """Do one line of a story; the line as it came out."""
        words, _, state = line.partition("->")
        what, *rest = words.split()
        if what == "snapshot":
            taken = bool(bridging.take_snapshot(self.address, number(rest[0].rstrip("-"))))
            done = f"snapshot {rest[0]} {taken}"
        else:
            previous, _, ids = what.rpartition("<")
            numbers = map(number, (*ids.split(".."), previous))
            action = ACTIONS[bridging.take_depth(self.address, *numbers)]
            done = f"{what} {action}"
        return f"{done} -> {self.state}" if state else done


@pytest.mark.parametrize("story", STORIES)
def test_messages_are_taken_as_told(story):
    bridge = Bridge()
    for line in STORIES[story].strip().splitlines():
        assert bridge.tell(line).split() == line.split(), line


EXPECTED = {
    (WAITING, OLD): (WAIT_SNAPSHOT, WAITING),
    (WAITING, NEXT): (WAIT_SNAPSHOT, WAITING),
    (WAITING, AHEAD): (WAIT_SNAPSHOT, WAITING),
    (ANCHORED, OLD): (DROP, ANCHORED),
    (ANCHORED, NEXT): (APPLY, FOLLOWING),
    (ANCHORED, AHEAD): (GAP, WAITING),
    (FOLLOWING, OLD): (DROP, FOLLOWING),
    (FOLLOWING, NEXT): (APPLY, FOLLOWING),
    (FOLLOWING, AHEAD): (GAP, WAITING),
}


def test_the_tables_have_no_other_pairs():
    assert len(EXPECTED) == ACTION.size == NEXT_STATE.size


@pytest.mark.parametrize(("state", "relation"), list(EXPECTED))
def test_every_pair_of_the_tables_is_as_expected(state, relation):
    assert (ACTION[state, relation], NEXT_STATE[state, relation]) == EXPECTED[state, relation]


def test_a_gap_says_how_many_ids_are_missing():
    bridge = Bridge()
    for line in ("snapshot 10 True", "11..12", "20..21"):
        bridge.tell(line)
    assert (bridge.record[0]["gaps"], bridge.record[0]["missed"]) == (1, 7)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), futures=st.booleans())
def test_whatever_is_lost_the_applied_messages_are_a_chain_without_holes(data, futures):
    """Naive twin: of all messages sent, those applied are consecutive up to a gap or snapshot."""
    count = data.draw(st.integers(1, 25))
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    holes = data.draw(st.lists(st.integers(0, 3 if futures else 0), min_size=count, max_size=count))
    sent, last = [], 100
    for size, hole in zip(sizes, holes, strict=True):
        sent.append((last + 1 + hole, last + hole + size, last))
        last += hole + size
    kept = [i for i in range(count) if data.draw(st.integers(0, 9)) > 0]
    bridge, applied = Bridge(), None
    bridging.take_snapshot(bridge.address, data.draw(st.integers(95, last)))
    for i in kept:
        first, end, before = sent[i]
        action = bridging.take_depth(bridge.address, first, end, before if futures else NO_ID)
        if action == APPLY:
            assert applied is None or i == applied + 1
            applied = i
        elif action == GAP:
            assert applied is None or i > applied + 1
            bridging.take_snapshot(bridge.address, end)
            applied = i
