"""The life-cycle table: every pair, and the page drawn from it."""

from itertools import product
from pathlib import Path

import pytest

from mantra.messages.enums import (
    CANCEL_REJECTED,
    EVENT_ORDER_ILLEGAL,
    ORDER_EVENTS,
    REASON_UNKNOWN_ORDER,
)
from mantra.overseer import lifecycle
from mantra.overseer.lifecycle import EVENTS, FIRST_END, ILLEGAL, NEXT_STATE, STATES
from mantra.overseer.state import CAPACITY
from tests.overseer.overseer_desk import Desk

PAGE = Path(__file__).parents[2] / "docs" / "ORDER_LIFECYCLE.md"

# Told a second time, by state and in words: the table in the source is compared with this one.
LEGAL = """
none               send-new:new-sent
new-sent           accepted:open rejected:rejected canceled:canceled expired:expired
                   partial-fill:new-sent final-fill:filled timeout:unknown
open               send-amend:amend-sent send-cancel:cancel-sent canceled:canceled
                   expired:expired partial-fill:open final-fill:filled
amend-sent         amended:open amend-rejected:open gone:gone canceled:canceled expired:expired
                   partial-fill:amend-sent final-fill:filled timeout:unknown
cancel-sent        canceled:canceled cancel-rejected:open gone:gone expired:expired
                   partial-fill:cancel-sent final-fill:filled timeout:unknown
unknown            accepted:open rejected:rejected amended:open amend-rejected:open
                   canceled:canceled cancel-rejected:open gone:gone expired:expired
                   partial-fill:unknown final-fill:filled send-cancel:cancel-sent-blind
cancel-sent-blind  accepted:cancel-sent-blind rejected:rejected amended:cancel-sent-blind
                   amend-rejected:cancel-sent-blind canceled:canceled cancel-rejected:unknown
                   gone:gone expired:expired partial-fill:cancel-sent-blind final-fill:filled
                   timeout:unknown
gone               canceled:canceled gone:gone expired:expired partial-fill:gone
                   final-fill:filled timeout:canceled
filled             accepted:filled amended:filled amend-rejected:filled cancel-rejected:filled
                   gone:filled
canceled           gone:canceled partial-fill:canceled final-fill:filled
expired            gone:expired partial-fill:expired
rejected           gone:rejected
"""


def legal_pairs():
    pairs, state = {}, ""
    for line in LEGAL.strip().splitlines():
        words = line.split()
        if ":" not in words[0]:
            state = words.pop(0)
        for word in words:
            event, following = word.split(":")
            pairs[state, event.replace("-", " ")] = following
    return pairs


PAIRS = list(product(range(len(STATES)), range(len(EVENTS))))


def test_every_pair_leads_where_it_should_and_all_others_are_illegal():
    expected = legal_pairs()
    for state, event in PAIRS:
        following = expected.pop((STATES[state], EVENTS[event].replace("-", " ")), None)
        found = int(lifecycle.next_state(state, event))
        assert found == (ILLEGAL if following is None else STATES.index(following))
    assert not expected


def test_no_order_comes_back_from_its_end():
    ended = NEXT_STATE[FIRST_END:]
    assert set(ended[ended != ILLEGAL]) <= set(range(FIRST_END, len(STATES)))


def test_every_request_in_flight_ends_by_answer_fill_or_time():
    for state in ("new-sent", "amend-sent", "cancel-sent", "cancel-sent-blind"):
        row = NEXT_STATE[STATES.index(state)]
        assert all(row[lifecycle.SEND_NEW : lifecycle.SEND_CANCEL + 1] == ILLEGAL)
        assert row[lifecycle.TIMEOUT] != ILLEGAL
        assert row[lifecycle.FINAL_FILL] == lifecycle.FILLED


def test_a_refusal_because_the_order_is_unknown_is_an_event_of_its_own():
    event = lifecycle.event_of_update
    assert event(CANCEL_REJECTED, REASON_UNKNOWN_ORDER) == lifecycle.GONE_AT_VENUE
    assert event(CANCEL_REJECTED, 0) == CANCEL_REJECTED
    assert event(-1, 0) == event(len(ORDER_EVENTS), 0) == ILLEGAL


ILLEGAL_WORDS = [
    (state, event)
    for state, event in PAIRS
    if event <= lifecycle.FINAL_FILL and NEXT_STATE[state, event] == ILLEGAL and state > 0
]


def test_what_is_illegal_is_counted_and_told_and_changes_nothing():
    """Every illegal word of a venue, in every state an order can be in."""
    with Desk(models=(("a", 1),)) as desk:
        desk.want("a", 0, price=100, volume=10)
        (request,) = desk.step()
        slot = int(request["order_id"]) % CAPACITY
        order = desk.overseer.arrays["orders"][slot : slot + 1]
        before = order.copy()
        for count, (state, event) in enumerate(ILLEGAL_WORDS, start=1):
            order[...] = before
            order["state"] = state
            if event == lifecycle.PARTIAL_FILL:
                desk.fill(request, 0, 5)
            elif event == lifecycle.FINAL_FILL:
                desk.fill(request, 0, 0)
            elif event == lifecycle.GONE_AT_VENUE:
                desk.update(request, CANCEL_REJECTED, REASON_UNKNOWN_ORDER)
            else:
                desk.update(request, event)
            desk.step()
            assert order["state"] == state, (STATES[state], EVENTS[event])
            assert desk.overseer.arrays["counters"][0]["illegal"] == count
            told = [e for e in desk.heard("events") if e["kind"] == EVENT_ORDER_ILLEGAL]
            assert [(t["value"], t["detail"]) for t in told] == [
                (request["order_id"], state << 8 | event)
            ]
        order[...] = before


@pytest.mark.parametrize("word", [-1, 7, 100])
def test_a_word_no_venue_has_is_illegal_in_every_state(word):
    with Desk(models=(("a", 1),)) as desk:
        desk.want("a", 0, price=100, volume=10)
        (request,) = desk.step()
        desk.update(request, word)
        desk.step()
        assert desk.overseer.arrays["counters"][0]["illegal"] == 1
        assert desk.pending == 1


def diagram() -> str:
    """docs/ORDER_LIFECYCLE.md, whole: drawn from the table, so it cannot drift from it."""
    lines = [
        "# The life-cycle of an order",
        "",
        "Drawn from the table in `src/mantra/overseer/lifecycle.py` by the function `diagram` of",
        "`tests/overseer/test_lifecycle.py`: edit the table. What is not drawn is illegal:",
        "counted, told as an event, never applied.",
        "",
        "```mermaid",
        "stateDiagram-v2",
    ]
    nodes = ["[*]", *(state.replace("-", "_") for state in STATES[1:])]
    for state, followings in enumerate(NEXT_STATE):
        by_target: dict[str, list[str]] = {}
        for event, following in zip(EVENTS, followings, strict=True):
            if following != ILLEGAL:
                by_target.setdefault(nodes[following], []).append(event)
        for target, events in by_target.items():
            lines.append(f"    {nodes[state]} --> {target}: {', '.join(events)}")
    ends = [f"    {end} --> [*]" for end in nodes[FIRST_END:]]
    return "\n".join([*lines, *ends, "```", ""])


def test_the_page_is_drawn_from_the_table():
    assert PAGE.read_text() == diagram(), f"write the result of diagram() to {PAGE}"
